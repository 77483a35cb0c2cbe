// Code runs against a real sidecar: sessions and their files, input, limits, variables that live on, and what goes wrong.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { CodeItem, CodeOutcome } from '../../src/contract/code.ts';
import { markedWith } from '../../src/services/processes/process-facts.ts';
import { ownCodeFolder } from '../kit/code-folder.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { lentSidecar, type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';

const needsPython = { skip: requireTool('python3') };
const needsC = { skip: requireTool('gcc') || requireTool('python3') };

interface Seen {
  end: CodeOutcome;
  out: string;
  err: string;
  items: CodeItem[];
}

type Run = (language: string, code: string, more?: Record<string, unknown>) => Promise<Seen>;

const components = ['files', 'code'];
/** Its start, with the probe of what holds code back, takes longer than most tests of it. */
const withShared = lentSidecar({ config: { components } });

/** With `config` in a sidecar of its own, which nobody has asked for anything before; without, in one for all. */
function withCode(run: (code: { run: Run } & RunningSidecar) => Promise<void>, config?: SidecarSetup['config']): Promise<void> {
  const running = (one: RunningSidecar): Promise<void> =>
    run({ ...one, run: (language, code, more = {}) => runOn(one, { language, code, ...more }) });
  return config === undefined ? withShared(running) : withSidecar(running, { config: { components, ...config } });
}

async function runOn({ client }: RunningSidecar, input: { language: string; code: string }, signal?: AbortSignal): Promise<Seen> {
  const stream = client.stream('code.run', input, signal === undefined ? {} : { signal });
  const seen = { out: '', err: '', items: [] as CodeItem[] };
  for await (const item of stream) {
    seen.items.push(item);
    if (item.type === 'output') seen[item.stream === 'stdout' ? 'out' : 'err'] += item.text;
  }
  return { ...seen, end: await stream.end };
}

