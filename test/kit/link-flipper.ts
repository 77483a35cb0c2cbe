// Makes a folder a link to `target` and a folder again, for ever. Its own process, so that it comes between any two steps of a call.
import fs from 'node:fs';

const [folder, target] = process.argv.slice(2) as [string, string];
const aside = `${folder}.aside`;
const link = `${folder}.link`;
const parent = process.ppid;

/** As long as some steps of a call, and never in step with them. */
function linger(): void {
  const until = performance.now() + Math.random() * 0.2;
  while (performance.now() < until);
}

process.stdout.write('ready\n');
while (process.ppid === parent) {
  for (let n = 0; n < 500; n++) {
    linger();
    fs.symlinkSync(target, link);
    fs.renameSync(folder, aside);
    fs.renameSync(link, folder);
    linger();
    fs.unlinkSync(folder);
    fs.renameSync(aside, folder);
  }
}
