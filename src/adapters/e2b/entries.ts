import type { EntryKind } from '../../contract/events.ts';
import type { Entry } from '../../contract/files.ts';
import { OWNER, sandboxPathOf } from './sandbox-path.ts';

const types: Readonly<Record<EntryKind, string>> = {
  file: 'FILE_TYPE_FILE',
  directory: 'FILE_TYPE_DIRECTORY',
  symlink: 'FILE_TYPE_SYMLINK',
  other: 'FILE_TYPE_UNSPECIFIED',
};
const letters: Readonly<Record<EntryKind, string>> = { file: '-', directory: 'd', symlink: 'L', other: '?' };

/** What E2B says of a file or folder (envd, `filesystem.proto`, EntryInfo). */
export function entryOf({ path, name, kind, size, mode, modified, target }: Entry): Record<string, unknown> {
  return {
    name: path === '' ? OWNER : name,
    type: types[kind],
    path: sandboxPathOf(path),
    // As 64-bit integers are written in JSON.
    size: String(size),
    mode: mode & 0o777,
    permissions: letters[kind] + permissions(mode),
    owner: OWNER,
    group: OWNER,
    modifiedTime: new Date(modified).toISOString(),
    ...(target === undefined ? {} : { symlinkTarget: target }),
  };
}

function permissions(mode: number): string {
  return [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-')).join('');
}