async function bytesOf(running: RunningSidecar, session: string, id: string): Promise<string> {
  const response = await fetch(`${running.url}/api/code.getFile`, {
    method: 'POST',
    headers: { authorization: `Bearer ${running.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ session, id }),
  });
  assert.equal(response.status, 200);
  return response.text();
}

const named = (files: CodeOutcome['files']): string[] => files.map(({ name }) => name);

test('files come with a call, stay in the session, and those that a run wrote come back with an id', needsPython, () =>
  withCode(async (running) => {
    const { run, client } = running;
    const first = await run(
      'py',
      'import os\nprint(sorted(os.listdir(".")), open("in.txt").read())\nopen("out.csv","w").write("a,b")\nos.makedirs("deep")\nopen("deep/ä.txt","w").write("x")\n',
      {
        files: [
          { name: '../../in.txt', text: 'ünï' },
          { name: 'bytes', base64: 'AAEC' },
        ],
      },
    );
    assert.equal(first.end.exitCode, 0, first.err);
    assert.match(first.out, /'bytes'.*'in.txt'\] ünï\n/);
    assert.deepEqual(named(first.end.files), ['deep/ä.txt', 'out.csv']);
    const { session } = first.end;
    for (const { id } of first.end.files) assert.match(id, /^[A-Za-z0-9][\w-]{19}[A-Za-z0-9]$/);
    for (const content of [
      { base64: '!!!' },
      { base64: 'data:text/plain;base64,aGk=' },
      { base64: 'aGVs bG8=' },
      {},
      { text: '', base64: '' },
    ])
      await assert.rejects(
        run('py', 'print(1)', { files: [{ name: 'bad', ...content }] }),
        { reason: 'BAD_INPUT' },
        JSON.stringify(content),
      );
    const csv = first.end.files.find(({ name }) => name === 'out.csv');
    assert.equal(await bytesOf(running, session, csv?.id ?? ''), 'a,b');
    // The same session: what was there is not given again, what changed is, under its id.
    const second = await run('py', 'open("out.csv","a").write(",c")', { session });
    assert.deepEqual(
      second.end.files.map(({ id, name }) => [id, name]),
      [[csv?.id, 'out.csv']],
    );
    const { files } = await client.call('code.session', { session });
    assert.deepEqual(named(files).sort(), ['bytes', 'deep/ä.txt', 'in.txt', 'out.csv']);
    // Another session takes one over by its id, and a file of a third one is not there for it.
    const third = await run('py', 'print(open("here.csv").read())', { files: [{ session, id: csv?.id, name: 'here.csv' }] });
    assert.equal(third.out, 'a,b,c\n');
    await assert.rejects(client.call('code.removeFile', { session: third.end.session, id: csv?.id ?? '' }), { reason: 'FILE_NOT_FOUND' });
    await client.call('code.closeSession', { session });
    await assert.rejects(client.call('code.session', { session }), { reason: 'NO_SESSION' });
    await assert.rejects(run('py', '1', { session }), { reason: 'NO_SESSION' });
  }),
);

test(
  'files of one call never take each other’s place, and notes tell of each that is called otherwise than it was given',
  needsPython,
  () =>
    withCode(async ({ run, client }) => {
      const look = 'import os\nfor name in sorted(os.listdir(".")):\n  if name != "code.py": print(name, open(name).read())';
      const files = [
        { name: 'src/index.js', text: 'src' },
        { name: 'lib/index.js', text: 'lib' },
        { name: 'plain.txt', text: 'plain' },
        { name: 'plain.txt', text: 'twice' },
      ];
      const first = await run('py', look, { files });
      const expected = 'index-2.js lib\nindex.js src\nplain-2.txt twice\nplain.txt plain\n';
      assert.equal(first.out, expected);
      assert.deepEqual(first.end.notes, [
        '"src/index.js" is stored as "index.js".',
        '"lib/index.js" is stored as "index-2.js".',
        '"plain.txt" is stored as "plain-2.txt".',
      ]);
      // A second time they are stored in their own places.
      assert.equal((await run('py', look, { session: first.end.session, files })).out, expected);
      // What a program made keeps its name when it is handed on, also where one of the session itself goes along.
      const make = async (text: string): Promise<{ session: string; id: string }[]> => {
        const { end } = await run('py', `for name in ["报告.csv", "数据 1.csv", ".rc"]: open(name, "w").write(name + "${text}")`);
        return end.files.map(({ id }) => ({ session: end.session, id }));
      };
      const [one, other] = [await make('1'), await make('2')];
      const handed = await run('py', look, { files: [...one, ...one] });
      assert.equal(handed.out, '.rc .rc1\n报告.csv 报告.csv1\n数据 1.csv 数据 1.csv1\n');
      assert.deepEqual(handed.end.notes, []);
      const both = await run('py', look, { session: one[0]?.session, files: [...other, ...one] });
      assert.equal(
        both.out,
        '.rc .rc1\n.rc-2 .rc2\n报告-2.csv 报告.csv2\n报告.csv 报告.csv1\n数据 1-2.csv 数据 1.csv2\n数据 1.csv 数据 1.csv1\n',
      );
      assert.equal(both.end.notes.length, 3);
      // Of two that were sent, and are called alike, neither is lost on the way to a third session.
      const sent = await Promise.all(
        ['甲.csv', '乙.csv'].map(async (name) => {
          const { end } = await run('py', '1', { files: [{ name, text: name }] });
          const { files: stored } = await client.call('code.session', { session: end.session });
          return { session: end.session, id: stored[0]?.id };
        }),
      );
      assert.equal((await run('py', look, { files: sent })).out, '_-2.csv 乙.csv\n_.csv 甲.csv\n');
    }),
);

test('what a run leaves that is no plain file of its own is not given back, and nothing is followed', needsPython, () =>
  withCode(async (running) => {
    const secret = `${running.stateFolder}/secret`;
    fs.writeFileSync(secret, 'secret');
    const { end, err } = await running.run(
      'py',
      `import os, socket
os.symlink(${JSON.stringify(secret)}, "link")
os.symlink("/etc", "folder")
os.mkfifo("fifo")
s = socket.socket(socket.AF_UNIX)
try: s.bind("socket")
except OSError: pass
open("one", "w").write("1")
os.link("one", "two")
open(b"bad\\xff", "w").write("x")
open("ok name.txt", "w").write("ok")
os.makedirs("closed"); open("closed/x", "w").write("x"); os.chmod("closed", 0)
`,
    );
    assert.equal(end.exitCode, 0, err);
    assert.deepEqual(
      named(end.files).filter((name) => name !== 'closed/x'),
      ['ok name.txt'],
    );
    assert.ok(end.omittedFiles >= 5, String(end.omittedFiles));
    await running.client.call('code.closeSession', { session: end.session });
  }),
);

test('input comes with the call, or in pieces, and a program that reads without any is at its end', needsPython, () =>
  withCode(async (running) => {
    const { run, client } = running;
    assert.equal((await run('py', 'import sys\nprint(repr(sys.stdin.read()))')).out, "''\n");
    assert.equal((await run('py', 'import sys\nprint(len(sys.stdin.read()))', { stdin: 'ä'.repeat(500_000) })).out, '500000\n');
    const stream = client.stream('code.run', {
      language: 'py',
      code: 'print("name?", flush=True)\nprint("hello", input())',
      keepStdinOpen: true,
    });
    let out = '';
    let id = '';
    for await (const item of stream) {
      if (item.type === 'started') id = item.run;
      if (item.type !== 'output') continue;
      out += item.text;
      if (out === 'name?\n') await client.call('code.input', { run: id, text: 'Ada\n', end: true });
    }
    assert.equal(out, 'name?\nhello Ada\n');
    assert.equal((await stream.end).exitCode, 0);
    await assert.rejects(client.call('code.input', { run: id, text: 'x' }), { reason: 'NO_RUN' });
  }),
);

test('limits that are out of bounds are brought into them, and said', needsPython, () =>
  withCode(async ({ run }) => {
    const { end } = await run('py', 'print(1)', { limits: { wallMs: -5, memoryBytes: 10 ** 15, processes: 0, outputBytes: 1e12 } });
    // A slow machine needs more for it.
    assert.ok(end.reason === 'exit' || end.program?.limit?.name === 'wallMs', JSON.stringify(end));
    assert.deepEqual(end.limits.wallMs, 100);
    assert.equal(end.notes.length, 4);
  }),
);

test('a limit may be any number: it is made a whole one within its bounds, and that is said', needsPython, () =>
  withCode(async ({ run, client }) => {
    const { end } = await run('py', 'print(1)', { limits: { wallMs: 1e300, cpuMs: 1.5, outputBytes: 5000.9, memoryBytes: -0.5 } });
    assert.equal(end.exitCode, 0);
    const { wallMs, cpuMs, outputBytes } = end.limits;
    assert.deepEqual({ wallMs, cpuMs, outputBytes }, { wallMs: 120_000, cpuMs: 100, outputBytes: 5000 });
    assert.equal(end.notes.length, 4);
    for (const wallMs of ['10', null, Number.NaN])
      await assert.rejects(client.call('code.run', { language: 'py', code: '1', limits: { wallMs } } as never), { reason: 'BAD_INPUT' });
  }),
);

test('a program that met the limit of one file is told so, also where it went on', needsPython, () =>
  withCode(async ({ run }) => {
    const limits = { fileBytes: 5000 };
    const met = { name: 'fileBytes', value: 5000 };
    const python = await run('py', 'open("big", "wb").write(b"x" * 60_000)', { limits });
    assert.match(python.err, /OSError: \[Errno 27\]/);
    assert.deepEqual([python.end.reason, python.end.exitCode, python.end.program?.limit], ['exit', 1, met]);
    const bash = await run('bash', 'head -c 6000 /dev/zero > big\necho went on\n', { limits });
    assert.deepEqual([bash.out, bash.end.reason, bash.end.exitCode, bash.end.program?.limit], ['went on\n', 'exit', 0, met]);
    // In a session that has it already, the file is none that this run wrote.
    const { session } = bash.end;
    const later = await run('bash', 'head -c 4999 /dev/zero > small\n', { limits, session });
    assert.deepEqual([named(later.end.files), later.end.program?.limit], [['small'], null]);
  }),
);

test('more output than its limit ends a run; what came before is there, and the rest is counted', needsPython, () =>
  withCode(async ({ run }) => {
    const { end, out } = await run('py', 'print("before")\nwhile True: print("x" * 1000)', { limits: { outputBytes: 10_000 } });
    assert.deepEqual([end.reason, end.program?.limit], ['output', { name: 'outputBytes', value: 10_000 }]);
    assert.equal(out.length, 10_000);
    assert.ok(out.startsWith('before\n') && (end.program?.omittedBytes.stdout ?? 0) > 0);
  }),
);

for (const rung of ['landlock', 'seccomp', 'none'])
  test(`a package that lies above the folders of runs is none of theirs (${rung})${rung === 'landlock' ? '' : ' (long form)'}`, async () => {
    const above = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-above-'));
    try {
      fs.chmodSync(above, 0o711);
      fs.writeFileSync(path.join(above, 'package.json'), '{"type":"module"}');
      const code = 'console.log(typeof require, require("node:path").basename(__filename));\n';
      await withCode(
        async ({ run }) => {
          // The first one is cold, as is TypeScript; the second may have waited.
          for (const language of ['js', 'js', 'ts']) {
            const { out, err } = await run(language, code);
            assert.match(out, /^function \S+\.js\n$/, err);
          }
          const module = await run('js', 'import fs from "node:fs";\nconsole.log(typeof fs);\n');
          assert.equal(module.out, 'object\n', module.err);
        },
        { 'code.folder': path.join(above, 'code'), 'code.isolation': rung },
      );
      fs.rmSync(path.join(above, 'package.json'));
      await withCode(
        async ({ run }) => {
          await run('js', code);
          fs.writeFileSync(path.join(above, 'package.json'), '{"type":"module"}');
          const later = await run('js', code);
          assert.match(later.out, /^function /, later.err);
        },
        // One that waited already could not be helped.
        { 'code.folder': path.join(above, 'code'), 'code.isolation': rung, 'code.warm': '0' },
      );
    } finally {
      fs.rmSync(above, { recursive: true, force: true });
    }
  });

test('a caller who goes ends the run, with everything it started', needsPython, () =>
  withCode(async (running) => {
    const mark = `run-${process.pid}-${Date.now()}`;
    // What a program starts has its environment, where others can see it.
    const stray = 'import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(60)';
    const code = `import subprocess, sys, time\nprint("up", flush=True)\nsubprocess.Popen([sys.executable, "-c", ${JSON.stringify(stray)}])\ntime.sleep(60)`;
    const gone = new AbortController();
    const running_ = runOn(running, { language: 'py', code, env: { MARK: mark } } as never, gone.signal);
    await eventually(() => markedWith('MARK', (value) => value === mark).length >= 2, 10_000);
    gone.abort();
    const begun = performance.now();
    await assert.rejects(running_);
    await eventually(() => markedWith('MARK', (value) => value === mark).length === 0);
    assert.ok(performance.now() - begun < 2000, `${performance.now() - begun} ms`);
    // By a call the answer says so, and keeps what was said.
    const stream = running.client.stream('code.run', { language: 'py', code });
    let out = '';
    for await (const item of stream) {
      if (item.type === 'output') out += item.text;
      if (out === 'up\n' && item.type === 'output') {
        const started = (await running.client.call('code.sessions', {})).sessions;
        assert.ok(started.length > 0);
      }
      if (item.type === 'started') setTimeout(() => void running.client.call('code.cancel', { run: item.run }), 500);
    }
    assert.deepEqual([(await stream.end).reason, out], ['canceled', 'up\n']);
  }),
);

test('variables live on in a session, in Python and in JavaScript, also when their interpreter is gone', needsPython, () =>
  withCode(
    async ({ run, client }) => {
      const first = await run('py', 'import math\nx = [1, 2]\ndef f(a): return a + x[0]\nx', { keepState: true });
      assert.equal(first.end.exitCode, 0, first.err);
      assert.deepEqual(
        first.items.filter(({ type }) => type === 'display'),
        [{ type: 'display', data: { 'text/plain': '[1, 2]' } }],
      );
      const { session } = first.end;
      assert.ok((first.end.state?.bytes ?? 0) > 0);
      const second = await run('py', 'x.append(3)\nprint(f(1), math.pi, input())', { keepState: true, session, stdin: 'in\n' });
      assert.deepEqual([second.out, second.end.used.interpreter, second.end.used.restored], ['2 3.141592653589793 in\n', 'live', false]);
      // A failure is of one run alone.
      const third = await run('py', 'raise KeyError("k")', { keepState: true, session });
      assert.deepEqual([third.end.exitCode, /^Traceback [^]*line 1[^]*KeyError: 'k'\n$/.test(third.err)], [1, true]);
      // A time limit ends the interpreter, and the next one has the variables as they were.
      const fourth = await run('py', 'x.append(4)\nwhile True: pass', { keepState: true, session, limits: { wallMs: 300 } });
      assert.deepEqual([fourth.end.reason, fourth.end.exitCode, fourth.end.notes.length], ['timeout', 124, 1]);
      const fifth = await run('py', 'print(x, f(5), math.e > 2)', { keepState: true, session });
      assert.deepEqual([fifth.out, fifth.end.used.restored], ['[1, 2, 3] 6 True\n', true]);

      const js = await run('js', 'var seen = { a: 1 };\nlet count = 1;', { keepState: true });
      const again = await run('js', 'seen.a++; count++;\nconsole.log(seen, count);', { keepState: true, session: js.end.session });
      assert.equal(again.out, '{ a: 2 } 2\n', again.err);
      // The other interpreter is ended: there is room for one.
      const back = await run('py', 'print(x)', { keepState: true, session });
      assert.deepEqual([back.out, back.end.used.restored], ['[1, 2, 3]\n', true]);
      await client.call('code.removeState', { session });
      const none = await run('py', 'print("x" in globals())', { keepState: true, session });
      assert.equal(none.out, 'False\n');
    },
    { 'code.live': '1' },
  ),
);

test('rich results come as bundles by mime type', needsPython, () =>
  withCode(async ({ run }) => {
    const { items, err } = await run(
      'py',
      'class Table:\n  def _repr_html_(self): return "<table></table>"\n  def _repr_png_(self): return b"\\x89PNG"\ndisplay(Table())\nTable()',
      { keepState: true },
    );
    const shown = items.filter((item) => item.type === 'display');
    assert.equal(shown.length, 2, err);
    for (const { data } of shown) {
      assert.deepEqual([data['text/html'], data['image/png']], ['<table></table>', Buffer.from('\x89PNG', 'latin1').toString('base64')]);
    }
  }),
);

test('languages that are off, tried out, unknown or not here are refused, each with its reason', () =>
  withCode(
    async ({ run, client, clientOf }) => {
      await assert.rejects(run('rs', 'x'), { reason: 'LANGUAGE_OFF', message: /Rust \(rs\)/ });
      await assert.rejects(run('cobol', 'x'), { reason: 'UNKNOWN_LANGUAGE', message: /py, js, ts, go/ });
      await assert.rejects(run('py', ''), { reason: 'BAD_INPUT' });
      const { secret } = await client.call('tokens.create', { name: 'bot', access: 'execute' });
      const stream = clientOf(secret).stream('code.run', { language: 'bash', code: 'echo hi' });
      await assert.rejects(async () => stream[Symbol.asyncIterator]().next(), { reason: 'LANGUAGE_OFF', message: /canary/ });
      assert.equal((await run('bash', 'echo hi')).out, 'hi\n');
      const { languages } = await client.call('code.languages', {});
      assert.deepEqual(
        languages.filter(({ rollout }) => rollout !== 'enabled').map(({ code, rollout }) => [code, rollout]),
        [
          ['rs', 'off'],
          ['bash', 'canary'],
        ],
      );
    },
    { 'code.rollout': JSON.stringify({ rs: 'off', bash: 'canary' }) },
  ));

test('code with NUL, of ten megabytes, with names of which nothing is left, and too many files', needsPython, () =>
  withCode(async ({ run, client, url, token }) => {
    assert.equal((await run('py', 'x = 1\0')).end.reason, 'exit');
    const huge = await fetch(`${url}/api/code.run`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify({ language: 'py', code: `x = "${'y'.repeat(10_000_000)}"\nprint(len(x))` }),
    });
    assert.match(await huge.text(), /"text":"10000000/);
    for (const name of ['..', '/', '...', 'a/..'])
      await assert.rejects(run('py', '1', { files: [{ name, text: '' }] }), { reason: 'BAD_INPUT' });
    const many = Array.from({ length: 51 }, (_, index) => ({ name: `f${index}`, text: '' }));
    await assert.rejects(run('py', '1', { files: many }), { reason: 'TOO_MANY_SESSION_FILES' });
    const made = await run('py', 'for i in range(30): open(f"m{i}", "w").write("x")');
    assert.deepEqual([made.end.files.length, made.end.omittedFiles], [10, 20]);
    assert.equal(
      (await client.call('code.openSession', { entity: 'one' })).id,
      (await client.call('code.openSession', { entity: 'one' })).id,
    );
  }),
);

test('runs wait their turn, say how many are before them, and one too many is refused', needsPython, () =>
  withCode(
    async ({ run }) => {
      const code = 'import time\ntime.sleep(0.5)\nprint("done")';
      const all = await Promise.allSettled(Array.from({ length: 4 }, () => run('py', code)));
      const reasons = all.map((one) => (one.status === 'rejected' ? (one.reason as { reason: string }).reason : one.value.out));
      assert.deepEqual(reasons.sort(), ['TOO_MANY_RUNS', 'done\n', 'done\n', 'done\n']);
      const queued = all.flatMap((one) => (one.status === 'fulfilled' ? one.value.items.filter(({ type }) => type === 'queued') : []));
      assert.ok(queued.some((item) => item.type === 'queued' && item.ahead === 1));
    },
    { 'code.atOnce': '1', 'code.queue': '2' },
  ),
);

test('what is not isolated is refused where isolation is required, and what is said of it is the same everywhere', needsPython, () =>
  withCode(
    async ({ run, client }) => {
      const { isolation } = await client.call('code.isolation', {});
      assert.deepEqual([isolation.rung, isolation.name, isolation.holds], [0, 'none', ['time', 'output']]);
      await assert.rejects(run('py', '1', { require: ['network'] }), { reason: 'NOT_ISOLATED', message: /network/ });
      assert.deepEqual((await run('py', 'print(1)')).end.isolation, isolation);
    },
    { 'code.isolation': 'none' },
  ),
);

test('a folder of runs that is named from where the sidecar was started keeps them apart as any other', needsPython, () =>
  withScratchFolder('relative', async (folder) => {
    let usual: unknown;
    await withCode(async ({ client }) => {
      usual = await client.call('code.isolation', {}).then(({ isolation }) => isolation);
    });
    await withCode(
      async ({ run }) => {
        const { out, err, end } = await run('py', 'import os\nprint(6 * 7)\nopen("made.txt", "w").close()');
        assert.deepEqual([out, named(end.files), end.isolation], ['42\n', ['made.txt'], usual], err);
      },
      { 'code.folder': path.relative(process.cwd(), folder) },
    );
  }),
);

test('a folder of runs in the workspace is refused at the start, also behind a link', () =>
  withScratchFolder('inside', async (folder, workspace) => {
    fs.symlinkSync(workspace, path.join(folder, 'link'));
    for (const inside of [workspace, path.join(workspace, 'deep', 'code'), path.join(folder, 'link', 'code')])
      await assert.rejects(
        withSidecar(async () => {}, { workspace, config: { components: ['files', 'code'], 'code.folder': inside } }),
        { name: 'ConfigError', message: /code\.folder: .* lies in the workspace/ },
        inside,
      );
    assert.deepEqual(fs.readdirSync(workspace), []);
  }));

test('a run that gets the network says that it is not held back, and is refused where it is to be', needsPython, () =>
  withCode(async ({ run, client }) => {
    const { isolation } = await client.call('code.isolation', {});
    const others = isolation.holds.filter((protection) => protection !== 'network');
    const open = [...isolation.open.filter((protection) => protection !== 'network'), 'network'];
    const { items, end } = await run('py', 'print(1)', { network: true, require: others });
    assert.deepEqual([end.isolation.rung, end.isolation.holds, end.isolation.open], [isolation.rung, others, open]);
    assert.deepEqual(
      items.find(({ type }) => type === 'started'),
      { ...items.find(({ type }) => type === 'started'), isolation: end.isolation },
    );
    await assert.rejects(run('py', '1', { network: true, require: ['network'] }), { reason: 'NOT_ISOLATED', message: /network/ });
    assert.deepEqual((await run('py', 'print(1)')).end.isolation, isolation);
  }),
);

test('a file that comes while an interpreter lives, or a program runs, is theirs to write', needsPython, () =>
  withCode(async ({ run, client }) => {
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('given');
    };
    const first = await run('py', 'open("own.txt", "w").close()', { keepState: true });
    const { session } = first.end;
    for (const name of ['put.txt', 'own.txt']) await client.upload('code.putFile', { session, name }, body());
    const files = [{ name: 'come.txt', text: 'given' }];
    const writes = `import os
for name in ['put.txt', 'own.txt', 'come.txt']:
  with open(name, 'a') as file: file.write(' more')
  os.chmod(name, 0o750)
`;
    const second = await run('py', writes, { keepState: true, session, files });
    assert.deepEqual([second.err, second.end.used.interpreter, named(second.end.files)], ['', 'live', ['come.txt', 'own.txt', 'put.txt']]);
    const readsThen = `${writes}print(*[open(name).read() for name in ['put.txt', 'own.txt', 'come.txt']], sep=', ')`;
    const after = await run('py', readsThen, { session });
    assert.deepEqual([after.err, after.out], ['', 'given more more, given more more, given more more\n']);

    const waits = 'print("ready", flush=True)\ninput()\nopen("late.txt", "a").write(" more")\nprint(open("late.txt").read())';
    const stream = client.stream('code.run', { language: 'py', code: waits, session, keepStdinOpen: true });
    let out = '';
    let id = '';
    for await (const item of stream) {
      if (item.type === 'started') id = item.run;
      if (item.type !== 'output') continue;
      out += item.text;
      if (out !== 'ready\n') continue;
      await client.upload('code.putFile', { session, name: 'late.txt' }, body());
      await client.call('code.input', { run: id, text: '\n', end: true });
    }
    assert.equal(out, 'ready\ngiven more\n');
  }),
);

test('one session has one run at a time, also when it is as new as the first of them (long form)', needsPython, () =>
  withCode(async (running) => {
    const stream = running.client.stream('code.run', {
      language: 'py',
      code: 'import time\ntime.sleep(0.6)\nprint(open("code.py").read()[:11])',
    });
    let second: Promise<Seen> | undefined;
    let out = '';
    for await (const item of stream) {
      if (item.type === 'started') second = running.run('py', 'import os\nprint(os.listdir("."))', { session: item.session });
      if (item.type === 'output') out += item.text;
    }
    assert.deepEqual([out, (await stream.end).exitCode], ['import time\n', 0]);
    const seen = await second;
    assert.deepEqual([seen?.out, seen?.items[0]?.type], ["['code.py']\n", 'queued']);
  }),
);

test(
  'a session is free when its run is over, and not when its program is and somebody has yet to read what it wrote (long form)',
  needsPython,
  () =>
    withCode(
      async ({ client, run }) => {
        const { id: session } = await client.call('code.openSession', {});
        const code = 'import time\nfor _ in range(60):\n  print("a" * 200, flush=True)\n  time.sleep(0.01)\nopen("a.txt", "w").close()\n';
        const first = client.stream('code.run', { language: 'py', code, session });
        const items = first[Symbol.asyncIterator]();
        await items.next();
        const second = run('py', 'import os\nprint(os.path.exists(__file__), sorted(os.listdir(".")))\nopen("b.txt", "w").close()\n', {
          session,
        });
        // The slot of the first is free as soon as its program is over: it is the only one.
        assert.equal((await run('py', 'print(1)')).out, '1\n');
        while ((await items.next()).done !== true);
        assert.deepEqual(named((await first.end).files), ['a.txt']);
        const { out, end, items: told } = await second;
        assert.equal(told[0]?.type, 'queued');
        assert.deepEqual([out, named(end.files)], ["True ['a.txt', 'code.py']\n", ['b.txt']]);
        assert.deepEqual(named((await client.call('code.session', { session })).files).sort(), ['a.txt', 'b.txt']);
      },
      { 'code.atOnce': '1' },
    ),
);

test('a session that is closed, or whose variables are, ends what runs in it (long form)', needsPython, () =>
  withCode(async ({ client, run }) => {
    const { id: session } = await client.call('code.openSession', {});
    const first = run('py', 'import time\ntime.sleep(20)', { session });
    const waits = run('py', 'print(1)', { session });
    const refused = assert.rejects(waits, { reason: 'CANCELED' });
    const live = await run('py', 'x = 1', { keepState: true });
    const busy = run('py', 'import time\ntime.sleep(20)', { keepState: true, session: live.end.session });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const begun = performance.now();
    await Promise.all([client.call('code.closeSession', { session }), client.call('code.removeState', { session: live.end.session })]);
    assert.deepEqual([(await first).end.reason, (await busy).end.reason], ['canceled', 'canceled']);
    await refused;
    assert.ok(performance.now() - begun < 3000, `${performance.now() - begun} ms`);
    await assert.rejects(client.call('code.session', { session }), { reason: 'NO_SESSION' });
    assert.equal((await run('py', 'print("x" in globals())', { keepState: true, session: live.end.session })).out, 'False\n');
  }),
);

test('a run that is canceled before its program runs is canceled, whatever it was about to do', needsC, () =>
  withCode(async ({ client }) => {
    const code = 'while True: pass';
    for (const more of [
      { language: 'py', code },
      { language: 'py', code, keepState: true },
      { language: 'c', code: 'int main(){for(;;);}' },
      { language: 'ts', code: 'for (;;);' },
    ]) {
      const stream = client.stream('code.run', { limits: { wallMs: 5000 }, ...more });
      for await (const item of stream) if (item.type === 'started') await client.call('code.cancel', { run: item.run });
      assert.equal((await stream.end).reason, 'canceled', JSON.stringify(more));
    }
  }),
);

test('input that comes before its program is compiled waits for it; a run that reads none takes none', needsC, () =>
  withCode(async ({ client }) => {
    const code = '#include <stdio.h>\nint main(){char b[9];while(fgets(b,9,stdin))printf("got %s",b);}';
    const stream = client.stream('code.run', { language: 'c', code, keepStdinOpen: true });
    const inputs: Promise<unknown>[] = [];
    let out = '';
    for await (const item of stream) {
      if (item.type === 'started') {
        inputs.push(
          client.call('code.input', { run: item.run, text: 'one\n' }),
          client.call('code.input', { run: item.run, text: 'two\n', end: true }),
        );
      }
      if (item.type === 'output') out += item.text;
    }
    await Promise.all(inputs);
    assert.deepEqual([out, (await stream.end).exitCode], ['got one\ngot two\n', 0]);
    const quiet = client.stream('code.run', { language: 'bash', code: 'sleep 0.5' });
    for await (const item of quiet)
      if (item.type === 'started') await assert.rejects(client.call('code.input', { run: item.run, text: 'x' }), { reason: 'NO_RUN' });
  }),
);

test('a compiled program is compiled again when anything changed that its compiler can read (long form)', needsC, () =>
  withCode(async ({ client, run }) => {
    const code = '#include "a.h"\n#include <stdio.h>\nint main(){puts(WORD);}';
    const { id: session } = await client.call('code.openSession', {});
    const cacheOf = async (more: Record<string, unknown> = {}): Promise<string[]> => {
      const { end, out, err } = await run('c', code, { session, ...more });
      return [end.used.compileCache, out || err];
    };
    const header = (word: string): { files: object[] } => ({ files: [{ name: 'a.h', text: `#define WORD "${word}"\n` }] });
    assert.deepEqual(await cacheOf(header('one')), ['miss', 'one\n']);
    assert.deepEqual(await cacheOf(), ['hit', 'one\n']);
    assert.deepEqual(await cacheOf(header('two')), ['miss', 'two\n']);
    assert.deepEqual(await cacheOf(header('one')), ['hit', 'one\n']);
    // What is no file of the session is read by a compiler as well.
    await run('bash', 'mkdir -p x; mv a.h x/b.h; ln -s x/b.h a.h', { session });
    assert.deepEqual(await cacheOf(), ['off', 'one\n']);
    // And what is alive in the session could change anything at any time.
    await run('py', 'import os\nos.remove("a.h"); os.rename("x/b.h", "a.h"); os.rmdir("x")', { session, keepState: true });
    assert.deepEqual(await cacheOf(), ['off', 'one\n']);
  }),
);

test('a program that puts things in the place of its source spoils nothing', needsPython, () =>
  withCode(async ({ run }) => {
    const first = await run('py', 'import os\nos.remove("code.py"); os.makedirs("code.py/deep"); open("code.py/deep/x", "w")');
    assert.deepEqual([first.end.exitCode, first.end.files], [0, []], first.err);
    const { session } = first.end;
    await run('bash', 'ln -s /etc/passwd code.py; mkfifo source_code.sh', { session });
    const third = await run('py', 'import os\nprint(os.path.basename(__file__), os.path.islink("code.py"))', { session });
    assert.equal(third.out, 'source_code.py True\n', third.err);
    await run('bash', 'rm source_code.sh; echo mine > source_code.py', { session });
    await assert.rejects(run('py', '1', { session }), { reason: 'FILE_EXISTS' });
    assert.equal((await run('bash', 'cat source_code.py', { session })).out, 'mine\n');
  }),
);

test('TypeScript that breaks its transform is told so by Node, and others are not slower for it (long form)', () =>
  withCode(async ({ run }) => {
    const broken = await run('ts', '('.repeat(50_000));
    assert.notEqual(broken.end.exitCode, 0);
    const { end, out } = await run('ts', 'enum E { A = 4 }\nconsole.log(E.A as number);');
    assert.deepEqual([out, end.used.transform], ['4\n', 'in-process']);
  }));

test(
  'code whose variables live on has an input, an environment and names of its own, and ends when nothing is left to do',
  needsPython,
  () =>
    withCode(async ({ run }) => {
      const py = await run(
        'py',
        'import os, subprocess\nprint(subprocess.run(["cat"], capture_output=True, text=True).stdout, os.environ["A"])',
        {
          keepState: true,
          stdin: 'all of it',
          env: { A: '1' },
        },
      );
      assert.equal(py.out, 'all of it 1\n', py.err);
      const { session } = py.end;
      assert.equal(
        (await run('py', 'import sys\nprint("A" in os.environ, repr(sys.stdin.read()))', { keepState: true, session })).out,
        "False ''\n",
      );
      assert.equal((await run('py', 'import sys\nsys.exit(-1)', { keepState: true, session })).end.exitCode, 255);
      const js = await run(
        'js',
        `const fs = require('node:fs');
const order = [], read = 5;
setTimeout(() => console.log('later', fs.readFileSync(0, 'utf8'), process.env.A), 50);
process.stdin.on('data', (bytes) => console.log('data', String(bytes)));
new Promise(() => {});`,
        { keepState: true, stdin: 'in', env: { A: '1' } },
      );
      assert.deepEqual([js.out.split('\n').sort(), js.end.exitCode], [['', 'data in', 'later in 1'], 0], js.err);
      assert.equal(
        (await run('js', 'console.log(process.env.A, read, typeof fs.statSync)', { keepState: true, session: js.end.session })).out,
        'undefined 5 function\n',
      );
      assert.equal(
        (await run('js', 'setTimeout(() => process.exit(3), 10)', { keepState: true, session: js.end.session })).end.exitCode,
        3,
      );
    }),
);

test('what is shown stands where it was shown, and is no output', needsPython, () =>
  withCode(async ({ run }) => {
    const { items, end } = await run('py', 'import os\nfor n in range(3):\n  print(n)\n  display(n)\nprint("last", end="\\x1e")', {
      keepState: true,
    });
    const order = items.flatMap((item) =>
      item.type === 'output' ? [item.text] : item.type === 'display' ? [`[${item.data['text/plain']}]`] : [],
    );
    assert.equal(order.join(''), '0\n[0]1\n[1]2\n[2]last\u001e');
    assert.deepEqual(end.program?.outputBytes, { stdout: 11, stderr: 0 });
  }),
);

test('variables are kept again and again: functions, what is made of others, let and const (long form)', needsPython, () =>
  withCode(
    async ({ run, client }) => {
      const first = await run(
        'py',
        'base = 5\ndef f(a=base): return a\nclass C:\n  def __init__(self, v): self.v = v\nc = C(f())\nraise SystemExit',
        {
          keepState: true,
        },
      );
      assert.deepEqual(first.end.notes, []);
      const { session } = first.end;
      for (let round = 0; round < 3; round++) {
        await run('js', '1', { keepState: true });
        const { out, end, err } = await run('py', 'print(f(), c.v, C(1).v)', { keepState: true, session });
        assert.deepEqual([out, end.used.restored, end.notes], ['5 5 1\n', true, []], err);
      }
      const js = await run('js', 'let n = 1; const list = [1, { a: 2 }]; function lost() {}', { keepState: true });
      assert.deepEqual(js.end.notes, ['Not kept beyond the life of the interpreter: lost.']);
      await run('py', '1', { keepState: true });
      const again = await run('js', 'n++; console.log(n, list)', { keepState: true, session: js.end.session });
      assert.deepEqual([again.out, again.end.used.restored], ['2 [ 1, { a: 2 } ]\n', true]);
      // More than may be kept: the interpreter lives on, with all of it.
      const big = await run('py', 'big = "x" * 200_000', { keepState: true, session });
      assert.match(big.end.notes.join(), /too large/);
      const still = await run('py', 'print(len(big)); del big', { keepState: true, session });
      assert.deepEqual([still.out, still.end.used.interpreter, still.end.notes], ['200000\n', 'live', []]);
      assert.equal((await client.call('code.session', { session })).state === null, false);
    },
    { 'code.live': '1', 'code.stateBytes': '100000' },
  ),
);

test(
  'variables outlive their interpreter whether they are few or many, in both languages, and what is lost is named (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run, client }) => {
        const evict = (language: string): Promise<Seen> => run(language === 'py' ? 'js' : 'py', '1', { keepState: true });
        // By itself, asked for, and in a file.
        for (const size of [10, 20_000, 80_000]) {
          const py = await run('py', `import threading\nx = "ä" * ${size}\nschlüssel = threading.Lock()`, { keepState: true });
          assert.deepEqual(py.end.notes, ['Not kept beyond the life of the interpreter: schlüssel.']);
          const { session } = py.end;
          // A second run changes them, and a third one does not.
          await run('py', 'x += "é"; del schlüssel', { keepState: true, session });
          const same = await run('py', 'print(len(x))', { keepState: true, session });
          assert.deepEqual([same.out, same.end.used.interpreter, same.end.notes], [`${size + 1}\n`, 'live', []]);
          await evict('py');
          const again = await run('py', 'print(x == "ä" * (len(x) - 1) + "é", len(x), threading.__name__)', { keepState: true, session });
          assert.deepEqual([again.out, again.end.used.restored], [`True ${size + 1} threading\n`, true], again.err);
          const js = await run('js', `let y = 'ä'.repeat(${size}); function größe() {}`, { keepState: true });
          assert.deepEqual(js.end.notes, ['Not kept beyond the life of the interpreter: größe.']);
          await evict('js');
          const back = await run('js', 'console.log(y.length, y[0])', { keepState: true, session: js.end.session });
          assert.deepEqual([back.out, back.end.used.restored], [`${size} ä\n`, true], back.err);
          const info = await client.call('code.session', { session });
          assert.equal(info.state?.sha256, again.end.state?.sha256);
        }
      },
      { 'code.live': '1' },
    ),
);

