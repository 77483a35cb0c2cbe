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

async function outlined(text: string): Promise<string[]> {
  const { symbols } = await outlineOfScript(text, 'a.ts');
  return symbols.map(
    ({ depth, kind, name, exported, column }) => `${'  '.repeat(depth)}${kind} ${name}:${column}${exported ? ' exported' : ''}`,
  );
}

test('a namespace of several names is called by all of them, a module by its text, and what is declared for all global', async () => {
  assert.deepEqual(await outlined('export namespace Shop.Cart.Items { export function total() {} }'), [
    'namespace Shop.Cart.Items:18 exported',
    '  function total:52 exported',
  ]);
  assert.deepEqual(await outlined('namespace One {}\ndeclare module "two" {}\ndeclare global { interface Window {} }'), [
    'namespace One:11',
    'namespace two:16',
    'namespace global:9',
    '  interface Window:28',
  ]);
});

test('what a list exports is exported, under whatever name', async () => {
  const text = `const a = 1; function b() {} class C { b() {} } let d; type T = 1; const unsaid = 2; enum E {} const { f, g } = a;
export { a, b as bb, C as default, f };
export type { T };
export { unsaid } from './elsewhere';
function after() { function E() {} }
export { E };
namespace N { const a = 1; const h = 2; export { h }; }
export default after;`;
  assert.deepEqual(
    (await outlined(text)).filter((line) => line.endsWith(' exported')).map((line) => line.replace(/:.*/, '')),
    ['constant a', 'function b', 'class C', 'type T', 'enum E', 'constant f', 'function after', '  constant h', 'constant default'],
  );
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
