// Writes two files of a folder over and over, for a test that kills it: each time one of a few whole contents. Says `ready` once it writes.
import fs from 'node:fs';
import { openWorkspace } from './workspace-harness.ts';
import { contentOf } from './whole-contents.ts';

const folder = process.argv[2] ?? '';
const { workspace } = openWorkspace(folder);
workspace.recover();
// What a crash left must be mended before anything is written: the test reads this.
fs.writeFileSync(`${folder}/mended`, fs.readFileSync(`${folder}/root/linked`));
const parent = process.ppid;
for (let n = 0; process.ppid === parent; n++) {
  await workspace.write('replaced', contentOf(n), { cause: { kind: 'outside' } });
  await workspace.write('linked', contentOf(n + 1), { cause: { kind: 'outside' } });
  if (n === 1) process.stdout.write('ready\n');
}