test('a session has its own modules, whatever its interpreter has of the same names (long form)', needsPython, () =>
  withCode(
    async ({ run }) => {
      const names = ['json', 're', 'ast', 'base64', 'pickle', 'collections', 'functools', 'types', 'operator', 'traceback'];
      const files = names.map((name) => ({ name: `${name}.py`, text: `value = 'own ${name}'\n` }));
      // Before the interpreter starts, and after it.
      const early = await run('py', 'def f(): return 1\nx = [f()]\nprint(x)', { keepState: true, files });
      const late = await run('py', 'def f(): return 1\nx = [f()]\nprint(x)', { keepState: true });
      for (const { out, err, end } of [early, late]) {
        assert.deepEqual([out, end.notes], ['[1]\n', []], err);
        const { session } = end;
        const code = `import ${names.join(', ')}\nprint(${names.map((name) => `${name}.value`).join(', ')})`;
        const own = await run('py', code, { keepState: true, session, files });
        assert.deepEqual([own.out, own.end.notes], [`${names.map((name) => `own ${name}`).join(' ')}\n`, []], own.err);
        const failed = await run('py', '1 / 0', { keepState: true, session });
        assert.match(failed.err, /ZeroDivisionError/);
        const after = await run('py', 'print(f(), x, pickle.value)', { keepState: true, session });
        assert.deepEqual([after.out, after.end.used.interpreter, after.end.notes], ['1 [1] own pickle\n', 'live', []]);
        await run('js', '1', { keepState: true });
        const again = await run('py', 'print(f(), x, json.value)', { keepState: true, session });
        assert.deepEqual([again.out, again.end.used.restored], ['1 [1] own json\n', true], again.err);
      }
    },
    { 'code.live': '1' },
  ),
);

