import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { outlineOfScript } from './script-outline.ts';

const source = `export interface Loan { title: string }
/** Größe: 😀 */
export class Shelf {
  #loans = 1n;
  lend(title: string): Loan { return { title }; }
}
export const Panel = () => <p>{/x+/.source}</p>;
`;

const expected = ['Loan 1 interface', 'title 1 property', 'Shelf 3 class', '#loans 4 property', 'lend 5 method', 'Panel 7 component'];

test('symbols stand in order, whatever characters come before them', async () => {
  const { symbols, problems } = await outlineOfScript(source, 'shelf.tsx');
  assert.deepEqual(
    symbols.map(({ name, line, kind }) => `${name} ${line} ${kind}`),
    expected,
  );
  assert.equal(problems, 0);
  assert.ok((await outlineOfScript('class {', 'broken.ts')).problems > 0);
});

const noPrlimit = spawnSync('prlimit', ['--version']).error === undefined ? false : 'there is no prlimit (util-linux) here';

test('where the address space is limited, the same symbols come', { skip: noPrlimit }, () => {
  const program = `
    import { outlineOfScript } from ${JSON.stringify(path.join(import.meta.dirname, 'script-outline.ts'))};
    const { symbols } = await outlineOfScript(${JSON.stringify(source)}, 'shelf.tsx');
    console.log(JSON.stringify(symbols.map(({ name, line, kind }) => name + ' ' + line + ' ' + kind)));`;
  const { stdout, stderr } = spawnSync(
    'prlimit',
    ['--as=5000000000', process.execPath, '--input-type=module-typescript', '--eval', program],
    { encoding: 'utf8' },
  );
  assert.deepEqual(JSON.parse(stdout || '[]'), expected, stderr);
});
