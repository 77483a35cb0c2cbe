import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import headless from '@xterm/headless';
import { eventually } from '../../../test/kit/eventually.ts';
import { numberedProgram, paintedFrame } from '../../../test/kit/numbered-text.ts';
import { asWeLoad } from '../../../test/kit/own-program.ts';
import { pictureOf } from '../../../test/kit/terminal-picture.ts';
import { type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Call } from '../../contract/operation.ts';
import { type TerminalItem, terminals as contract } from '../../contract/terminals.ts';
import { LocalHost } from '../processes/local-host.ts';
import { ProcessStore } from '../processes/process-store.ts';
import { ProcessTable } from '../processes/process-table.ts';
import { Processes } from '../processes/processes.ts';
import { guardTerminal } from '../../core/guard-terminal.ts';
import { writeInPieces } from '../../core/terminal-pieces.ts';
import { terminalOperations } from './operations.ts';
import { Screen } from './screen.ts';
import { type OpenRequest, Terminals } from './terminals.ts';
import { longestTurn, watchLoop } from '../../../test/kit/loop-hold.ts';

interface Setup extends Harness {
  terminals: Terminals;
  processes: ProcessTable;
  open(script: string, more?: Partial<OpenRequest>): Promise<string>;
  view(id: string, options?: ViewOptions): View;
}

interface ViewOptions {
  name?: string;
  slow?: number;
  /** What each item waits for. */
  gate?: () => Promise<void> | undefined;
}

/** Somebody who looks at a terminal, with a terminal of their own. */
interface View {
  items: TerminalItem[];
  /** Resolves when the program ended. */
  done: Promise<unknown>;
  leave(): void;
  /** What is on their screen. */
  lines(): Promise<string[]>;
  buffer(): Promise<'normal' | 'alternate'>;
  /** Everything that can be seen. */
  picture(): Promise<unknown>;
}

async function withTerminals(run: (setup: Setup) => Promise<void>, folder?: string, tailBytes = 4 * 1024 * 1024): Promise<void> {
  await withWorkspace(
    async (harness) => {
      const { state, workspace } = harness;
      const host = new LocalHost(new Processes({ env: process.env }));
      const store = new ProcessStore({ state, onProblem: (error) => assert.fail(String(error)) });
      const processes = new ProcessTable(
        { state, store, workspace, hosts: new Map([['local', { host, root: undefined }]]), hooks: undefined, now: Date.now, log: () => {} },
        { hookMs: 60_000, maxRunning: 10, keepEnded: 10, output: { headBytes: 4096, tailBytes } },
      );
      await processes.recover();
      const terminals = new Terminals({ processes }, { shell: 'sh', scrollback: 500 });
      const views: View[] = [];
      try {
        await run({
          ...harness,
          terminals,
          processes,
          open: async (script, more = {}) => {
            const request = {
              argv: ['sh', '-c', script],
              path: '',
              env: {},
              size: { columns: 40, rows: 10 },
              tag: undefined,
              title: undefined,
              host: 'local',
            };
            const { terminal } = await terminals.open({ ...request, startedBy: { name: 'Ada', kind: 'person' }, ...more } as OpenRequest);
            return terminal.id;
          },
          view: (id, options) => {
            const view = look(terminals, id, options);
            views.push(view);
            return view;
          },
        });
      } finally {
        for (const view of views) view.leave();
        await Promise.all(views.map(({ done }) => done));
        terminals.stop();
        await processes.stop();
      }
    },
    folder === undefined ? {} : { folder },
  );
}