test('what extends pickle, and modules that come after the interpreter, are those of the program', needsPython, () =>
  withCode(
    async ({ run }) => {
      const code = `import re, copyreg, functools, enum, collections
Point = collections.namedtuple('Point', 'a b')
class Opaque:
  __slots__ = ('v',)
  def __getstate__(self): raise TypeError('not so')
copyreg.pickle(Opaque, lambda one: (complex, (one.v, 0)))
o = Opaque()
o.v = 4
r = re.compile('a+', re.I)
d = collections.OrderedDict(a=collections.Counter('aab'))
p = functools.partial(int, base=2)
`;
      const first = await run('py', code, { keepState: true });
      assert.deepEqual([first.end.exitCode, first.end.notes], [0, ['Not kept beyond the life of the interpreter: Point.']], first.err);
      await run('js', '1', { keepState: true });
      const again = await run('py', 'print(o, r.match("AAb")[0], dict(d["a"]), p("101"))', { keepState: true, session: first.end.session });
      assert.equal(again.out, "(4+0j) AA {'a': 2, 'b': 1} 5\n", again.err);
    },
    { 'code.live': '1' },
  ),
);

test('the limit of the output holds to the byte in a live session, and is not that of what is kept', needsPython, () =>
  withCode(async ({ run }) => {
    const limits = { outputBytes: 1024 };
    const full = await run('py', 'x = "x" * 15_000\nprint(end="y" * 1024)', { keepState: true, limits });
    assert.deepEqual([full.out.length, full.end.reason, full.end.notes], [1024, 'exit', []]);
    const { session } = full.end;
    const more = await run('py', 'import sys, time\nprint(end="ü" * 513, flush=True)\ntime.sleep(20)', {
      keepState: true,
      session,
      limits,
    });
    assert.deepEqual([more.out, more.end.reason, more.end.program?.limit?.name], ['ü'.repeat(512), 'output', 'outputBytes']);
    assert.deepEqual(
      [more.end.program?.omittedBytes, more.end.program?.outputBytes],
      [
        { stdout: 2, stderr: 0 },
        { stdout: 1024, stderr: 0 },
      ],
    );
    const flood = await run('py', 'import sys\nwhile True: print("z" * 1000, file=sys.stderr)', { keepState: true, session, limits });
    assert.deepEqual([flood.err.length, flood.end.reason], [1024, 'output']);
    const after = await run('py', 'print(len(x))', { keepState: true, session, limits });
    assert.deepEqual([after.out, after.end.used.restored], ['15000\n', true]);
  }),
);

