import { OutriggerError } from '../../contract/errors.ts';
import { decodeText } from '../workspace/content.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { fileTextOf } from './file-text.ts';

/** A file written less than this ago may be half of what it will be. */
export const SETTLE_MS = 50;
const MAX_SETTLE_MS = 500;
/** One that only lost its end is most likely being written anew, by a program that has to wait between emptying and writing it. */
export const CUT_SETTLE_MS = 1000;

export interface DiskText {
  raw: string;
  content: string;
  /** Where it lies, links followed. */
  place: string;
}

/**
 * The file's text, once it stands still: a program that writes in place shows half of it for a moment. Contents that are `known`
 * or that the watch saw standing still (`settled`) are taken at once. Undefined: there is no file.
 */
export async function readDisk(
  { workspace, now }: { workspace: Workspace; now: () => number },
  path: string,
  maxBytes: number,
  known: { content: string | undefined; text: string } | undefined,
  settled?: string,
): Promise<DiskText | undefined> {
  try {
    for (let waited = 0; ; waited += SETTLE_MS) {
      const { bytes, content, stat, place } = await workspace.read(path, maxBytes);
      const raw = decodeText(bytes);
      const isCut = raw !== undefined && known !== undefined && content !== known.content && lostItsEnd(fileTextOf(raw).text, known.text);
      const waitMs = isCut ? CUT_SETTLE_MS : content === known?.content || content === settled ? 0 : SETTLE_MS;
      if (waitMs > 0 && now() - stat.mtimeMs < waitMs && waited < Math.max(waitMs, MAX_SETTLE_MS)) {
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        continue;
      }
      if (raw === undefined) throw new OutriggerError('DOCUMENT_BINARY', `${path} is not text.`);
      return { raw, content, place };
    }
  } catch (error) {
    if (!(error instanceof OutriggerError)) throw error;
    if (error.reason === 'FILE_NOT_FOUND') return undefined;
    if (error.reason === 'OUTPUT_TOO_LARGE')
      throw new OutriggerError('DOCUMENT_TOO_LARGE', `${path} is larger than ${maxBytes} bytes, the limit of shared editing.`, {
        cause: error,
      });
    throw error;
  }
}

/** Where a path leads when links are followed; itself where that can't be told. */
export function targetOf(workspace: Workspace, path: string): string {
  try {
    return workspace.realPath(path);
  } catch {
    return path;
  }
}

/** Both with LF alone. */
export function lostItsEnd(text: string, before: string): boolean {
  return text.length < before.length && before.startsWith(text);
}