function look(terminals: Terminals, id: string, { name = 'Ada', slow = 0, gate }: ViewOptions = {}): View {
  const screen = new headless.Terminal({ cols: 80, rows: 24, scrollback: 500, allowProposedApi: true });
  guardTerminal(screen);
  const items: TerminalItem[] = [];
  const leaving = new AbortController();
  const done = terminals
    .attach(id, { name, kind: 'person' }, leaving.signal, async (item) => {
      items.push(item);
      if (item.type === 'screen') {
        screen.reset();
        screen.resize(item.columns, item.rows);
      }
      if (item.type === 'size') screen.resize(item.columns, item.rows);
      // As the page does: a size is not for what was written before it.
      const size = { columns: screen.cols, rows: screen.rows };
      if (item.type === 'screen' || item.type === 'output')
        await new Promise<void>((resolve) => writeInPieces(screen, item.text, size, resolve));
      if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow));
      await gate?.();
    })
    .catch((error: unknown) => {
      if (!leaving.signal.aborted) throw error;
    });
  const written = (): Promise<void> => new Promise((resolve) => screen.write('', resolve));
  return {
    items,
    done,
    leave: () => leaving.abort(new OutriggerError('CANCELED', 'left')),
    lines: async () => {
      await written();
      const { active } = screen.buffer;
      return Array.from({ length: active.length }, (_, index) => active.getLine(index)?.translateToString(true) ?? '').filter(
        (line) => line !== '',
      );
    },
    buffer: async () => {
      await written();
      return screen.buffer.active.type;
    },
    picture: async () => {
      await written();
      return pictureOf(screen);
    },
  };
}

const shows = (view: View, text: string): Promise<void> => eventually(async () => (await view.lines()).join('\n').includes(text));

test('a shell answers what is typed, to all who look at it', () =>
  withTerminals(async ({ terminals, view }) => {
    const { terminal } = await terminals.open({
      argv: undefined,
      path: '',
      env: { PS1: '> ' },
      size: { columns: 60, rows: 10 },
      tag: 'mine',
      title: undefined,
      host: 'local',
      startedBy: { name: 'Ada', kind: 'person' },
    });
    const [ada, bo] = [view(terminal.id), view('mine', { name: 'Bo' })];
    await terminals.input('mine', 'echo gr$((1+1))sse\r');
    for (const each of [ada, bo]) await shows(each, 'gr2sse');
    await eventually(() => ada.items.some((item) => item.type === 'viewers' && item.viewers.map(({ name }) => name).join() === 'Ada,Bo'));
    const [info] = await terminals.list();
    assert.deepEqual([info?.columns, info?.rows, info?.viewers.length, info?.process.terminal], [60, 10, 2, true]);
    bo.leave();
    await eventually(async () => (await terminals.list())[0]?.viewers.length === 1);
    await terminals.input('mine', 'exit 3\r');
    await ada.done;
    assert.equal((await terminals.list())[0]?.process.exitCode, 3);
  }));

