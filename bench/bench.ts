// All benchmarks, or those named: `npm run bench [watch|documents|read|search|stdio|checkpoints|processes|code|hub|outbox|git|start …]`. What they measure and the last figures: README.md beside this.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { machine, printRows, type Row } from './measure.ts';

const known = [
  'watch',
  'documents',
  'read',
  'search',
  'stdio',
  'checkpoints',
  'processes',
  'code',
  'hub',
  'hub-peers',
  'outbox',
  'git',
  'start',
];
const parts = known.filter((part) => fs.existsSync(fileOf(part)));
// `hub` is `hub-peers` as well.
const wanted = process.argv.slice(2).flatMap((name) => (name === 'hub' ? ['hub', 'hub-peers'] : [name]));
const unknown = wanted.filter((part) => !parts.includes(part));
if (unknown.length > 0) {
  console.error(`There is no benchmark called ${unknown.join(', ')}; there are ${parts.join(', ')}.`);
  process.exit(2);
}

console.log(machine());
const rows: Row[] = [];
let failed = 0;
for (const part of parts.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  console.log(`\n── ${part} ${'─'.repeat(100 - part.length)}`);
  const { text, found, code } = await run(part);
  if (code !== 0) failed++;
  rows.push(...found, ...(part === 'start' ? startRows(text) : []));
}
console.log(`\n${machine()}`);
if (rows.length > 0) printRows(rows);
if (failed > 0) console.log(`${failed} of the parts failed.`);
process.exitCode = failed > 0 ? 1 : 0;

async function run(part: string): Promise<{ text: string; found: Row[]; code: number | null }> {
  const child = spawn(process.execPath, [fileOf(part)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const stop = (): void => void child.kill('SIGTERM');
  process.once('SIGTERM', stop).once('SIGINT', stop).once('disconnect', stop);
  process.channel?.unref();
  let text = '';
  let found: Row[] = [];
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    process.stdout.write(chunk);
  });
  child.on('message', (message: { rows: Row[] }) => {
    found = message.rows;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  process.off('SIGTERM', stop).off('SIGINT', stop).off('disconnect', stop);
  return { text, found, code };
}

/** That part is a program of its own; its figures are read from what it prints. */
function startRows(text: string): Row[] {
  const figures = (name: string): number[] =>
    new RegExp(`^${name} +([\\d.]+) ms.* ([\\d.]+) MB idle$`, 'm').exec(text)?.slice(1).map(Number) ?? [];
  const [bareMs, bareMb] = figures('bare');
  const [oursMs, oursMb] = figures('ours');
  if (bareMs === undefined || bareMb === undefined || oursMs === undefined || oursMb === undefined) return [];
  const ratio = oursMs / bareMs;
  return [
    {
      what: 'start to listening, times a bare server',
      unit: 'ms',
      ours: oursMs,
      peer: { name: 'node:http', value: bareMs },
      ratio,
      goal: '≤ 3.5',
      ok: ratio <= 3.5,
    },
    { what: 'resident when idle', unit: 'MB', ours: oursMb, peer: { name: 'node:http', value: bareMb }, goal: '≤ 90 MB', ok: oursMb <= 90 },
  ];
}

function fileOf(part: string): string {
  return path.join(import.meta.dirname, `${part}.ts`);
}
