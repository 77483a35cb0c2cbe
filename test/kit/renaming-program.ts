// A program that renames one file of a folder over and over, with `folders` also the folder that it is in and into new ones:
// `node renaming-program.ts ROOT FILE files|folders EVERY_MS COUNT SEED`.
// Prints where the file is at the end.
import fs from 'node:fs';
import path from 'node:path';
import { Random } from './random.ts';

const [root = '', file = '', what = '', everyMs = '', count = '', seed = ''] = process.argv.slice(2);
const folders = what === 'folders' ? ['d', 'e', 'e/f', 'g'] : ['d'];
const ways = what === 'folders' ? (['elsewhere', 'elsewhere', 'elsewhere', 'folder', 'twice'] as const) : (['elsewhere', 'twice'] as const);
const random = new Random(Number(seed));

function rename(from: string, to: string): void {
  fs.mkdirSync(path.join(root, path.dirname(to)), { recursive: true });
  fs.renameSync(path.join(root, from), path.join(root, to));
}

let at = file;
for (let step = 0; step < Number(count); step++) {
  await new Promise((resolve) => setTimeout(resolve, Number(everyMs) * ((20 + random.below(160)) / 100)));
  const folder = path.dirname(at);
  const before = at;
  switch (random.of(ways)) {
    case 'elsewhere':
      at = `${random.of(folders)}/${random.of(['a', 'b', 'c'])}.txt`;
      if (at !== before) rename(before, at);
      break;
    case 'twice':
      at = `${folder}/y.txt`;
      rename(before, `${folder}/x.txt`);
      rename(`${folder}/x.txt`, at);
      break;
    default:
      at = `moved-${step}/${path.basename(at)}`;
      rename(folder, path.dirname(at));
  }
}
process.stdout.write(at);
