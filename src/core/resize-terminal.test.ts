import assert from 'node:assert/strict';
import { test } from 'node:test';
import headless, { type Terminal } from '@xterm/headless';
import { resizeTerminal } from './resize-terminal.ts';

const SCROLLBACK = 1000;

async function showing(text: string, columns: number): Promise<Terminal> {
  const terminal = new headless.Terminal({ cols: columns, rows: 24, scrollback: SCROLLBACK, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  return terminal;
}

function linesOf({ buffer: { active } }: Terminal): string[] {
  return Array.from({ length: active.length }, (_, at) => active.getLine(at)?.translateToString(true) ?? '');
}

/** As xterm does it by itself. */
function resizePlainly(terminal: Terminal, columns: number, rows: number): void {
  terminal.options.scrollback = SCROLLBACK;
  terminal.resize(columns, rows);
}

test('a terminal that becomes narrower or wider shows what it would show by itself', async () => {
  let seed = 1;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const pieces = ['a', 'word ', '漢字', 'e\u0301', '\t', '\r\n', '\r\n\r\n', '😀'];
  for (let round = 0; round < 10; round++) {
    const text = Array.from({ length: 1500 }, () => (pieces[random(pieces.length)] ?? '').repeat(1 + random(60))).join('');
    const [ours, plain] = [await showing(text, 120), await showing(text, 120)];
    for (const [columns, rows] of [
      [60 + random(60), 1 + random(40)],
      [2 + random(4), 1 + random(40)],
      [2 + random(200), 1 + random(40)],
    ] as const) {
      resizeTerminal(ours, { columns, rows }, SCROLLBACK);
      resizePlainly(plain, columns, rows);
      assert.deepEqual(linesOf(ours), linesOf(plain), `round ${round}, ${columns} columns`);
      const [{ cursorX, cursorY, baseY }, other] = [ours.buffer.active, plain.buffer.active];
      assert.deepEqual([cursorX, cursorY, baseY], [other.cursorX, other.cursorY, other.baseY]);
    }
  }
});

test('a full terminal that becomes narrow keeps what there is room for, in a fraction of the time, also of one line without an end', async () => {
  const quickest = async (text: string, resize: (terminal: Terminal) => void): Promise<number> => {
    const times: number[] = [];
    for (let time = 0; time < 3; time++) {
      const terminal = await showing(text, 500);
      const begun = performance.now();
      resize(terminal);
      times.push(performance.now() - begun);
      assert.ok(
        linesOf(terminal)
          .slice(0, SCROLLBACK)
          .every((line) => line === 'xx' || line === 'x'),
      );
    }
    return Math.min(...times);
  };
  const narrow = (terminal: Terminal): void => resizeTerminal(terminal, { columns: 2, rows: 24 }, SCROLLBACK);
  const lines = `${'x'.repeat(499)}\r\n`.repeat(1000);
  const plain = await quickest(lines, (terminal) => resizePlainly(terminal, 2, 24));
  // By itself, xterm fails at the second: it hands more values to one call than there is a stack for.
  for (const text of [lines, `${'x'.repeat(500_000)}\r\n`]) {
    const ours = await quickest(text, narrow);
    assert.ok(ours < plain / 4, `${ours} ms, and ${plain} ms by itself`);
  }
});