test(
  'what code writes while its variables are written down is no output of it, and too much of that ends its interpreter',
  needsPython,
  () =>
    withCode(
      async ({ run }) => {
        const noisy = (size: number): string => `import os, sys
class Noisy:
  def __reduce__(self):
    print(end='n' * ${size}, flush=True)
    print(end='e' * 9, file=sys.stderr, flush=True)
    return (int, (7,))
noisy = Noisy()
print('said')`;
        const some = await run('py', noisy(5000), { keepState: true });
        assert.deepEqual([some.out, some.err, some.end.notes], ['said\n', '', []]);
        const { session } = some.end;
        const next = await run('py', 'print("next")', { keepState: true, session });
        assert.deepEqual([next.out, next.err, next.end.used.interpreter], ['next\n', '', 'live']);
        const flood = await run('py', noisy(30_000_000), { keepState: true, session });
        assert.deepEqual([flood.out, flood.end.reason, flood.end.notes.length], ['said\n', 'exit', 2], flood.end.notes.join());
        const after = await run('py', 'print(noisy)', { keepState: true, session });
        assert.deepEqual([after.out, after.end.used.restored], ['7\n', true]);
      },
      { 'code.stateBytes': '100000' },
    ),
);

test('an answer that is too large to be given leaves the session as it is after any other run (long form)', needsPython, () =>
  withCode(
    async ({ run, client }) => {
      const slow = `import time
class Slow:
  def __reduce__(self):
    time.sleep(1)
    return (int, (7,))
x = Slow()
print('y' * 200_000)`;
      const { session } = (await run('py', 'x = 1', { keepState: true })).end;
      await assert.rejects(client.call('code.run', { language: 'py', code: slow, keepState: true, session }), {
        reason: 'OUTPUT_TOO_LARGE',
      });
      const next = await run('py', 'print("next")\nx = 2', { keepState: true, session });
      assert.deepEqual([next.out, next.end.used.interpreter, next.end.notes], ['next\n', 'live', []]);
      const last = await run('py', 'print(x)', { keepState: true, session });
      assert.equal(last.out, '2\n');
    },
    { 'limits.outputBytes': '100000' },
  ),
);