test('who comes later sees the true screen: colours, the other buffer, the title, and what was scrolled away', () =>
  withTerminals(async ({ terminals, open, view, at }) => {
    const script = `for i in $(seq 1 30); do echo line $i; done; printf '\\033]2;the title\\007\\033[31mred\\033[0m'; until [ -e on ]; do sleep 0.02; done; printf '\\033[?1049h\\033[2J\\033[5;5Hfull screen'; until [ -e off ]; do sleep 0.02; done; printf '\\033[?1049l'; sleep 100`;
    const id = await open(script);
    await eventually(async () => (await terminals.list())[0]?.title === 'the title');
    const first = view(id);
    await shows(first, 'red');
    assert.deepEqual((await first.lines()).slice(0, 2), ['line 1', 'line 2']);
    assert.match(first.items[0]?.type === 'screen' ? first.items[0].text : '', /\u001b\[31mred/);
    fs.writeFileSync(at('on'), '');
    await shows(first, 'full screen');
    const second = view(id);
    await shows(second, 'full screen');
    assert.equal(await second.buffer(), 'alternate');
    assert.deepEqual(await second.lines(), ['    full screen']);
    fs.writeFileSync(at('off'), '');
    // The one who came while the other buffer was shown has the first one too.
    await shows(second, 'red');
    assert.deepEqual(await second.lines(), await first.lines());
    assert.equal(await second.buffer(), 'normal');
  }));

test('who comes between two pieces of output sees what those see who looked from the start (long form)', () =>
  withTerminals(async ({ terminals, open, view, at, processes }) => {
    const cases: [what: string, before: string, after: string][] = [
      ['a colour that is cut', 'one \x1b[3', '1mred\x1b[0m two'],
      ['a true colour that is cut', 'x\x1b[38;2;10;20', ';30mY\x1b[0m'],
      ['a title that is cut', 'x\x1b]0;my ti', 'tle\x07Y'],
      ['an escape that is cut', 'x\x1b', '[5;5HY'],
      ['a character that is cut', 'x\xc3', '\xa4y'],
      ['a scroll region', '\x1b[1;9r\x1b[10;1Hstatus line\x1b[1;1H', 'a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\nk\r\nl'],
      ['lines', 'x\x1b(0', 'lqqk\x1b(B'],
      ['a saved cursor', '\x1b[3;7H\x1b[1;31m\x1b7\x1b[9;1H', '\x1b8HERE'],
      ['no wrapping', '\x1b[?7l', 'z'.repeat(60)],
      ['inserting', 'abcdef\x1b[4h\x1b[1;1H', 'X'],
      ['tab stops', '\x1b[3g\x1b[1;5H\x1bH\x1b[1;1H', '\tT'],
      ['a full line', 'w'.repeat(40), '!'],
      ['a full line in a region', `\x1b[2;5r\x1b[5;1H${'w'.repeat(40)}`, '!'],
      ['a hidden cursor', '\x1b[?25l', 'h'],
      ['a background', '\x1b[44m\x1b[2J\x1b[3;3H', 'b'],
      ['the other screen', 'norm\x1b[?1049h\x1b[2;2Halt', '\x1b[?1049l more'],
      [
        'the other screen with its own state',
        '\x1b[2;3Hn\x1b[32m\x1b[?1049h\x1b[mplain\x1b[31m\x1b[3;6r\x1b[4;1H',
        'a\r\nb\r\nc\r\nd\x1b[?1049lgreen',
      ],
      ['an origin', '\x1b[3;8r\x1b[?6h', '\x1b[1;1HO'],
      ['wide characters', '\xe6\xbc\xa2'.repeat(20), 'X'],
      ['marks', 'e', '\xcc\x81x'],
      ['repeated', 'q', '\x1b[5b'],
      ['a link that ends', '\x1b]8;;http://a/b\x1b\\', '\x1b]8;;\x1b\\after'],
      ['lines by shifts', '\x1b)0', '\x0eqqq\x0f'],
      ['lines that came back', '\x1b(0\x1b7\x1b(B\x1b8', 'qqq'],
      ['a mouse', '\x1b[?1000h\x1b[?1006h\x1b[5 q', 'x'],
    ];
    const octal = (text: string): string =>
      [...Buffer.from(text, 'latin1')].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    for (const [index, [what, before, after]] of cases.entries()) {
      const script = `stty -opost; printf '${octal(before)}'; until [ -e go${index} ]; do sleep 0.02; done; printf '${octal(after)}'`;
      const id = await open(script);
      const first = view(id);
      await eventually(() => processes.process(id).log.end.stdout === before.length);
      // All of it is on the way to the first one.
      const [, second] = [await first.picture(), view(id)];
      await eventually(() => second.items.some(({ type }) => type === 'screen'));
      fs.writeFileSync(at(`go${index}`), '');
      await Promise.all([first.done, second.done]);
      assert.deepEqual(await second.picture(), await first.picture(), what);
      await terminals.close(id);
    }
  }));

test('who comes while much is on its way to the screen is told none of it twice', () =>
  withTerminals(async ({ open, processes }) => {
    const id = await open('exec sleep 600');
    const process = processes.process(id);
    const size = { columns: 200, rows: 50 };
    const screen = await Screen.of(process, size, 500);
    try {
      const snapshot = screen.snapshot();
      // It takes the terminal many turns, and comes after what was asked.
      const long = Array.from({ length: 3000 }, (_, index) => `\x1b[2J${index}\r\n`).join('');
      process.log.append('stdout', Buffer.from(long));
      const { text, offset } = await snapshot;
      const pictures = [text, long.slice(0, offset)].map(async (shown) => {
        const terminal = new headless.Terminal({ cols: size.columns, rows: size.rows, scrollback: 500, allowProposedApi: true });
        await new Promise<void>((resolve) => terminal.write(shown, resolve));
        return pictureOf(terminal);
      });
      assert.deepEqual(await pictures[0], await pictures[1]);
      assert.equal((await screen.snapshot()).offset, long.length);
    } finally {
      screen.close();
    }
  }));

test('a size is changed for all, and the program hears of it', () =>
  withTerminals(async ({ terminals, open, view }) => {
    const id = await open(`trap 'stty size' WINCH; stty size; while true; do sleep 0.02; done`);
    const [ada, bo] = [view(id), view(id, { name: 'Bo' })];
    await shows(ada, '10 40');
    await terminals.resize(id, { columns: 100, rows: 33 });
    for (const each of [ada, bo]) {
      await shows(each, '33 100');
      assert.ok(each.items.some((item) => (item.type === 'size' || item.type === 'screen') && item.columns === 100 && item.rows === 33));
    }
  }));

test('a viewer who is slow hears of a new size between what was written before it and what came after it', () =>
  withTerminals(async ({ terminals, open, view }) => {
    // It draws for the size that it has: at another one that is another picture.
    const id = await open(`stty -echo; printf '\\033[?1049h'; draw() {
      printf '\\033[2J\\033[1;999Hx\\033[2;1H%s' "$1"; }; draw first; read a; draw second; trap 'draw third' WINCH; while :; do read a; done`);
    let gate = Promise.withResolvers<void>();
    gate.resolve();
    const slow = view(id, { gate: () => gate.promise });
    await shows(slow, 'first');
    gate = Promise.withResolvers();
    await terminals.input(id, '\n');
    const quick = view(id);
    await shows(quick, 'second');
    await terminals.resize(id, { columns: 90, rows: 5 });
    await shows(quick, 'third');
    gate.resolve();
    await shows(slow, 'third');
    const late = view(id);
    await shows(late, 'third');
    for (const one of [slow, quick]) assert.deepEqual(await one.picture(), await late.picture());
  }));

test('a program whose size is changed again and again is shown as it draws itself for each, to all who look', () =>
  withTerminals(async ({ terminals, open, view }) => {
    const id = await open('', { argv: [process.execPath, ...asWeLoad, numberedProgram, 'paint', '3'] });
    const early = view(id);
    await shows(early, 'frame 0');
    // As a window does that is dragged at its corner.
    for (const [columns, rows] of [
      [50, 12],
      [60, 16],
      [70, 20],
      [30, 8],
      [120, 30],
    ] as const) {
      await terminals.resize(id, { columns, rows });
      await new Promise((resolve) => setTimeout(resolve, 8));
    }
    await eventually(async () => assert.match((await early.lines()).join('\n'), /frame 0 of 120x30/));
    const expected = new headless.Terminal({ cols: 120, rows: 30, scrollback: 500, allowProposedApi: true });
    const text = `before\r\n\u001b[?1049h${paintedFrame(3, 0, 120, 30)}`;
    await new Promise<void>((resolve) => expected.write(text, resolve));
    const late = view(id);
    await shows(late, 'frame 0');
    for (const one of [early, late]) assert.deepEqual(await one.picture(), pictureOf(expected));
  }));

test('a size that was asked for a moment before the end is that of all who look, then and later', () =>
  withTerminals(async ({ terminals, open, view, processes }) => {
    const id = await open('exec sleep 100');
    const seen = view(id);
    await eventually(() => seen.items.length > 0);
    for (const columns of [60, 50]) await terminals.resize(id, { columns, rows: 9 });
    await processes.process(id).stop(0);
    await seen.done;
    const late = view(id);
    await late.done;
    for (const one of [seen, late]) assert.deepEqual(((await one.picture()) as { size: number[] }).size, [50, 9]);
  }));

test('a viewer who misses output that is not kept any more gets the screen instead', () =>
  withTerminals(
    async ({ open, view, processes }) => {
      const id = await open('echo begun; sleep 0.2; for i in $(seq 1 5000); do echo line $i; done; echo the end; exec sleep 100');
      const gate = Promise.withResolvers<void>();
      const slow = view(id, { gate: () => gate.promise });
      await eventually(() => slow.items.length > 0);
      const quick = view(id);
      await shows(quick, 'the end');
      assert.ok(processes.get(id).output.stdout.lost > 0);
      gate.resolve();
      await shows(slow, 'the end');
      assert.deepEqual(await slow.picture(), await quick.picture());
    },
    undefined,
    4096,
  ));

test('a viewer who is slow gets the screen instead of everything that led to it, and ends with the same (long form)', () =>
  withTerminals(async ({ open, view, processes }) => {
    const id = await open(`yes 0123456789012345678901234567890 | head -n 400000; echo; echo the end`);
    const slow = view(id, { slow: 150 });
    const quick = view(id);
    await quick.done;
    await slow.done;
    assert.deepEqual((await slow.lines()).slice(-5), (await quick.lines()).slice(-5));
    assert.equal((await slow.lines()).at(-1), 'the end');
    const sent = slow.items.reduce((sum, item) => sum + (item.type === 'output' || item.type === 'screen' ? item.text.length : 0), 0);
    assert.ok(sent < processes.get(id).output.stdout.end / 2, `${sent} characters were sent to the slow one`);
  }));

test('a viewer who comes in the middle of a character sees it whole', () =>
  withTerminals(async ({ open, view, at, processes }) => {
    const id = await open(`printf 'a\\360\\237'; until [ -e go ]; do sleep 0.02; done; printf '\\230\\200b'; sleep 100`);
    await eventually(() => processes.get(id).output.stdout.end === 3);
    const viewer = view(id);
    await eventually(() => viewer.items.length > 0);
    fs.writeFileSync(at('go'), '');
    await shows(viewer, 'b');
    assert.deepEqual(await viewer.lines(), ['a😀b']);
  }));

test('a program that ended shows its last screen, also after the sidecar was started again, until it is closed', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join('/tmp', 'outrigger-terminals-')));
  try {
    let id = '';
    await withTerminals(async ({ open, view }) => {
      id = await open(`printf '\\033[32mgreen\\033[0m\\r\\n'; sleep 100`);
      await shows(view(id), 'green');
    }, folder);
    await withTerminals(async ({ terminals, view }) => {
      const viewer = view(id);
      await viewer.done;
      assert.deepEqual(await viewer.lines(), ['green']);
      assert.equal((await terminals.list())[0]?.process.reason, 'stopped');
      await assert.rejects(terminals.input(id, 'x'), { reason: 'PROCESS_ENDED' });
      await terminals.close(id);
      assert.deepEqual(await terminals.list(), []);
      await assert.rejects(terminals.close(id), { reason: 'NO_PROCESS' });
    }, folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('where output is left out within a sequence, what is kept after it is on the screen of the next sidecar', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join('/tmp', 'outrigger-terminals-')));
  try {
    let id = '';
    await withTerminals(
      async ({ open, processes }) => {
        // The start of what is kept ends in a title, and so does the rest of that.
        id =
          await open(`head -c 4090 /dev/zero | tr '\\0' x; printf '\\033]2;title'; for i in $(seq 1 900); do echo title $i; done; printf '\\007'
          for i in $(seq 1 2000); do echo line $i; done`);
        await processes.process(id).ended;
        assert.ok(processes.get(id).output.stdout.lost > 0);
      },
      folder,
      4096,
    );
    await withTerminals(
      async ({ view }) => {
        const late = view(id);
        await late.done;
        assert.equal((await late.lines()).at(-1), 'line 2000');
      },
      folder,
      4096,
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a terminal that is closed leaves no program, whatever that ignores', () =>
  withTerminals(async ({ terminals, open, view, at }) => {
    const id = await open(`trap '' HUP TERM INT; echo $$ > pid; echo ready; while true; do sleep 1; done`);
    const viewer = view(id);
    await shows(viewer, 'ready');
    await terminals.close(id);
    await viewer.done;
    const pid = Number(fs.readFileSync(at('pid'), 'utf8'));
    await eventually(() => !fs.existsSync(`/proc/${pid}`));
  }));

test('a terminal that is closed just while its program is started again is gone', () =>
  withTerminals(async ({ terminals, open, processes }) => {
    for (const hasEnded of [true, false]) {
      const id = await open('exec sleep 100');
      if (hasEnded) await processes.process(id).stop(0);
      const closing = terminals.close(id);
      const restarting = processes.restart(id, 0).catch((error: unknown) => error);
      await closing;
      await restarting;
      assert.deepEqual(processes.list(), []);
    }
  }));

test('a process that runs in no terminal is none', () =>
  withTerminals(async ({ terminals, processes }) => {
    const { process } = await processes.start({
      argv: ['sleep', '100'],
      path: '',
      env: {},
      checkpoint: false,
      startedBy: { name: 'Ada', kind: 'person' },
    });
    await assert.rejects(terminals.resize(process.id, { columns: 10, rows: 10 }), { reason: 'NO_PROCESS' });
    assert.deepEqual(await terminals.list(), []);
  }));

test('who looks at a terminal that is closed sees its end', () =>
  withTerminals(async ({ terminals, open, view }) => {
    const id = await open('echo shown; sleep 300');
    const seen = view(id);
    await eventually(async () => (await seen.lines()).includes('shown'));
    await terminals.close(id);
    const end = (await seen.done) as { terminal?: { process: { state: string } }; process?: { state: string } };
    assert.ok(!(end instanceof Error), String(end));
    assert.deepEqual(await terminals.list(), []);
  }));

test('marks over one character without an end do not fill the memory', () =>
  withTerminals(async ({ open, view }) => {
    const id = await open(`printf a; i=0; while [ $i -lt 300 ]; do printf '${'\\314\\201'.repeat(500)}'; i=$((i+1)); done; printf 'é́ end'`);
    const seen = view(id);
    await seen.done;
    const [screen] = view(id).items as [TerminalItem | undefined];
    const text =
      seen.items.map((item) => (item.type === 'screen' ? item.text : '')).join('') + (screen?.type === 'screen' ? screen.text : '');
    const again = view(id);
    await again.done;
    const last = again.items.find((item) => item.type === 'screen');
    assert.ok(last?.type === 'screen' && last.text.includes('é́ end'));
    assert.ok(last.text.length < 20_000, `${last.text.length} characters on the screen`);
    assert.ok(text.length < 200_000);
  }));

test('fifty look at endless output at their own pace, and nobody waits for them (long form)', () =>
  withTerminals(async ({ terminals, open, view }) => {
    const id = await open('while true; do seq 1000; done');
    const views = Array.from({ length: 50 }, (_, index) => view(id, { name: `viewer ${index}`, slow: index % 2 === 0 ? 0 : 50 }));
    const loop = watchLoop();
    await eventually(() => views.every(({ items }) => items.some(({ type }) => type === 'screen')));
    const before = process.memoryUsage().rss;
    const until = performance.now() + 1500;
    await eventually(() => performance.now() > until);
    const grown = (process.memoryUsage().rss - before) / 1024 ** 2;
    const longest = loop.stop();
    for (const one of views) one.leave();
    await Promise.all(views.map(({ done }) => done));
    const [listed] = await terminals.list();
    assert.deepEqual(listed?.viewers, []);
    assert.ok(longest < 1000, `the loop stood still for ${longest} ms`);
    assert.ok(grown < 300, `${grown} MB more`);
    await terminals.close(id);
  }));

test('there is an end to how many look at one terminal', () =>
  withTerminals(async ({ open, view, terminals }) => {
    const id = await open('sleep 300');
    for (let index = 0; index < 100; index++) view(id);
    await eventually(async () => (await terminals.list())[0]?.viewers.length === 100);
    const refused = new AbortController();
    await assert.rejects(
      terminals.attach(id, { name: 'late', kind: 'person' }, refused.signal, () => {}),
      (error: unknown) => error instanceof OutriggerError && error.reason === 'TOO_MANY',
    );
  }));

test('a storm of sizes ends with the last one, for the program and for all who look', () =>
  withTerminals(async ({ terminals, open, view }) => {
    // A shell may lose a signal that comes while its trap for an earlier one runs.
    const code = `for (let line = 1; line <= 3000; line++) console.log(line);
      process.stdout.on('resize', () => console.log('at', process.stdout.rows, process.stdout.columns));
      setInterval(() => {}, 60_000);`;
    const program = await open('', { argv: [process.execPath, '-e', code] });
    const seen = view(program);
    await eventually(() => seen.items.some((item) => item.type === 'output' || (item.type === 'screen' && item.text.includes('3000'))));
    const begun = performance.now();
    for (let index = 0; index < 1000; index++) await terminals.resize(program, { columns: 20 + (index % 300), rows: 5 + (index % 50) });
    await terminals.resize(program, { columns: 77, rows: 7 });
    assert.ok(performance.now() - begun < 8000, `${performance.now() - begun} ms`);
    await eventually(async () => assert.ok((await seen.lines()).includes('at 7 77'), (await seen.lines()).join('\n')), 15_000);
    const sizes = seen.items.filter(({ type }) => type === 'size');
    assert.deepEqual(sizes.at(-1), { type: 'size', columns: 77, rows: 7 });
    const later = view(program);
    await eventually(() => later.items.length > 0);
    const [screen] = later.items;
    assert.ok(screen?.type === 'screen' && screen.columns === 77 && screen.rows === 7);
  }));

test('what is typed to a program that does not read waits, and who typed it can leave (long form)', () =>
  withTerminals(async ({ terminals, open }) => {
    const id = await open('stty raw -echo; sleep 300');
    const leaving = new AbortController();
    const typing = Array.from({ length: 200 }, () =>
      terminals.input(id, 'x'.repeat(1_000_000), leaving.signal).catch((error: unknown) => error),
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { user, system } = process.cpuUsage(before);
    leaving.abort(new Error('left'));
    const ends = await Promise.all(typing);
    assert.ok(ends.filter((end) => end instanceof Error).length > 190);
    assert.ok((user + system) / 1000 < 300, `${(user + system) / 1000} ms of processor while nothing happened`);
    await terminals.close(id);
  }));

test('what is typed to a program that ends before it could be handed on is refused', () =>
  withTerminals(async ({ terminals, open, view, processes }) => {
    const id = await open(`stty raw -echo; echo up; exec sleep 100`);
    await shows(view(id), 'up');
    // More than a terminal holds.
    const typed = terminals.input(id, 'x'.repeat(500_000)).catch((error: unknown) => error);
    await processes.process(id).stop(0);
    const failure = await typed;
    assert.ok(failure instanceof OutriggerError && failure.reason === 'PROCESS_ENDED', String(failure));
  }));

test('a tag of a process that runs in no terminal opens none', () =>
  withTerminals(async ({ terminals, processes, open }) => {
    await processes.start({
      argv: ['sleep', '300'],
      path: '',
      env: {},
      tag: 'dev',
      checkpoint: false,
      startedBy: { name: 'Ada', kind: 'person' },
    });
    await assert.rejects(
      open('sleep 300', { tag: 'dev' }),
      (error: unknown) => error instanceof OutriggerError && error.reason === 'BAD_INPUT',
    );
    assert.deepEqual(await terminals.list(), []);
  }));

test('what is erased up to the last corner of a screen ends nobody, and erases all', () =>
  withTerminals(async ({ open, view }) => {
    for (const [before, sequence] of [
      ['', '[1J'],
      ['', '[?1J'],
      ['\\033[?1049h', '[1J'],
    ] as const) {
      const shown = view(await open(`printf '${before}above\\033[999;999H\\033${sequence}\\033[Hdone'; sleep 300`));
      await eventually(async () => assert.deepEqual(await shown.lines(), ['done']));
    }
  }));

test('a line that goes over a thousand others ends nobody where its terminal becomes narrow', () =>
  withTerminals(async ({ open, view, terminals, processes }) => {
    const script = "head -c 500000 /dev/zero | tr '\\0' x; printf '\\nend\\n'; sleep 300";
    const id = await open(script, { size: { columns: 500, rows: 500 } });
    await eventually(() => processes.process(id).log.end.stdout > 500_000);
    await terminals.resize(id, { columns: 2, rows: 10 });
    const shown = view(id);
    await eventually(async () => assert.deepEqual((await shown.lines()).slice(-3), ['xx', 'en', 'd']));
  }));

test('a sequence that says how often is done as often as it shows, whatever it says, and holds nobody up', () =>
  withTerminals(async ({ open, view }) => {
    for (const [before, final, enough, many] of [
      ['\\033[2H', 'L', 10, 3e6],
      ['\\033[2H', 'M', 10, 3e6],
      ['', 'S', 10, 3e6],
      ['\\033[3;6r', 'T', 10, 3e6],
      ['', 'I', 40, 3e8],
      ['\\033[3;30H', 'Z', 40, 3e8],
      ['\\n\\nr', 'b', 40, 3e7],
    ] as const) {
      const pictures: unknown[] = [];
      const longest = await longestTurn(async () => {
        for (const count of [enough, many]) {
          const shown = view(await open(`stty -opost; seq 1 9; printf '\\033[H${before}\\033[${count}${final}|end'`));
          await shown.done;
          pictures.push(await shown.picture());
        }
      });
      assert.deepEqual(pictures[1], pictures[0], final);
      assert.ok(longest < 500, `${final}: the loop stood still for ${longest} ms`);
    }
  }));

test('what fills a large screen again and again holds nobody up, and is shown to its end', () =>
  withTerminals(async ({ open, view }) => {
    const size = { columns: 1000, rows: 500 };
    for (const [name, sequence] of [
      ['the pattern of all E', '#8'],
      ['a reset', 'c'],
      ['a line', '[L'],
      ['a character', '[@'],
    ]) {
      const longest = await longestTurn(async () => {
        const shown = view(await open(`for i in $(seq 600); do printf '\\033${sequence}'; done; printf '\\033[2J\\033[Hend'`, { size }));
        await shown.done;
        assert.deepEqual(await shown.lines(), ['end'], name);
      });
      assert.ok(longest < 500, `${name}: the loop stood still for ${longest} ms`);
    }
  }));

test('a token that ends before there is a program in the terminal is the end of the start', () =>
  withTerminals(async ({ terminals, processes }) => {
    const ended = new AbortController();
    const caller: Call['caller'] = { id: 'ada', name: 'Ada', kind: 'person', access: 'execute', ended: ended.signal };
    const input = contract['terminals.open'].input.parse({ argv: ['sleep', '300'] });
    const opening = terminalOperations(terminals)['terminals.open'](input, { caller } as Call);
    assert.equal(processes.list().length, 1);
    ended.abort(new OutriggerError('TOKEN_REVOKED', 'That token was revoked.'));
    await assert.rejects(async () => opening, { reason: 'TOKEN_REVOKED' });
    assert.deepEqual(processes.list(), []);
  }));

test('the ports of what is started in a shell are seen', { skip: process.platform !== 'linux' && 'needs /proc' }, () =>
  withTerminals(async ({ terminals, processes, open }) => {
    const id = await open('', { argv: ['bash', '--norc', '-i'] });
    const server = `require('node:http').createServer().listen(0, '127.0.0.1', function () { console.log('up'); });`;
    await terminals.input(id, `${process.execPath} -e "${server}"\r`);
    await eventually(() => {
      processes.look(0);
      return processes.get(id).ports.length === 1;
    }, 10_000);
    await terminals.close(id);
  }),
);
