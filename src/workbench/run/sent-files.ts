import type { Asked } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { WorkbenchClient } from '../client-port.ts';

/** A file of the workspace that is put beside the code. */
export interface WorkspaceFile {
  path: string;
  name: string;
  /** Of what is on the disk; undefined: it is open, and taken as it is in the editor. */
  etag: string | undefined;
  bytes: Uint8Array;
}

type SentFile = NonNullable<Asked<Operations['code.run']>['files']>[number];

/** What goes along in the call itself, bytes of all together: a message may have a million characters. */
const inlineBytes = 256 * 1024;
const charactersAtOnce = 8 * 1024;

/** Brings files to a run: small ones in its call, larger ones into its session first, and those again only when they changed. */
export class SentFiles {
  readonly #client: Pick<WorkbenchClient, 'call' | 'upload'>;
  readonly #uploaded = new Map<string, { etag: string; session: string; id: string }>();

  constructor(client: Pick<WorkbenchClient, 'call' | 'upload'>) {
    this.#client = client;
  }

  /** The session is a new one where one is needed and none was given. Throws what the operations throw. */
  async send(files: readonly WorkspaceFile[], session: string | undefined): Promise<{ files: SentFile[]; session: string | undefined }> {
    const sent: SentFile[] = [];
    let room = inlineBytes;
    let into = session;
    for (const file of files) {
      room -= file.bytes.length;
      if (room >= 0) {
        sent.push(inline(file));
        continue;
      }
      into ??= (await this.#client.call('code.openSession', {})).id;
      sent.push(await this.#upload(file, into));
    }
    return { files: sent, session: into };
  }

  /** By its path: of two of one name each has a place of its own. */
  async #upload({ path, etag, bytes }: WorkspaceFile, session: string): Promise<SentFile> {
    const known = this.#uploaded.get(path);
    if (known !== undefined && known.etag === etag && known.session === session) return { session, id: known.id };
    const { id } = await this.#client.upload('code.putFile', { session, name: path }, bytes as Uint8Array<ArrayBuffer>);
    if (etag !== undefined) this.#uploaded.set(path, { etag, session, id });
    return { session, id };
  }
}

function inline({ name, bytes }: WorkspaceFile): SentFile {
  try {
    return { name, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    // No text.
    let characters = '';
    for (let at = 0; at < bytes.length; at += charactersAtOnce)
      characters += String.fromCharCode(...bytes.subarray(at, at + charactersAtOnce));
    return { name, base64: btoa(characters) };
  }
}