test(
  'code that closes its outputs, or puts others in their place, is done all the same, and what it leaves is kept (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run }) => {
        const closings = [
          'sys.stdout.close()',
          'os.close(1)',
          'sys.stdout = None',
          'os.dup2(os.open("/dev/null", os.O_WRONLY), 1)',
          'sys.stderr.close()\nos.close(2) if False else None',
          'class Closing:\n  def __reduce__(self):\n    os.closerange(0, 3)\n    return (int, (7,))\nclosing = Closing()',
        ];
        for (const closing of closings) {
          const first = await run('py', `import os, sys\nprint('before', flush=True)\nx = 5\n${closing}`, { keepState: true });
          assert.deepEqual([first.out, first.end.exitCode, first.end.notes], ['before\n', 0, []], `${closing}: ${first.err}`);
          const { session } = first.end;
          const second = await run('py', 'x += 1', { keepState: true, session });
          assert.deepEqual(
            [second.end.exitCode, second.end.used.interpreter, second.end.notes],
            [0, 'live', []],
            `${closing}: ${second.err}`,
          );
          await run('js', '1', { keepState: true });
          const third = await run('py', 'print(x)', { keepState: true, session });
          assert.deepEqual([third.out, third.end.used.restored], ['6\n', true], closing);
        }
      },
      { 'code.live': '1' },
    ),
);

