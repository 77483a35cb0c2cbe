import fs from 'node:fs';
import path from 'node:path';

/** The folder of this package: above src/ in a checkout, above dist/ where it was bundled. */
export function packageFolder(): string {
  let folder = import.meta.dirname;
  while (!fs.existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) return import.meta.dirname;
    folder = parent;
  }
  return folder;
}
