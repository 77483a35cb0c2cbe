import assert from 'node:assert/strict';
import { test } from 'node:test';
import headless from '@xterm/headless';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { pictureOf } from '../../../test/kit/terminal-picture.ts';
import { cutCharacter } from '../../core/utf8.ts';
import { cutSequence } from './cut-sequence.ts';
import { guardTerminal } from '../../core/guard-terminal.ts';
import { isInSequence, stateText } from './terminal-state.ts';

const columns = 20;
const rows = 6;
const stale = 'stale\x1b(0\x1b[?6h\x1b[2;3r\x1b7\x1b[?25l\x1b[3g\x1b[?1006h\x1b[?47h\x1b]0;cut';

interface Screen {
  terminal: headless.Terminal;
  /** Resolves when it shows that. */
  write(data: string | Uint8Array): Promise<void>;
  text(): string;
}

function newScreen(): Screen {
  const terminal = new headless.Terminal({ cols: columns, rows, scrollback: 30, allowProposedApi: true });
  guardTerminal(terminal);
  return {
    terminal,
    write: (data) => new Promise((resolve) => terminal.write(data, resolve)),
    text: () => stateText(terminal),
  };
}

/** The screen of somebody who comes when so many bytes of the output were there, at the end of all. */
async function comesAt(output: Uint8Array, cut: number): Promise<{ first: unknown; later: unknown }> {
  const [first, later] = [newScreen(), newScreen()];
  const had = output.subarray(0, cut);
  await first.write(had);
  const ofSequence = isInSequence(first.terminal) ? cutSequence(had) : 0;
  const next = cut - (ofSequence > 0 ? ofSequence : (cutCharacter(had)?.there ?? 0));
  // As one that showed something else before.
  await later.write(stale);
  later.terminal.reset();
  await later.write(first.text());
  await first.write(output.subarray(cut));
  await later.write(output.subarray(next));
  return { first: pictureOf(first.terminal), later: pictureOf(later.terminal) };
}

function randomToken(random: Random): string {
  const number = (most: number): number => random.below(most) + 1;
  return random.of<() => string>([
    () => 'abcdefghijklmnop'.slice(0, number(16)),
    () => 'lqkxmj'.slice(0, number(6)),
    () => random.of(['e\u0301', '\x1b[3;5H\u0301', '\x1b[3b', 'x\x1b[2b']),
    () => random.of(['漢', 'é', '漢字', 'ü'.repeat(number(30)), 'w'.repeat(number(45))]),
    () => '\r\n'.repeat(number(4)),
    () => random.of(['\r', '\n', '\b', '\t', '\t\t', '\x1bM', '\x1bD', '\x1bE', '\x1bH', '\x1b[g', '\x1b[3g']),
    () => `\x1b[${number(rows)};${number(columns)}H`,
    () => `\x1b[${number(4)}${random.of(['A', 'B', 'C', 'D', 'G', 'd', 'L', 'M', 'P', '@', 'X', 'S', 'T', 'I', 'Z'])}`,
    () => random.of(['\x1b[K', '\x1b[1K', '\x1b[2K', '\x1b[J', '\x1b[1J', '\x1b[2J']),
    () =>
      `\x1b[${random.of(['', '0', '1', '2', '3', '4', '7', '9', '53', '38;5;1', '31', '42', '97', '38;5;200', '48;2;1;2;3', '39', '49', '22', '27'])}m`,
    () => `\x1b[${number(4)};${number(rows)}r`,
    () => random.of(['\x1b[r', '\x1b7', '\x1b8', '\x1b[s', '\x1b[u']),
    () => random.of(['\x1b(0', '\x1b(B', '\x1b)0', '\x1b)B', '\x0e', '\x0f', '\x1bn']),
    () => `\x1b[?${random.of([1, 6, 25, 45, 1000, 1002, 1006, 1016, 2004])}${random.of(['h', 'l'])}`,
    // From the first column on: at the last one a wide character would be torn.
    () => `\r\x1b[?7l${'z'.repeat(number(45))}\x1b[?7h`,
    () => `\x1b[4${random.of(['h', 'l'])}`,
    // With an origin the cursor may be left where no sequence brings it.
    () => `\x1b[?6l\x1b[?${random.of([1049, 47, 1047, 1048])}${random.of(['h', 'l'])}`,
    () => random.of(['\x1b]2;a title\x07', '\x1bP$qm\x1b\\', '\x1b_ignored\x1b\\', '\x1b[!p', `\x1b[${number(6)} q`]),
  ])();
}

test('whoever comes at any byte of any output sees in the end what those see who looked from the start', async (context) => {
  const seed = testSeed();
  const random = new Random(seed);
  const times = Number(process.env['FUZZ'] ?? 300);
  for (let time = 0; time < times; time++) {
    const output = Buffer.from(Array.from({ length: random.below(30) + 2 }, () => randomToken(random)).join(''));
    const cut = random.below(output.length + 1);
    const { first, later } = await comesAt(output, cut);
    const parts = [output.subarray(0, cut), output.subarray(cut)].map((part) => JSON.stringify(part.toString('latin1')));
    assert.deepEqual(later, first, `seed ${seed}, time ${time}: ${parts.join(' | ')}`);
  }
  context.diagnostic(`seed ${seed}`);
});

test('text that is underlined by a saved cursor is so for whoever comes later', async () => {
  const output = Buffer.from('\x1b[4mabc\x1b7\x1b[0mplain\x1b8def\r\n');
  for (let cut = 0; cut <= output.length; cut++) {
    const { first, later } = await comesAt(output, cut);
    assert.deepEqual(later, first, `from byte ${cut} on`);
    assert.match(JSON.stringify(first), /,1,,,:d\}\{,,,1,,,:e\}\{,,,1,,,:f\}in"/);
  }
});

test('lines that are longer than the screen are whole for whoever comes later, when it becomes wider', async () => {
  const seed = testSeed();
  const random = new Random(seed);
  for (let time = 0; time < 100; time++) {
    const words = Array.from({ length: random.below(30) + 1 }, () =>
      random.of(['a', 'bc ', '漢', '字漢字漢字', '\x1b[42m', '\x1b[m', '\r\n', 'é']),
    );
    const [first, later] = [newScreen(), newScreen()];
    await first.write(words.join(''));
    await later.write(first.text());
    for (const { terminal } of [first, later]) terminal.resize(columns + 13, rows);
    assert.deepEqual(pictureOf(later.terminal), pictureOf(first.terminal), `seed ${seed}, time ${time}: ${JSON.stringify(words.join(''))}`);
  }
});