test('an input is that of its order, also where there was none before, or the code wrote to it', needsPython, () =>
  withCode(async ({ run }) => {
    const read = 'import os, sys\nprint(repr(sys.stdin.read()))\n';
    const first = await run('py', read, { keepState: true });
    const { session } = first.end;
    const said = [first.out];
    for (const [code, stdin] of [
      [read, 'one'],
      [read, ''],
      [`${read}os.pwrite(0, b"own", 0)`, ''],
      [read, ''],
      [`${read}sys.stdin.close()`, ''],
      [read, ''],
      [`${read}os.dup2(os.memfd_create("other"), 0); os.write(0, b"more"); os.lseek(0, 0, 0)`, ''],
      [read, ''],
    ] as const)
      said.push((await run('py', code, { keepState: true, session, stdin })).out);
    assert.deepEqual(said, ["''\n", "'one'\n", ...Array.from({ length: 7 }, () => "''\n")]);
  }),
);

test(
  'who does not read what his program wrote keeps nobody from running, and the health says what holds code back (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run, url, token }) => {
        // More than all buffers on the way to somebody who does not read.
        const flood = await fetch(`${url}/api/code.run`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, accept: 'application/x-ndjson', 'content-type': 'application/json' },
          body: JSON.stringify({ language: 'py', code: "print('x' * 60_000_000)", limits: { wallMs: 3000, outputBytes: 100_000_000 } }),
        });
        await new Promise((resolve) => setTimeout(resolve, 500));
        const begun = performance.now();
        assert.equal((await run('py', 'print(1)')).out, '1\n');
        assert.ok(performance.now() - begun < 8000, 'as soon as the first program is over, and long before anybody reads what it wrote');
        await flood.body?.cancel();
        const ready = await fetch(`${url}/readyz`, { headers: { authorization: `Bearer ${token}` } });
        const { checks } = (await ready.json()) as { checks: { name: string; text: string }[] };
        assert.match(checks.find(({ name }) => name === 'isolation')?.text ?? '', /^Code runs at rung \d/);
      },
      { 'code.atOnce': '1', 'code.maxOutputBytes': '100000000' },
    ),
);

const endings: readonly { language: string; code: string; files?: object[] }[] = [
  {
    // Left open, in a cycle, in a module of its own, by a thread that goes on, after the end.
    language: 'py',
    code: `import atexit, threading, time, other
class Last:
    def __del__(self):
        print('deleted')
class Knot: pass
last, knot = Last(), Knot()
knot.self, knot.file = knot, open('knot.txt', 'w')
knot.file.write('knot')
open('gone.txt', 'w').write('gone')
left = open('left.txt', 'wb')
left.write(b'left')
atexit.register(lambda: print('exit'))
def later():
    time.sleep(0.1)
    print('thread')
threading.Thread(target=later).start()
print('end', end='')
`,
    files: [{ name: 'other.py', text: "file = open('other.txt', 'w')\nfile.write('other')\n" }],
  },
  { language: 'py', code: "import sys, atexit\natexit.register(print, 'exit')\nprint('out')\nsys.exit('said')\n" },
  { language: 'py', code: "open('file.txt', 'w').write('kept')\nraise SystemExit(7)\n" },
  { language: 'py', code: "import ctypes\nctypes.CDLL(None).printf(b'by C')\n" },
  { language: 'py', code: 'import atexit\natexit.register(lambda: 1 / 0)\n' },
  {
    language: 'js',
    code: `process.on('exit', (code) => { console.log('exit', code, require.main === module, __filename, module.id); process.exitCode = 9; });
process.once('beforeExit', () => setTimeout(() => console.log('once more'), 20));
require('node:fs').createWriteStream('stream.txt').end('streamed');
setTimeout(() => console.log('later'), 20);
console.log(Object.keys(require.cache).length, process.argv.length);
`,
  },
  {
    language: 'js',
    code: "process.on('exit', () => console.log('exit'));\nprocess.stdout.write('x'.repeat(300_000));\nprocess.exit(3);\n",
  },
  { language: 'js', code: "process.exitCode = 4;\nthrow new Error('thrown');\n" },
  { language: 'js', code: "console.log('out');\nPromise.reject(new Error('rejected'));\n" },
];

