const maxPathLength = 4096;
/** Names that Windows gives to devices, with or without an extension. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;

/**
 * Why a path of an edit is refused, or undefined when it holds. It is relative to the folder, with `/` between names; what leads out
 * of the folder, or on Windows means something else than its letters, is refused on sight.
 */
export function editPathProblem(filePath: unknown, platform: NodeJS.Platform): string | undefined {
  if (typeof filePath !== 'string' || filePath === '') return 'is empty';
  if (filePath.length > maxPathLength) return `is longer than ${maxPathLength} characters`;
  if (filePath.includes('\0')) return 'holds a NUL';
  if (!filePath.isWellFormed()) return 'holds a lone surrogate';
  if (filePath.startsWith('/')) return 'is absolute';
  for (const name of filePath.split('/')) {
    if (name === '..') return 'has a ".." in it';
    if (name === '' || name === '.') return 'has an empty name or a "." in it';
    if (platform === 'win32') {
      if (/[\\:*?"<>|]/.test(name)) return 'has a character that Windows does not take in a name';
      if (/[. ]$/.test(name)) return 'has a name that ends with a dot or a space, which Windows leaves away';
      if (deviceName.test(name)) return 'has the name of a device';
    }
  }
  return undefined;
}

/** Paths with the same key are one file where names differ in case or composition only. */
export function foldPath(filePath: string): string {
  return filePath.normalize('NFC').toLowerCase().normalize('NFC');
}
