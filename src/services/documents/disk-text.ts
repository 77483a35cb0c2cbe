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

/** Contents of which it is known that the file is not about to get others. */
export interface SureContents {
  /** The watch saw it standing still. */
  settled?: string | undefined;
  /** Nothing of it is to come, also where it is how the text before began. */
  whole?: string | undefined;
}

/**
 * The file's text, once it stands still: a program that writes in place shows half of it for a moment. Contents that are `known`, or sure, are taken at once.
 * Undefined: there is no file.
 */
export async function readDisk(
  { workspace, now }: { workspace: Workspace; now: () => number },
  path: string,
  maxBytes: number,
  known: { content: string | undefined; text: string } | undefined,
  { settled, whole }: SureContents = {},
): Promise<DiskText | undefined> {
  try {
    for (let waited = 0; ; waited += SETTLE_MS) {
      const { bytes, content, stat, place } = await workspace.read(path, maxBytes);
      const raw = decodeText(bytes);
      const isSure = content === known?.content || content === whole;
      const isCut = raw !== undefined && known !== undefined && !isSure && lostItsEnd(fileTextOf(raw).text, known.text);
      const waitMs = isCut ? CUT_SETTLE_MS : isSure || content === settled ? 0 : SETTLE_MS;
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
