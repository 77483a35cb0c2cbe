import fs from 'node:fs';

/**
 * Says which file or folder stands at a path: another one under the same name, also a copy, is told apart by its number and its time of birth.
 * Content that is written into the same file is not. The number of the device is left out, as systems give it anew at each mount. Undefined where
 * there is none that can be looked at.
 */
export function fileIdentity(file: string): string | undefined {
  try {
    const { ino, birthtimeNs } = fs.statSync(file, { bigint: true });
    // No time where the file system knows no births.
    return `${ino}-${birthtimeNs}`;
  } catch {
    return undefined;
  }
}
