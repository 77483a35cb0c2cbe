import fs from 'node:fs';
import { type Containment, openRegularFile, type Place } from './containment.ts';
import { hashBytes, readWhole, SMALL_BYTES } from './content.ts';

/**
 * The bytes of a regular file, in this very turn. null where nothing stands at the path; undefined where it is no regular file, is reached by a link, is
 * larger than `maxBytes` or can't be read.
 */
export function fileNow(containment: Containment, path: string, maxBytes: number): Uint8Array | null | undefined {
  try {
    using place = containment.place(path, false);
    if (place.path !== path) return undefined;
    if (fs.lstatSync(place.at, { throwIfNoEntry: false }) === undefined) return null;
    return bytesNow(place, path, maxBytes);
  } catch {
    return undefined;
  }
}

/** The bytes of a regular file that stands at a place, in this very turn; undefined where it is none, is larger than `maxBytes` or can't be read. */
function bytesNow(place: Place, path: string, maxBytes: number): Uint8Array | undefined {
  try {
    const { descriptor, stat } = openRegularFile(place, path);
    try {
      return stat.size > maxBytes ? undefined : readWhole(descriptor, stat.size);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

/** Of a small file, in this turn; null for what else there is, and where it can't be read: it can be removed all the same. */
export function smallHash(place: Place, wirePath: string, stat: fs.Stats): string | null {
  const bytes = stat.isFile() ? bytesNow(place, wirePath, SMALL_BYTES) : undefined;
  return bytes === undefined ? null : hashBytes(bytes);
}
