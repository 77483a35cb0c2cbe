// Code runs against a real sidecar: files, input, limits, their turns, and what is refused.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { markedWith } from '../../src/services/processes/process-facts.ts';
import { bytesOf, named, needsPython, runOn, withCode } from '../kit/code-runs.ts';
import { eventually } from '../kit/eventually.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { standStill } from '../kit/stand-still.ts';

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

test('input whose caller went before the program had room for it never comes, and keeps nobody waiting', needsPython, () =>
  withCode(async ({ client, log }) => {
    const code = `import os, sys, time
while not os.path.exists('go.txt'): time.sleep(0.01)
text = sys.stdin.read()
print(text.count('x'), text.strip('x'))`;
    const stream = client.stream('code.run', { language: 'py', code, keepStdinOpen: true });
    let out = '';
    for await (const item of stream) {
      if (item.type === 'output') out += item.text;
      if (item.type !== 'started') continue;
      const { run, session } = item;
      // More than fits into a pipe.
      const fills = client.call('code.input', { run, text: 'x'.repeat(1_000_000) });
      const signal = AbortSignal.timeout(100);
      await assert.rejects(client.call('code.input', { run, text: 'lost', end: true }, { signal }), { reason: 'CANCELED' });
      await eventually(() => log.some(({ operation, outcome }) => operation === 'code.input' && outcome === 'CANCELED'));
      const kept = client.call('code.input', { run, text: 'kept', end: true });
      await client.upload('code.putFile', { session, name: 'go.txt' }, (async function* () {})());
      await Promise.all([fills, kept]);
    }
    assert.equal(out, '1000000 kept\n');
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

test('a run that ended in its time while the sidecar stood still has not met its limit', needsPython, () =>
  withCode(async ({ client }) => {
    const code = 'import time\nprint("begun", flush=True)\ntime.sleep(0.2)\nprint("done")';
    await client.call('code.run', { language: 'py', code: '1' });
    for (const keepState of [false, true]) {
      const stream = client.stream('code.run', { language: 'py', code, limits: { wallMs: 1500 }, keepState });
      let out = '';
      for await (const item of stream) {
        if (item.type !== 'output') continue;
        out += item.text;
        if (out === 'begun\n') standStill(2500);
      }
      const { reason, exitCode } = await stream.end;
      assert.deepEqual([out, reason, exitCode], ['begun\ndone\n', 'exit', 0], `state kept: ${keepState}`);
    }
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

test('where memory runs out, the kernel ends a run before the sidecar', needsPython, () =>
  withCode(async ({ run }) => {
    const program = (read: string): string => `import subprocess\n${read}\n`;
    for (const read of ['print(open("/proc/self/oom_score_adj").read())', 'subprocess.run(["cat", "/proc/self/oom_score_adj"])'])
      assert.equal((await run('py', program(read))).out.trim(), '1000', read);
    const { out } = await run('js', 'console.log(require("node:fs").readFileSync("/proc/self/oom_score_adj", "utf8"))');
    assert.equal(out.trim(), '1000');
  }),
);

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
