import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A folder of its own by its real path, and an empty `root` in it; both are gone afterwards. `name` stands in its path. */
export async function withScratchFolder(name: string, run: (folder: string, root: string) => Promise<void> | void): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), `outrigger-${name}-`)));
  const root = path.join(folder, 'root');
  fs.mkdirSync(root);
  try {
    await run(folder, root);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
