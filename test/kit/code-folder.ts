import fs from 'node:fs';
import path from 'node:path';

/** What a sidecar has as its own in the option `code.folder`, where no other one has anything. */
export function ownCodeFolder(codeFolder: string): string {
  return path.join(codeFolder, fs.readdirSync(codeFolder)[0] ?? '');
}
