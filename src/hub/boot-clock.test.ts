import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { bootId, sinceBoot } from './boot-clock.ts';

test('on Linux another process has the same clock', { skip: fs.existsSync('/proc/self/ns/time') ? false : 'needs Linux 5.6' }, () => {
  const program = `import { bootId, sinceBoot } from ${JSON.stringify(new URL('boot-clock.ts', import.meta.url).href)};
    console.log(JSON.stringify([sinceBoot(), bootId()]));`;
  const before = sinceBoot();
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  const [at, boot] = JSON.parse(said) as [number, string];
  assert.ok(before < at && at < sinceBoot(), `${at} ms, after ${before}`);
  assert.match(boot, /^[0-9a-f-]{36} time:\[\d+\]$/);
  assert.equal(boot, bootId());
});
