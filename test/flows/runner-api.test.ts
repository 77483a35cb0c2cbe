import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { lentSidecar, type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';

type Ask = (method: string, where: string, body?: unknown, headers?: Record<string, string>) => Promise<{ status: number; body: Json }>;
type Json = Record<string, unknown>;

/** Asks the runner, without a token. */
function runner({ sidecar }: RunningSidecar): Ask {
  return async (method, where, body, headers = {}) => {
    const isForm = body instanceof FormData;
    const response = await fetch(`${sidecar.runnerUrl}${where}`, {
      method,
      headers: { ...(isForm || body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: isForm || typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // A file, as it is.
    }
    return { status: response.status, body: parsed as Json };
  };
}

const open: SidecarSetup = { config: { runnerPort: '0', runnerLanguage: 'bash', 'anonymous.runner': 'execute' } };
const python: SidecarSetup = { config: { ...open.config, runnerLanguage: 'python' } };
/** Those that look at what lies in the folder have a sidecar of their own. */
const withOpen = lentSidecar(open);

test('a run answers its exit code, both streams and its time', () =>
  withOpen(async (running) => {
    const ask = runner(running);
    const { status, body } = await ask('POST', '/execute', { code: 'echo out; echo err >&2; exit 3', timeout: 5 });
    assert.equal(status, 200);
    assert.ok(typeof body['execution_time_ms'] === 'number');
    assert.deepEqual({ ...body, execution_time_ms: 0 }, { exit_code: 3, stdout: 'out\n', stderr: 'err\n', execution_time_ms: 0 });
    const killed = await ask('POST', '/execute', { code: 'kill -KILL $$' });
    assert.deepEqual([killed.body['exit_code'], killed.body['stderr']], [137, 'Execution ended by signal SIGKILL']);
  }));

describe('what goes wrong in the original', () => {
  test('stderr of a run that succeeds is kept', () =>
    withOpen(async (running) => {
      const { body } = await runner(running)('POST', '/execute', { code: 'echo warning >&2' });
      assert.deepEqual([body['exit_code'], body['stderr']], [0, 'warning\n']);
    }));

  test('a time limit is said, with what was written before it, and it holds for children too', () =>
    withOpen(async (running) => {
      const begun = performance.now();
      const code = 'echo partly; (sleep 8; echo late) & sleep 8';
      const { body } = await runner(running)('POST', '/execute', { code, timeout: 1 });
      assert.deepEqual([body['exit_code'], body['stdout'], body['stderr']], [124, 'partly\n', 'Execution timed out after 1 seconds']);
      assert.ok(performance.now() - begun < 3000, `${Math.round(performance.now() - begun)} ms`);
    }));

  test('a compiled program is ended at its limit (long form)', { skip: requireTool('gcc') }, () =>
    withSidecar(
      async (running) => {
        const begun = performance.now();
        const { body } = await runner(running)('POST', '/execute', { code: 'int main(void) { for (;;); }', timeout: 1, language: 'rust' });
        assert.deepEqual(
          [body['exit_code'], body['stderr']],
          [124, 'Execution timed out after 1 seconds'],
          'the language of the listener is run',
        );
        assert.ok(performance.now() - begun < 4000);
      },
      { config: { ...open.config, runnerLanguage: 'c' } },
    ),
  );

  test('a child that holds the output does not hold the answer', () =>
    withOpen(async (running) => {
      const begun = performance.now();
      const { body } = await runner(running)('POST', '/execute', { code: 'sleep 10 & echo done' });
      assert.deepEqual([body['exit_code'], body['stdout']], [0, 'done\n']);
      assert.ok(performance.now() - begun < 5000);
    }));

  test('no other folder is worked in', () =>
    withOpen(async (running) => {
      const ask = runner(running);
      for (const working_dir of ['/etc', '/mnt/data/../..', '/mnt/data-evil', '..', '/mnt/data/../data'])
        assert.deepEqual(await ask('POST', '/execute', { code: 'pwd', working_dir }), { status: 403, body: { detail: 'Access denied' } });
      for (const working_dir of ['/mnt/data', '/mnt/data/', '.', ''])
        assert.equal((await ask('POST', '/execute', { code: 'true', working_dir })).body['exit_code'], 0);
    }));

  test('runs at the same time do not get in each other’s way', () =>
    withOpen(async (running) => {
      const ask = runner(running);
      // None ends before all have come: what comes later finds the folder that the first left.
      const runs = Array.from({ length: 8 }, (_, n) => ask('POST', '/execute', { code: `echo ${n} > mine; sleep 1; cat mine` }));
      const answers = await Promise.all(runs);
      assert.deepEqual(
        answers.map(({ body }) => body['stdout']),
        Array.from({ length: 8 }, (_, n) => `${n}\n`),
      );
    }));

  test('a run that finds the folder gets no files of those that began before it in the middle', () =>
    withSidecar(async (running) => {
      const ask = runner(running);
      const long = ask('POST', '/execute', { code: 'echo long > mine; sleep 2' });
      await ask('POST', '/execute', { code: 'echo short > mine' });
      const late = ask('POST', '/execute', { code: 'echo late > mine; sleep 3; cat mine' });
      assert.equal((await late).body['stdout'], 'late\n');
      assert.equal((await long).body['exit_code'], 0);
      assert.equal((await ask('GET', '/files/mine')).body, 'late\n');
    }, open));

  test('arguments reach the program', () =>
    withOpen(async (running) => {
      const { body } = await runner(running)('POST', '/execute', { code: 'printf "%s|" "$@"', args: ['a b', '$HOME'] });
      assert.equal(body['stdout'], 'a b|$HOME|');
    }));
});

test('files come, are found by runs, which leave others behind, and go', () =>
  withSidecar(async (running) => {
    const ask = runner(running);
    assert.deepEqual(await ask('GET', '/files'), { status: 200, body: { files: [] } });
    const form = new FormData();
    form.append('files', new Blob(['1,2\n']), '../in put.csv');
    form.append('files', new Blob(['x']), 'x.bin');
    assert.deepEqual((await ask('POST', '/files', form)).body, {
      uploaded: [
        { name: 'in_put.csv', path: '/mnt/data/in_put.csv', size: 4, mime_type: 'text/csv; charset=utf-8' },
        { name: 'x.bin', path: '/mnt/data/x.bin', size: 1, mime_type: 'application/octet-stream' },
      ],
    });
    const code = 'cat in_put.csv; mkdir -p deep/er; echo made > deep/er/made.txt; rm x.bin';
    assert.equal((await ask('POST', '/execute', { code })).body['stdout'], '1,2\n');
    const { files } = (await ask('GET', '/files')).body as { files: Json[] };
    assert.deepEqual(
      files.map(({ path, size }) => [path, size]),
      [
        ['in_put.csv', 4],
        ['deep/er/made.txt', 5],
      ],
    );
    assert.equal((await ask('GET', '/files/deep/er/made.txt')).body, 'made\n');
    assert.equal((await ask('GET', '/files/%2Fmnt%2Fdata%2Fdeep%2Fer%2Fmade.txt')).body, 'made\n');
    assert.deepEqual((await ask('GET', '/files/deep')).body, {
      files: [{ name: 'made.txt', path: 'deep/er/made.txt', size: 5, mime_type: 'text/plain; charset=utf-8' }],
    });
    assert.deepEqual(await ask('DELETE', '/files/deep'), { status: 200, body: { deleted: 'deep' } });
    assert.deepEqual(await ask('DELETE', '/files/deep'), { status: 404, body: { detail: 'File not found' } });
    assert.deepEqual(await ask('DELETE', '/files/'), { status: 403, body: { detail: 'Cannot delete working directory' } });
    assert.equal((await ask('POST', '/files', new FormData())).status, 422);
    assert.equal((await ask('POST', '/execute', { code: 'ls *.*v *.bin 2>/dev/null' })).body['stdout'], 'in_put.csv\n');
  }, open));

test('files of other names that are made the same are two, and one name twice in a form is refused', () =>
  withSidecar(async (running) => {
    const ask = runner(running);
    const form = new FormData();
    for (const name of ['报告.csv', '数据.csv']) form.append('files', new Blob([name]), name);
    const { body } = await ask('POST', '/files', form);
    assert.deepEqual(
      (body['uploaded'] as Json[]).map(({ path }) => path),
      ['/mnt/data/__.csv', '/mnt/data/__-2.csv'],
    );
    assert.equal((await ask('GET', '/files/__.csv')).body, '报告.csv');
    assert.equal((await ask('GET', '/files/__-2.csv')).body, '数据.csv');
    form.append('files', new Blob(['again']), '数据.csv');
    const refused = await ask('POST', '/files', form);
    assert.deepEqual([refused.status, refused.body['detail']], [400, 'Two files of the form are called "数据.csv".']);
  }, open));

test('what a first run leaves behind is there for the next', () =>
  withSidecar(async (running) => {
    const ask = runner(running);
    await ask('POST', '/execute', { code: 'echo kept > kept.txt' });
    assert.equal((await ask('POST', '/execute', { code: 'cat kept.txt' })).body['stdout'], 'kept\n');
    await ask('DELETE', '/files/kept.txt');
    const { sessions } = await running.client.call('code.sessions', {});
    assert.equal(sessions.length, 1, 'one session is all that is left');
  }, open));

test('paths that lead out of the folder are refused, however they are written', () =>
  withOpen(async (running) => {
    const { port } = new URL(running.sidecar.runnerUrl ?? '');
    // `fetch` would take the dots out.
    for (const path of [
      '/files/../../etc/passwd',
      '/files/%2e%2e/x',
      '/files/..%2f..%2fetc%2fpasswd',
      '/files//etc/passwd',
      '/files/%2Fetc%2Fpasswd',
    ]) {
      const asked = http.get({ host: '127.0.0.1', port, path });
      const [response] = (await once(asked, 'response')) as [http.IncomingMessage];
      assert.deepEqual([response.statusCode, JSON.parse(await textOf(response))], [403, { detail: 'Access denied' }], path);
    }
    assert.equal((await runner(running)('GET', '/files/%00')).status, 404);
    assert.ok([400, 404].includes((await runner(running)('GET', '/files/%ff')).status));
  }));

test('an unknown language ends with 1, other requests of a wrong form with 422', () =>
  withSidecar(
    async (running) => {
      const ask = runner(running);
      const { status, body } = await ask('POST', '/execute', { code: 'x', language: 'cobol' });
      assert.deepEqual([status, body['exit_code'], body['stderr']], [200, 1, 'Unsupported language: cobol']);
      assert.equal((await ask('POST', '/execute', { code: 'echo 1', language: 'sh' })).body['stdout'], '1\n');
      const missing = await ask('POST', '/execute', { language: 'sh' });
      assert.deepEqual(
        [missing.status, missing.body],
        [422, { detail: [{ loc: ['body', 'code'], msg: 'Field required', type: 'missing' }] }],
      );
      for (const wrong of [{ code: 1 }, { code: 'x' }, { code: 'x', language: 'sh', timeout: 'x' }, '{', '[]'])
        assert.equal((await ask('POST', '/execute', wrong)).status, 422, JSON.stringify(wrong));
      assert.equal((await ask('PUT', '/execute')).status, 405);
      assert.deepEqual(await ask('GET', '/nowhere'), { status: 404, body: { detail: 'Not Found' } });
    },
    { config: { runnerPort: '0', 'anonymous.runner': 'execute' } },
  ));

test('what is too long, too many or of another type is told by its field, as all that is of another form', () =>
  withOpen(async (running) => {
    const ask = runner(running);
    const told = async (more: Json): Promise<unknown> => {
      const { status, body } = await ask('POST', '/execute', { code: 'echo 1', ...more });
      return [status, ...(body['detail'] as Json[]).map(({ loc }) => loc)];
    };
    assert.deepEqual(await told({ args: Array.from({ length: 501 }, () => 'x') }), [422, ['body', 'args']]);
    assert.deepEqual(await told({ args: ['x'.repeat(100_001)] }), [422, ['body', 'args', '0']]);
    for (const capture_state of ['true', 1, []]) assert.deepEqual(await told({ capture_state }), [422, ['body', 'capture_state']]);
    assert.equal((await ask('POST', '/execute', { code: 'echo 1', capture_state: null })).body['stdout'], '1\n');
    const form = new FormData();
    form.append('files', new Blob(['x']), 'x'.repeat(5000));
    const { status, body } = await ask('POST', '/files', form);
    assert.deepEqual([status, (body['detail'] as Json[])[0]?.['loc']], [422, ['body', 'name']]);
  }));

test('a time limit out of bounds is brought into them, and the answer says so', () =>
  withOpen(async (running) => {
    const ask = runner(running);
    for (const [timeout, taken] of [
      [-5, 1],
      [0, 1],
      [1e12, 120],
    ] as const) {
      const { body } = await ask('POST', '/execute', { code: 'echo 1', timeout });
      assert.deepEqual([body['exit_code'], body['stderr']], [0, `note: The timeout is ${taken} seconds: ${timeout} is out of bounds`]);
    }
  }));

test('health tells the language, ready whether it can be run, both without a token', () =>
  withSidecar(
    async (running) => {
      const ask = runner(running);
      const { body } = await ask('GET', '/health');
      assert.deepEqual({ ...body, timestamp: '' }, { status: 'healthy', language: 'bash', working_dir: '/mnt/data', timestamp: '' });
      assert.deepEqual(await ask('GET', '/ready'), { status: 200, body: { status: 'ready' } });
    },
    { config: { runnerPort: '0', runnerLanguage: 'bash' } },
  ));

test('a listener of a language that is switched off is never ready', () =>
  withSidecar(async (running) => assert.equal((await runner(running)('GET', '/ready')).status, 503), {
    config: { runnerPort: '0', runnerLanguage: 'bash', 'code.rollout': JSON.stringify({ bash: 'off' }) },
  }));

test('without anonymous.runner a token is needed, and a wrong one is refused in any case', async () => {
  await withSidecar(
    async (running) => {
      const ask = runner(running);
      assert.equal((await ask('POST', '/execute', { code: 'echo 1' })).status, 401);
      assert.equal((await ask('GET', '/files')).status, 401);
      const allowed = await ask('POST', '/execute', { code: 'echo 1' }, { authorization: `Bearer ${running.token}` });
      assert.equal(allowed.body['stdout'], '1\n');
    },
    { config: { runnerPort: '0', runnerLanguage: 'bash' } },
  );
  await withSidecar(async (running) => {
    const wrong = await runner(running)('POST', '/execute', { code: 'echo 1' }, { authorization: 'Bearer wrong' });
    assert.equal(wrong.status, 401);
  }, open);
});

test('variables are taken with a run and given to the next', { skip: requireTool('python3') }, () =>
  withSidecar(async (running) => {
    const ask = runner(running);
    const first = await ask('POST', '/execute', { code: 'x = 41', capture_state: true });
    assert.deepEqual([first.body['exit_code'], first.body['state_errors']], [0, []]);
    assert.equal(typeof first.body['state'], 'string');
    const second = await ask('POST', '/execute', { code: 'print(x + 1)', initial_state: first.body['state'] });
    assert.deepEqual([second.body['stdout'], second.body['stderr']], ['42\n', '']);
    const third = await ask('POST', '/execute', { code: 'print(x)' });
    assert.equal(third.body['exit_code'], 1, 'they are those of the request alone');
  }, python),
);

test('of runs with variables so many wait for each other in the folder; those who go away are none of them', () =>
  withSidecar(async (running) => {
    const ask = runner(running);
    const form = new FormData();
    form.append('files', new Blob(['x']), 'a.txt');
    assert.equal((await ask('POST', '/files', form)).status, 200);
    const leaving = new AbortController();
    const answers: number[] = [];
    const body = JSON.stringify({ code: 'sleep 30', initial_state: 'AAAA' });
    const headers = { 'content-type': 'application/json' };
    const runs = Array.from({ length: 67 }, async () => {
      const { status } = await fetch(`${running.sidecar.runnerUrl}/execute`, { method: 'POST', headers, body, signal: leaving.signal });
      answers.push(status);
    });
    await eventually(() => assert.deepEqual(answers, [429, 429]), 10_000);
    leaving.abort();
    await Promise.allSettled(runs);
    assert.equal((await ask('POST', '/execute', { code: 'echo here', initial_state: 'AAAA' })).body['stdout'], 'here\n');
    assert.deepEqual(answers, [429, 429]);
  }, open));

test('so many runs wait for one that began before there were files; those who go away are none of them', () =>
  withSidecar(async (running) => {
    const ask = runner(running);
    const leaving = new AbortController();
    const answers: number[] = [];
    const asked = async (code: string): Promise<void> => {
      const headers = { 'content-type': 'application/json' };
      const given = { method: 'POST', headers, body: JSON.stringify({ code }), signal: leaving.signal };
      answers.push((await fetch(`${running.sidecar.runnerUrl}/execute`, given)).status);
    };
    const first = asked('sleep 60');
    await eventually(async () => assert.equal((await running.client.call('code.sessions', {})).sessions.length, 1));
    const form = new FormData();
    form.append('files', new Blob(['x']), 'a.txt');
    assert.equal((await ask('POST', '/files', form)).status, 200);
    const others = Array.from({ length: 66 }, () => asked('true'));
    await eventually(() => assert.deepEqual(answers, [429, 429]), 10_000);
    leaving.abort();
    await Promise.allSettled([first, ...others]);
    assert.equal((await ask('POST', '/execute', { code: 'echo here' })).body['stdout'], 'here\n');
    assert.deepEqual(answers, [429, 429]);
  }, open));

test('nobody gets variables of another request, and those that were not kept are told of', { skip: requireTool('python3') }, () =>
  withSidecar(
    async (running) => {
      const ask = runner(running);
      const captured = async (code: string, more: Json = {}): Promise<Json> =>
        (await ask('POST', '/execute', { code, capture_state: true, ...more })).body;
      // With a file in the folder its session stays from one request to the next.
      const form = new FormData();
      form.append('files', new Blob(['x']), 'a.txt');
      assert.equal((await ask('POST', '/files', form)).status, 200);
      const first = await captured('secret = 41');
      assert.equal(typeof first['state'], 'string');
      const second = await captured('print(secret)');
      assert.equal(second['exit_code'], 1);
      assert.match(String(second['stderr']), /NameError/);
      const large = await captured('big = "x" * 300_000');
      assert.deepEqual([large['exit_code'], large['state']], [0, null]);
      assert.match(String(large['state_errors']), /too large/);
      const late = await captured('import time\ntime.sleep(9)', { timeout: 1, initial_state: first['state'] });
      assert.deepEqual([late['exit_code'], late['state'], (late['state_errors'] as string[]).length], [124, null, 1]);
      const next = await captured('secret += 1\nprint(secret)', { initial_state: first['state'] });
      assert.deepEqual([next['stdout'], typeof next['state'], next['state_errors']], ['42\n', 'string', []]);
    },
    { config: { ...python.config, 'code.stateBytes': '100000' } },
  ),
);
