// A program that moves the files 0, 1, 2 … to and fro between folders, in bursts, and some folders with what is in them; new files are written among them:
// `node wandering-program.ts ROOT COUNT SEED FOLDER_MOVES_IN_100 FOLDER…`. File n stands in folder n modulo their number at first.
import fs from 'node:fs';
import path from 'node:path';
import { Random } from './random.ts';

const [root = '', count = '', seed = '', folderMoves = '', ...folders] = process.argv.slice(2);
const random = new Random(Number(seed));
const places = Array.from({ length: Number(count) }, (_, file) => file % folders.length);

const folderAt = (index: number): string => path.join(root, folders[index] as string);

for (let step = 0, left = 0; step < places.length; step++, left--) {
  if (left === 0) {
    left = 1 + random.below(30);
    for (const until = performance.now() + random.below(2500) / 1000; performance.now() < until; );
  }
  const [file, to, moved] = [random.below(places.length), random.below(folders.length), random.below(folders.length)];
  if (random.below(100) < Number(folderMoves)) {
    const place = `${random.of(['', 'b/', 'd/', 'd/e/'])}moved-${step}`;
    fs.renameSync(folderAt(moved), path.join(root, place));
    folders[moved] = place;
    continue;
  }
  if (random.below(10) === 0) fs.writeFileSync(path.join(folderAt(to), `new-${step}`), 'new');
  fs.renameSync(path.join(folderAt(places[file] as number), `${file}`), path.join(folderAt(to), `${file}`));
  places[file] = to;
}
