import type { Entry } from '../../contract/files.ts';
import type { ErrorFacts } from '../client-port.ts';
import { nameOf } from '../file-paths.ts';
import { byteSize } from '../words.ts';

/** What has the place of an open file on disk, where no text can be merged with it. */
export interface Clash {
  path: string;
  /** The sidecar's own words. */
  problem: string;
  /** Undefined while it is not known, and where nothing is. */
  entry: Pick<Entry, 'kind' | 'size'> | undefined;
  /** Of a file that is edited together, in bytes. */
  maxBytes: number | undefined;
}

/** Why the file would not open, as the sidecar would say it. */
export function clashError({ path, problem, entry, maxBytes }: Clash): ErrorFacts {
  const reason =
    entry?.kind === 'directory'
      ? 'NOT_A_FILE'
      : entry?.kind !== 'file'
        ? 'BUSY_FILE'
        : maxBytes !== undefined && entry.size > maxBytes
          ? 'DOCUMENT_TOO_LARGE'
          : 'DOCUMENT_BINARY';
  return { reason, message: problem || `${path} can't be read as text.`, code: 'failed_precondition', hint: undefined, details: undefined };
}

/** What happened on disk, as a sentence. */
export function clashWords(clash: Clash): string {
  const name = nameOf(clash.path);
  const { entry, maxBytes, problem } = clash;
  if (entry?.kind === 'directory') return `A folder has the place of ${name} on disk now.`;
  if (entry?.kind === 'symlink') return `A link that can't be followed has the place of ${name} on disk now.`;
  const { reason } = clashError(clash);
  if (reason === 'DOCUMENT_TOO_LARGE')
    return `${name} is ${byteSize(entry?.size ?? 0)} on disk now, and shared editing stops at ${byteSize(maxBytes ?? 0)}.`;
  return reason === 'DOCUMENT_BINARY' ? `${name} is binary on disk now.` : problem;
}
