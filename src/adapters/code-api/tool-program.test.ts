import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { functionName, resultLine, ToolCallReader, toolProgram } from './tool-program.ts';

const call = (name: string, input: object = {}): object => ({ name, input });

test('rounds of calls are found however the output is cut, and all other text stays', () => {
  const { mark } = toolProgram('', []);
  const whole = `before${mark}${JSON.stringify([call('a', { x: 1 }), call('b')])}\nbetween \u001e not ${mark}no json\n${mark}[1]\n${mark}[]\nafter\u001e`;
  for (let size = 1; size <= whole.length; size++) {
    const reader = new ToolCallReader(mark);
    let text = '';
    const calls: unknown[] = [];
    for (let at = 0; at < whole.length; at += size) {
      const pushed = reader.push(whole.slice(at, at + size));
      text += pushed.text;
      calls.push(...pushed.calls);
    }
    text += reader.end();
    assert.equal(text, `beforebetween \u001e not ${mark}no json\n${mark}[1]\nafter\u001e`, `in pieces of ${size}`);
    assert.deepEqual(calls, [
      { id: 'call_001', name: 'a', input: { x: 1 } },
      { id: 'call_002', name: 'b', input: {} },
    ]);
  }
});

test('names of tools become names of functions as LibreChat’s client makes them', () => {
  const names = ['get-weather', 'get weather', 'class', '3d', 'a.b/c', 'äö', 'None'];
  assert.deepEqual(names.map(functionName), ['get_weather', 'get_weather', 'class_tool', '_3d', 'abc', '', 'None_tool']);
});

test('results are one line of ASCII in the order of the calls; what is missing is an error', () => {
  const calls = ['a', 'b', 'c'].map((name, at) => ({ id: `call_00${at + 1}`, name, input: {} }));
  const line = resultLine(calls, [
    { call_id: 'call_002', result: undefined, is_error: true, error_message: 'no\nmore' },
    { call_id: 'call_001', result: '☀\n', is_error: false, error_message: undefined },
    { call_id: 'stranger', result: 1, is_error: false, error_message: undefined },
  ]);
  assert.match(line, /^[\x20-\x7e]*\n$/);
  assert.deepEqual(JSON.parse(line), [{ result: '☀\n' }, { error: 'no\nmore' }, { error: 'The host gave no result for c.' }]);
});

test('an error of syntax shows the line of the code that it is in', { skip: requireTool('python3') }, () =>
  withScratchFolder('tool-program', (folder) => {
    for (const [code, line] of [
      ['print(1', 'print(1'],
      ['first = 1\n\nif first:\n  second = = "ä"\n', 'second = = "ä"'],
      ['def f():\n\treturn 1\n  x\n', 'x'],
      ["eval('1 +')", '1 +'],
      ['text = "\u2028"\n\f\nx = 1 +\n', 'x = 1 +'],
    ] as const) {
      fs.writeFileSync(path.join(folder, 'code.py'), toolProgram(code, []).source);
      const { status, stderr } = spawnSync('python3', ['code.py'], { cwd: folder, encoding: 'utf8' });
      const at = `line ${code.split('\n').findIndex((one) => one.includes(line)) + 1}\n`;
      assert.ok(status === 1 && stderr.includes(at) && stderr.includes(`\n    ${line}\n`), stderr);
      assert.doesNotMatch(stderr, /_outrigger|import ast/);
    }
  }),
);
