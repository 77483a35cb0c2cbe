import type { WorkbenchClient } from '../client-port.ts';
import type { DocumentStore } from '../documents/document-store.ts';
import { nameOf } from '../file-paths.ts';
import type { WorkspaceFile } from './sent-files.ts';

/** A file of the workspace as it is now: in the editor where it is open, else on the disk. Throws what the operation throws. */
export async function readWorkspaceFile(from: { client: WorkbenchClient; documents: DocumentStore }, path: string): Promise<WorkspaceFile> {
  const session = from.documents.get(path);
  const name = nameOf(path);
  if (session?.state.value.name === 'open')
    return { path, name, etag: undefined, bytes: new TextEncoder().encode(session.text.toString()) };
  const { output, bytes } = await from.client.download('files.download', { path });
  const whole = new Uint8Array(output.length);
  let at = 0;
  for await (const part of bytes) {
    whole.set(part, at);
    at += part.length;
  }
  return { path, name, etag: output.etag, bytes: whole };
}
