import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { explainConfig } from './explain.ts';
import { ConfigError, type ConfigInput, loadConfig, readSurroundings } from './load.ts';
import { envName, flagName, optionKeys, optionRow, options } from './options.ts';

function withFile(content: unknown, run: (file: string) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-config-'));
  try {
    const file = path.join(folder, 'config.json');
    fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    run(file);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function problemsOf(input: Partial<ConfigInput>): readonly string[] {
  try {
    loadConfig({ env: {}, ...input });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

test('a config file in the served folder is never looked for, and is read where it is named', () => {
  withFile({ port: 1 }, (file) => {
    const env = { WORKSPACE_PATH: path.dirname(file) };
    const beside = path.join(path.dirname(file), 'outrigger', 'config.json');
    fs.mkdirSync(path.dirname(beside));
    fs.copyFileSync(file, beside);
    assert.equal(loadConfig({ env }).config.port, 3000);
    assert.equal(loadConfig({ env, file }).config.port, 1);
    assert.equal(loadConfig({ env: { ...env, OUTRIGGER_CONFIG: file } }).config.port, 1);
  });
});

test('a flag wins over the environment, that over a file, that over the default; each value says where it is from', () => {
  withFile({ port: 1, host: 'file', owner: 'file', documents: { maxOpen: 7 }, 'git.name': 'file' }, (file) => {
    const loaded = loadConfig({
      env: { OUTRIGGER_CONFIG: file, OUTRIGGER_PORT: '2', OUTRIGGER_HOST: 'env', OUTRIGGER_OWNER: '' },
      flags: { port: '3' },
    });
    const { config } = loaded;
    assert.deepEqual(
      [config.port, config.host, config.owner, config['documents.maxOpen'], config['git.name'], config['log.level']],
      [3, 'env', 'file', 7, 'file', 'info'],
    );
    const sources = Object.fromEntries(explainConfig(loaded).map(({ key, source }) => [key, source]));
    assert.deepEqual(
      [sources['port'], sources['host'], sources['owner'], sources['log.level']],
      ['--port', 'OUTRIGGER_HOST', file, 'default'],
    );
    assert.throws(() => Object.assign(config, { port: 9 }), TypeError);
  });
});

test('a home that is no folder, or that this user may not enter, has no config file; one that was named has to be there', (context) => {
  assert.deepEqual(problemsOf({ env: { HOME: '/dev/null' } }), []);
  assert.match(problemsOf({ env: {}, file: '/dev/null/config.json' })[0] ?? '', /can't be read: ENOTDIR/);
  const refuse = (file: fs.PathLike): never => {
    throw Object.assign(new Error(`EACCES: permission denied, open '${String(file)}'`), { code: 'EACCES' });
  };
  withFile('{}', (file) => {
    const home = path.dirname(file);
    fs.mkdirSync(path.join(home, 'outrigger'));
    context.mock.method(fs, 'readFileSync', refuse);
    assert.match(problemsOf({ env: { XDG_CONFIG_HOME: home } })[0] ?? '', /can't be read: EACCES/);
    context.mock.method(fs, 'accessSync', refuse);
    assert.deepEqual(problemsOf({ env: { XDG_CONFIG_HOME: home } }), []);
    context.mock.restoreAll();
  });
});

test('state and configuration lie below the home where XDG_STATE_HOME and XDG_CONFIG_HOME are empty, as where they are not set', () => {
  const env = { HOME: '/home/ada', XDG_STATE_HOME: '', XDG_CONFIG_HOME: '' };
  assert.deepEqual(readSurroundings(env), readSurroundings({ HOME: env.HOME }));
  assert.equal(readSurroundings(env).stateHome, path.join(env.HOME, '.local', 'state'));
});

test('the names of the seeds are aliases; our own name wins', () => {
  const { config } = loadConfig({ env: { WORKSPACE_PATH: '/seed', API_PORT: '3100', WS_PORT: '3101', OUTRIGGER_PORT: '3200' } });
  assert.deepEqual([config.root, config.port, config.wsPort], ['/seed', 3200, 3101]);
});

test('what Kubernetes puts into the environment for a service of our name is not taken for a port', () => {
  const { config } = loadConfig({
    env: { OUTRIGGER_PORT: 'tcp://10.96.0.1:3000', API_PORT: 'tcp://10.96.0.2:80', OUTRIGGER_PORT_3000_TCP: 'tcp://10.96.0.1:3000' },
  });
  assert.equal(config.port, 3000);
});

test('every problem is told at once, with what was given, what is allowed, and the name that was meant', () => {
  withFile({ prot: 1, logLevel: 'info', documents: { maxBytes: 'many' }, components: ['files', 'got'], readOnly: 'perhaps' }, (file) => {
    const problems = problemsOf({
      file,
      env: { OUTRIGGER_PORT: '70000', OUTRIGGER_LOG_LEVEL: 'loud', OUTRIGGER_TOKEN: 'short', OUTRIGGER_STOP_GRACE_MS: '1.5' },
      flags: { host: true, allowedHosts: 'app.example.com,*.example.com', allowedOrigins: 'example.com' },
    });
    const expected = [
      /there is no option "prot".*Did you mean port\?/,
      /there is no option "logLevel".*Did you mean log\.level\?/,
      /documents\.maxBytes: "many" is not a whole number/,
      /components: "got" is none of files, documents, history, search, git, .*workbench/,
      /readOnly: "perhaps" is neither true nor false/,
      /OUTRIGGER_PORT: 70000 is not between 0 and 65535/,
      /OUTRIGGER_LOG_LEVEL: "loud" is none of debug, info, warn, error, silent/,
      /OUTRIGGER_STOP_GRACE_MS: "1\.5" is not a whole number/,
      /--host: true is not a text/,
      /--allowed-hosts: "\*\.example\.com" would match no host; write "\.example\.com"/,
      /--allowed-origins: "example\.com" is no origin/,
      /at least 16 characters/,
    ];
    for (const pattern of expected)
      assert.ok(
        problems.some((problem) => pattern.test(problem)),
        `${pattern} in\n${problems.join('\n')}`,
      );
    assert.equal(problems.length, expected.length);
  });
});

test('a token is one that a header can carry, whole', () => {
  const says = /^The token may hold letters, digits and signs of ASCII, no space and no comma/;
  for (const token of ['correct horse battery staple', 'schlüssel-für-den-ordner', 'one,two,three,four,five', `${'x'.repeat(20)}\n`])
    assert.match(problemsOf({ env: { OUTRIGGER_TOKEN: token } }).join(), says, token);
  withFile('a b c d e f g h i j\n', (tokenFile) => assert.match(problemsOf({ flags: { tokenFile } }).join(), says));
  assert.deepEqual(problemsOf({ env: { OUTRIGGER_TOKEN: "!#$%&'()*+-./09:;<=>?@AZ[]^_`az{|}~" } }), []);
});

test('a config file that is named must be there and hold one object', () => {
  assert.match(problemsOf({ file: '/nowhere/config.json' }).join(), /can't be read/);
  assert.match(problemsOf({ env: { OUTRIGGER_CONFIG: '/nowhere/config.json' } }).join(), /can't be read/);
  for (const [content, pattern] of [
    ['{', /is not JSON/],
    ['[]', /one JSON object/],
    ['null', /one JSON object/],
    ['"x"', /one JSON object/],
  ] as const) {
    withFile(content, (file) => assert.match(problemsOf({ file }).join(), pattern));
  }
  assert.deepEqual(problemsOf({ env: { HOME: '/nowhere' } }), [], 'the one of the user may be missing');
  assert.deepEqual(problemsOf({ env: { OUTRIGGER_CONFIG: '' } }), [], 'nothing is no name');
  withFile('\uFEFF{"port": 4321}', (file) => assert.equal(loadConfig({ file, env: {} }).config.port, 4321));
  withFile('{"token":hunter2-hunter2}', (file) => assert.doesNotMatch(problemsOf({ file }).join(), /unter/));
});

test('a secret is not taken as a flag, not shown, and not quoted in a problem', () => {
  const secret = 'a-secret-of-some-length';
  assert.match(problemsOf({ flags: { token: secret } }).join(), /--token: secrets are not taken from the command line.*OUTRIGGER_TOKEN/);
  assert.doesNotMatch(problemsOf({ flags: { token: secret } }).join(), new RegExp(secret));
  withFile({ token: 1_234_567 }, (file) => assert.doesNotMatch(problemsOf({ file }).join(), /1234567/));
  assert.doesNotMatch(JSON.stringify(explainConfig(loadConfig({ env: { OUTRIGGER_TOKEN: secret } }))), new RegExp(secret));
});

test('the token may come from a file, but not from two places', () => {
  withFile('  a-token-from-a-file \n', (file) => {
    assert.equal(loadConfig({ env: { OUTRIGGER_TOKEN_FILE: file } }).config.token, 'a-token-from-a-file');
    assert.match(
      problemsOf({ env: { OUTRIGGER_TOKEN_FILE: file, OUTRIGGER_TOKEN: 'another-token-of-mine' } }).join(),
      /Only one of token and tokenFile/,
    );
  });
  withFile('\n', (file) => assert.deepEqual(problemsOf({ env: { OUTRIGGER_TOKEN_FILE: file } }).length, 1));
  assert.match(problemsOf({ env: { OUTRIGGER_TOKEN_FILE: '/nowhere' } }).join(), /tokenFile can't be read/);
});

test('an object is JSON in a flag and in the environment, and itself in a file; what is none is a problem', () => {
  const given = { site: { argv: ['true'] } };
  const text = JSON.stringify(given);
  assert.deepEqual(loadConfig({ env: {}, flags: { 'deploy.profiles': text } }).config['deploy.profiles'], given);
  assert.deepEqual(loadConfig({ env: { OUTRIGGER_DEPLOY_PROFILES: text } }).config['deploy.profiles'], given);
  for (const broken of ['[]', 'null', '{', 'x'])
    assert.match(problemsOf({ flags: { 'deploy.profiles': broken } }).join(), /is no JSON object/);
});

test('what an object holds that is none is not told: profiles have secrets in their environment', () => {
  const secret = 'hunter2-of-the-database';
  for (const broken of [`{"site": {"env": {"PGPASSWORD": "${secret}"},}}`, `["${secret}"]`, `"${secret}"`, secret])
    for (const given of [{ env: { OUTRIGGER_DEPLOY_PROFILES: broken } }, { flags: { 'deploy.profiles': broken } }]) {
      const [problem = '', ...more] = problemsOf(given);
      assert.deepEqual([problem.includes(secret), more], [false, []], problem);
    }
  const [problem] = problemsOf({ env: { OUTRIGGER_DEPLOY_PROFILES: '{\n  "site": {"argv": ["true"],}\n}' } });
  assert.match(problem ?? '', /^OUTRIGGER_DEPLOY_PROFILES: .* is no JSON object: .*line 2/);
});

test('two listeners can not have one port', () => {
  assert.match(problemsOf({ env: { API_PORT: '3000', WS_PORT: '3000' } }).join(), /port and wsPort are both 3000/);
  assert.match(problemsOf({ flags: { port: '3000', runnerPort: '3000' } }).join(), /port and runnerPort are both 3000/);
  assert.match(problemsOf({ flags: { wsPort: '3001', runnerPort: '3001' } }).join(), /wsPort and runnerPort are both 3001/);
  assert.deepEqual(problemsOf({ flags: { port: '0', wsPort: '0', runnerPort: '0' } }), []);
});

test('every option says what it is for, has names of its own, and a default that fits', () => {
  const names = optionKeys.flatMap((key) => [envName(key), flagName(key), ...(optionRow(key).env ?? [])]);
  assert.equal(new Set(names).size, names.length);
  assert.equal(envName('documents.maxBytes'), 'OUTRIGGER_DOCUMENTS_MAX_BYTES');
  assert.equal(flagName('limits.jsonMessagesPerS'), 'limits-json-messages-per-s');
  for (const key of optionKeys) {
    const row = optionRow(key);
    assert.ok(row.text.length > 10, key);
    if (row.type === 'integer') assert.ok(row.unit !== undefined && row.min !== undefined && row.max !== undefined, key);
    if (row.default !== undefined && row.secret !== true) {
      const { config } = loadConfig({
        env: {},
        flags: {
          [key]: Array.isArray(row.default) ? row.default : row.type === 'object' ? JSON.stringify(row.default) : String(row.default),
        },
      });
      assert.deepEqual(config[key], row.default, key);
    }
  }
  assert.deepEqual(Object.keys(options), optionKeys);
});

test('a temporary folder that is named from here is the same one from anywhere', () => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = 'somewhere/below';
  try {
    assert.equal(loadConfig({ env: {} }).surroundings.temporary, path.resolve('somewhere/below'));
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
});