test('an interpreter that waited ends its program as one that was started for it does (long form)', needsPython, async () => {
  const facts = async (run: Run, { language, code, files }: (typeof endings)[number]): Promise<[string, object]> => {
    const seen = await run(language, code, { files: files ?? [] });
    const { reason, exitCode, used } = seen.end;
    const texts = { out: seen.out, err: seen.err.replaceAll(/^node:internal.*$|^ +at .*$|^Node\.js v.*$|0x\w+/gm, '').trim() };
    return [
      used.interpreter,
      { reason, exitCode, ...texts, files: Object.fromEntries(seen.end.files.map(({ name, sha256 }) => [name, sha256])) },
    ];
  };
  const expected: object[] = [];
  await withCode(
    async ({ run }) => {
      for (const ending of endings) {
        const [how, found] = await facts(run, ending);
        assert.equal(how, 'cold');
        expected.push(found);
      }
    },
    { 'code.warm': '0' },
  );
  await withCode(async ({ run }) => {
    for (const [count, ending] of endings.entries())
      await eventually(async () => {
        const [how, found] = await facts(run, ending);
        assert.deepEqual(found, expected[count]);
        assert.equal(how, 'warm');
      });
  });
});

test('what an interpreter that waited becomes has its own modules, and its arguments as they were given', needsPython, () =>
  withCode(async ({ run }) => {
    const warm = async (code: string, more: Record<string, unknown> = {}): Promise<string> => {
      let out = '';
      await eventually(async () => {
        const seen = await run('py', code, more);
        assert.equal(seen.end.used.interpreter, 'warm');
        out = seen.out + seen.err;
      });
      return out;
    };
    const files = ['json', 're'].map((name) => ({ name: `${name}.py`, text: "value = 'own'\n" }));
    assert.equal(await warm('import json, re\nprint(json.value, re.value)', { files }), 'own own\n');
    const later =
      "import os, sys\nos.mkdir('lib')\nopen('lib/json.py', 'w').write('value = 1')\nsys.path.insert(0, 'lib')\nimport json\nprint(json.value)";
    assert.equal(await warm(later), '1\n');
    const args = ['"', "'", '\\', '\\n', 'a\tb\nc', '\u2028', '😀', 'null', '{true}', '# coding: latin-1'];
    const told = await warm('import sys, json\nprint(json.dumps(sys.argv[1:]))', { args });
    assert.deepEqual(JSON.parse(told), args);
  }),
);

test(
  'other limits, or a network, start the interpreter of a session anew, and two that work do not end each other (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run }) => {
        const first = await run('py', 'x = 1', { keepState: true });
        const { session } = first.end;
        const other = await run('py', 'print(x)', {
          keepState: true,
          session,
          limits: { processes: 40, cpuMs: 1000 },
          keepStdinOpen: true,
        });
        assert.deepEqual([other.out, other.end.used.interpreter, other.end.used.restored], ['1\n', 'cold', true]);
        assert.deepEqual([other.end.notes.length, /anew/.test(other.end.notes.join())], [2, true]);
        // The time is of each run.
        const same = await run('py', 'print(x)', { keepState: true, session, limits: { processes: 40, wallMs: 5000 } });
        assert.equal(same.end.used.interpreter, 'live');
        const both = await Promise.all(
          [1, 2, 3].map((n) => run('py', `import time\nprint(${n}, flush=True)\ntime.sleep(0.4)\ny = ${n}\nprint(y)`, { keepState: true })),
        );
        assert.deepEqual(
          both.map(({ end, out }) => [end.reason, out]),
          [1, 2, 3].map((n) => ['exit', `${n}\n${n}\n`]),
        );
      },
      { 'code.live': '1' },
    ),
);

test('a class of Java that is not public is started all the same (long form)', { skip: requireTool('javac') }, () =>
  withCode(async ({ run }) => {
    const hello = 'public static void main(String[] a) { System.out.println(Other.word()); }';
    const { out, err, end } = await run('java', `class Other { static String word() { return "hello"; } }\nclass Zed { ${hello} }\n`);
    assert.deepEqual([out, end.exitCode], ['hello\n', 0], err);
  }),
);

test(
  'the compiler of Java has its classes in a file from its second run on, and a run says so (long form)',
  { skip: requireTool('javac') },
  () =>
    withCode(async ({ run }) => {
      const code = (number: number): string =>
        `public class Code {\n  public static void main(String[] args) {\n    System.out.println(${number});\n  }\n}\n`;
      assert.equal((await run('java', code(1))).end.used.compilerSeed, false);
      let number = 1;
      await eventually(async () => {
        const { end, out } = await run('java', code(++number));
        assert.equal(out, `${number}\n`);
        assert.deepEqual([end.used.compileCache, end.used.compilerSeed], ['miss', true]);
      }, 30_000);
    }, {}),
);

test('Go has its packages from its second run on, and what a user compiles is not added to them (long form)', {
  skip: requireTool('go'),
}, async () => {
  const folder = path.join(os.tmpdir(), `outrigger-code-seeds-${process.pid}`);
  try {
    await withCode(
      async ({ run }) => {
        const code = (count: number): string =>
          `package main\n\nimport "strings"\n\nfunc main() {\n\tprintln(strings.Repeat("x", ${count}))\n}\n`;
        assert.equal((await run('go', code(1))).end.used.compilerSeed, false);
        let count = 1;
        await eventually(async () => {
          const { end } = await run('go', code(++count));
          assert.deepEqual([end.reason, end.used.compileCache, end.used.compilerSeed], ['exit', 'miss', true]);
        }, 60_000);
        const kept = (): string[] =>
          fs.readdirSync(path.join(ownCodeFolder(folder), 'seeds'), { recursive: true, encoding: 'utf8' }).sort();
        const before = kept();
        assert.ok(before.length > 256, 'a build cache has a folder for each first byte of a hash');
        assert.equal((await run('go', code(++count))).end.used.compilerSeed, true);
        assert.deepEqual(kept(), before);
      },
      { 'code.folder': folder },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('what was compiled of files that changed meanwhile is not kept for those as they were before', needsC, () =>
  withCode(async ({ client, sidecar }) => {
    const program = '#include <stdio.h>\n#include "v.h"\nint main(void) { puts(V); }\n';
    const caller = { id: 'ann', name: 'Ann', kind: 'person', access: 'execute' } as const;
    const ask = async (name: string, input: object, more: object = {}): Promise<unknown> =>
      (await sidecar.dispatch({ name, input, caller, transport: 'http', requestId: 'r', signal: new AbortController().signal, ...more }))
        .output;
    const put = async (session: string, words: string): Promise<void> => {
      const body = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from(`#define V "${words}"\n`);
      };
      await ask('code.putFile', { session, name: 'v.h' }, { body: body() });
    };
    const ran = async (session: string, onCompile = async (): Promise<void> => {}): Promise<[string, string]> => {
      let out = '';
      const emit = async (item: CodeItem): Promise<void> => {
        if (item.type === 'stage' && item.stage === 'compile') await onCompile();
        if (item.type === 'output') out += item.text;
      };
      const end = (await ask('code.run', { language: 'c', code: program, session }, { emit })) as CodeOutcome;
      return [out, end.used.compileCache];
    };
    const [one, other] = [await client.call('code.openSession', {}), await client.call('code.openSession', {})];
    for (const { id } of [one, other]) await put(id, 'one');
    assert.deepEqual(await ran(one.id, () => put(one.id, 'two')), ['two\n', 'miss']);
    assert.deepEqual(await ran(other.id), ['one\n', 'miss']);
    assert.deepEqual(await ran(other.id), ['one\n', 'hit']);
  }),
);
