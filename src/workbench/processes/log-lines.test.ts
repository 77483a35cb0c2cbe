import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogLines, plainLine } from './log-lines.ts';

const shown = (log: LogLines): string[] => log.lines.map(({ stream, text }) => `${stream}: ${text}`);

test('lines stand in the order in which they began, also when they come in pieces', () => {
  const log = new LogLines();
  log.add('stdout', 'one\ntw');
  log.add('stderr', 'careful\n');
  log.add('stdout', 'o\nthree');
  assert.deepEqual(shown(log), ['stdout: one', 'stdout: two', 'stderr: careful', 'stdout: three']);
  log.add('stdout', '\n\n');
  assert.deepEqual(shown(log).slice(-2), ['stdout: three', 'stdout: ']);
});

test('colours, titles and what was written over are left out; other signs are made visible', () => {
  assert.equal(plainLine('\u001b[1;31mred\u001b[0m \u001b]0;title\u0007plain'), 'red plain');
  assert.equal(plainLine('\u001b]8;;https://example.org\u001b\\link\u001b]8;;\u001b\\'), 'link');
  assert.equal(plainLine('10 %\r50 %\r100 %\r'), '100 %');
  assert.equal(plainLine('a\u0000b\u007f\tc'), 'a␀b␡\tc');
});

test('a colour that comes in two pieces is left out all the same', () => {
  const log = new LogLines();
  log.add('stdout', 'a\u001b[3');
  log.add('stdout', '1mb\n');
  assert.deepEqual(shown(log), ['stdout: ab']);
});

test('what is lost is said where it is missing', () => {
  const log = new LogLines();
  log.add('stdout', 'start\nhal');
  log.add('stdout', 'f\nend\n', 3_250_000);
  assert.deepEqual(shown(log), ['stdout: start', 'stdout: hal', 'lost: 3.1 MiB left out', 'stdout: f', 'stdout: end']);
});

test('a line without end becomes several, and no character is cut in two', () => {
  const log = new LogLines();
  log.add('stdout', `x${'😀'.repeat(5_000)}`);
  assert.ok(log.lines.length > 1);
  assert.equal(log.lines.map(({ text }) => text).join(''), `x${'😀'.repeat(5_000)}`);
  for (const { text } of log.lines) assert.ok(text.length <= 4_000 && text.isWellFormed());
});

test('of endless output the end stays, within its bounds', () => {
  const byLines = new LogLines({ lines: 100, characters: 1_000_000 });
  for (let at = 0; at < 5_000; at += 1) byLines.add(at % 2 === 0 ? 'stdout' : 'stderr', `line ${at}\n`);
  assert.ok(byLines.lines.length <= 100 && byLines.lines.length >= 90);
  assert.equal(byLines.lines.at(-1)?.text, 'line 4999');
  assert.equal(byLines.dropped + byLines.lines.length, 5_000);
  const byCharacters = new LogLines({ lines: 1_000, characters: 10_000 });
  byCharacters.add('stdout', 'y'.repeat(100_000));
  assert.ok(byCharacters.lines.reduce((sum, { text }) => sum + text.length, 0) <= 10_000);
});
