import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

test('an old Node is named, in a line, with the one that is needed', () => {
  const disguise = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})`;
  const main = path.join(import.meta.dirname, 'main.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', disguise, main, '--version'], { encoding: 'utf8' });
  assert.equal(status, 69);
  assert.equal(stdout, '');
  assert.equal(stderr, 'outrigger: this is Node 20.1.0, and Node 24 or newer is needed (https://nodejs.org).\n');
});
