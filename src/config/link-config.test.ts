import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { LinkConfigError, loadLinkConfig } from './link-config.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-link-config-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'config.json');
fs.writeFileSync(path.join(folder, 'empty'), '\n');
fs.writeFileSync(path.join(folder, 'long'), 'x'.repeat(300));
fs.writeFileSync(path.join(folder, 'two-lines'), 'one\ntwo\n');
fs.writeFileSync(path.join(folder, 'token'), 'from-a-file\n');
fs.writeFileSync(path.join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n');

const good = { agent_id: 'builder-1', token: 'secret-1', hub_url: 'wss://hub.example.org/ws' };

function problemsOf(content: unknown): readonly string[] {
  fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  try {
    loadLinkConfig(file);
  } catch (error) {
    assert.ok(error instanceof LinkConfigError, String(error));
    return error.problems;
  }
  return [];
}

test('a config with what is required has defaults for all else, and paths from its own folder', () => {
  assert.deepEqual(problemsOf(good), []);
  const config = loadLinkConfig(folder);
  assert.deepEqual(config, {
    file,
    agentId: 'builder-1',
    token: 'secret-1',
    tokenPlace: { file, kind: 'config' },
    url: 'wss://hub.example.org/ws',
    name: 'builder-1',
    capabilities: [],
    labels: {},
    wakeCommand: undefined,
    confirmationTimeoutMs: 30_000,
    resultsFolder: path.join(folder, 'results'),
    logFile: undefined,
    logLevel: 'info',
    root: folder,
    concurrency: 1,
    branches: false,
    ca: undefined,
    allow: 'none',
    paths: undefined,
    jitter: 'full',
    timeouts: { dialMs: 10_000, identifyMs: 10_000, pingMs: 30_000, pongMs: 10_000, stopMs: 1000 },
    warnings: [],
  });
});

test('all fields are taken, null means that one is not there, and nothing is expanded', () => {
  fs.mkdirSync(path.join(folder, 'repo'), { recursive: true });
  const text = JSON.stringify({
    agent_id: 'b',
    token: null,
    token_file: 'token',
    hub_url: 'ws://10.0.0.1:4000/ws',
    insecure: true,
    name: '${HOME}',
    capabilities: ['code', 'python'],
    labels: { os: 'linux' },
    wake_command: ['claude', '--task', '${TASK_ID}'],
    confirmation_timeout_ms: 500,
    results_dir: './out',
    log_file: 'logs/link.log',
    log_level: 'debug',
    repo_dir: 'repo',
    concurrency: 3,
    branches: true,
    ca_file: 'ca.pem',
    allow: 'write',
    paths: ['./src/', 'docs'],
    jitter: 'none',
    timeouts: { ping_ms: 5000, pong_ms: 4000 },
    ollama_url: 'http://localhost:11434',
  });
  // As an editor on Windows writes it.
  fs.writeFileSync(file, `\uFEFF${text}`);
  const config = loadLinkConfig(file);
  assert.deepEqual(
    [config.token, config.tokenPlace, config.name, config.wakeCommand],
    ['from-a-file', { file: path.join(folder, 'token'), kind: 'alone' }, '${HOME}', ['claude', '--task', '${TASK_ID}']],
  );
  assert.deepEqual(
    [config.resultsFolder, config.logFile, config.root],
    [path.join(folder, 'out'), path.join(folder, 'logs/link.log'), path.join(folder, 'repo')],
  );
  assert.deepEqual([config.paths, config.allow, config.jitter, config.concurrency], [['src', 'docs'], 'write', 'none', 3]);
  assert.deepEqual(config.timeouts, { dialMs: 10_000, identifyMs: 10_000, pingMs: 5000, pongMs: 4000, stopMs: 1000 });
  assert.match(config.ca ?? '', /BEGIN CERTIFICATE/);
  assert.deepEqual(config.warnings, ['ollama_url is no field of a link and has no effect.']);
});

test('a missing file says how to make one, and a file that can not be read says why', () => {
  assert.throws(
    () => loadLinkConfig(path.join(folder, 'missing.json')),
    /missing\.json is not there.*outrigger init link FOLDER.*config\.json\.example/,
  );
  fs.mkdirSync(path.join(folder, 'none'), { recursive: true });
  assert.throws(() => loadLinkConfig(path.join(folder, 'none')), /config\.json is not there/);
});

const broken: (readonly [says: string, content: unknown, problem: RegExp])[] = [
  ['no JSON', '{"agent_id": }', /^\S+config\.json is not JSON: .*Comments and commas/],
  ['a comma too much', `{"agent_id": "a",}`, /is not JSON/],
  ['an empty file', '', /is not JSON/],
  ['a list', [], /must hold one JSON object/],
  ['null', null, /must hold one JSON object/],
  ['a text', '"x"', /must hold one JSON object/],
  ['no agent_id', { ...good, agent_id: undefined }, /agent_id is missing\. Write the id/],
  ['a null agent_id', { ...good, agent_id: null }, /agent_id is missing/],
  ['an empty agent_id', { ...good, agent_id: ' ' }, /agent_id is empty\. Fill it in/],
  ['a number as agent_id', { ...good, agent_id: 7 }, /agent_id is a number\. Write a text in quotes/],
  ['a long agent_id', { ...good, agent_id: 'x'.repeat(129) }, /agent_id is longer than 128 characters\. Shorten/],
  ['no token', { ...good, token: undefined }, /token is missing\. Write what the hub gave.*token_file/],
  ['an empty token', { ...good, token: '' }, /token is empty/],
  ['the token of the example', { ...good, token: 'paste the token of this agent here' }, /token is still what the example says/],
  ['a token with a line end', { ...good, token: 'secret\n' }, /token holds spaces, line ends.*Copy it again/],
  ['a long token', { ...good, token: 'x'.repeat(257) }, /token is longer than 256/],
  ['a list as token', { ...good, token: ['x'] }, /token is a list/],
  ['two tokens', { ...good, token_file: 'token' }, /token stands beside token_file\. Leave one/],
  ['a token file that is not there', { ...good, token: undefined, token_file: 'gone' }, /token_file \S+gone can't be read.*Put the token/],
  ['an empty token file', { ...good, token: undefined, token_file: 'empty' }, /token_file \S+empty is empty/],
  ['a long token file', { ...good, token: undefined, token_file: 'long' }, /token_file \S+long is longer than 256.*alone/],
  ['a token file of two lines', { ...good, token: undefined, token_file: 'two-lines' }, /token_file holds spaces, line ends/],
  ['no hub_url', { ...good, hub_url: undefined }, /hub_url is missing\. Write the address/],
  ['a hub_url that is none', { ...good, hub_url: 'hub.example.org' }, /hub_url "hub\.example\.org" is no address/],
  ['http', { ...good, hub_url: 'http://localhost:4000/ws' }, /hub_url begins with http:\/\/\. Write ws:\/\/ instead/],
  ['https', { ...good, hub_url: 'https://hub.example.org/ws' }, /Write wss:\/\/ instead/],
  ['another protocol', { ...good, hub_url: 'ftp://hub.example.org' }, /hub_url begins with ftp:\. Write wss/],
  ['a password in hub_url', { ...good, hub_url: 'wss://me:pw@hub.example.org/ws' }, /hub_url holds a name or a password/],
  ['a part after # in hub_url', { ...good, hub_url: 'wss://hub.example.org/ws#x' }, /hub_url has a part after #/],
  ['ws:// over the network', { ...good, hub_url: 'ws://hub.example.org/ws' }, /hub_url would carry the token in clear.*"insecure": true/],
  [
    'a name that begins as an address of loopback',
    { ...good, hub_url: 'ws://127.hub.example.org/ws' },
    /hub_url would carry the token in clear/,
  ],
  ['insecure as a text', { ...good, insecure: 'yes' }, /insecure is a text\. Write true or false/],
  ['a name that is an object', { ...good, name: {} }, /name is an object/],
  ['capabilities as a text', { ...good, capabilities: 'code' }, /capabilities is a text\. Write a list of texts/],
  ['a number in capabilities', { ...good, capabilities: ['code', 1] }, /capabilities has an entry that is no text/],
  ['too many capabilities', { ...good, capabilities: Array.from({ length: 1001 }, String) }, /capabilities has 1001 entries/],
  ['a long capability', { ...good, capabilities: ['x'.repeat(257)] }, /capabilities has an entry longer than 256/],
  ['labels as a list', { ...good, labels: ['linux'] }, /labels is a list\. Write an object of texts/],
  ['a number in labels', { ...good, labels: { cores: 8 } }, /labels says a number for "cores"/],
  ['a long name in labels', { ...good, labels: { ['x'.repeat(257)]: 'y' } }, /labels has a name of more than 256 characters/],
  ['a wake_command that is a number', { ...good, wake_command: 1 }, /wake_command is a number\. Write a text, or the program/],
  ['an empty wake_command', { ...good, wake_command: '' }, /wake_command is empty/],
  ['a wake_command of nothing', { ...good, wake_command: [] }, /wake_command is an empty list/],
  ['a wake_command without a program', { ...good, wake_command: ['', 'x'] }, /wake_command names no program/],
  ['a number in wake_command', { ...good, wake_command: ['sleep', 1] }, /wake_command has an entry that is no text/],
  [
    'a text as timeout',
    { ...good, confirmation_timeout_ms: '30000' },
    /confirmation_timeout_ms is "30000"\. Write a whole number of milliseconds/,
  ],
  ['a timeout of 0', { ...good, confirmation_timeout_ms: 0 }, /confirmation_timeout_ms is 0\. Write a number between 1 and/],
  ['an unknown log_level', { ...good, log_level: 'verbose' }, /log_level is "verbose"\. Write one of "debug"/],
  ['a results_dir that is a flag', { ...good, results_dir: true }, /results_dir is a boolean/],
  ['a results_dir that is a file', { ...good, results_dir: 'token' }, /results_dir \S+token is no folder\. Name a folder/],
  ['a results_dir below a file', { ...good, results_dir: 'token/x/y' }, /results_dir \S+(token is no folder|token\S* can't be written)/],
  ...(process.platform === 'linux'
    ? [['a results_dir of the system', { ...good, results_dir: '/proc/x/y' }, /results_dir \/proc\/x\/y is of the system/] as const]
    : []),
  ['a repo_dir that is not there', { ...good, repo_dir: 'nowhere' }, /repo_dir \S+nowhere is no folder/],
  ['a concurrency of a half', { ...good, concurrency: 0.5 }, /concurrency is 0\.5\. Write a whole number/],
  ['a concurrency of 0', { ...good, concurrency: 0 }, /concurrency is 0\. Write a number between 1 and 1000/],
  ['branches as a text', { ...good, branches: 'true' }, /branches is a text/],
  ['a ca_file that is not there', { ...good, ca_file: 'gone.pem' }, /ca_file \S+gone\.pem can't be read/],
  ['a ca_file without a certificate', { ...good, ca_file: 'token' }, /ca_file \S+token holds no certificate in PEM/],
  ['allow admin', { ...good, allow: 'admin' }, /allow is "admin"\. Write one of "none", "read"/],
  ['paths above the folder', { ...good, allow: 'read', paths: ['../x'] }, /paths has "\.\.\/x"\. Write paths inside/],
  ['absolute paths', { ...good, allow: 'read', paths: ['/etc'] }, /paths has "\/etc"/],
  ['an unknown jitter', { ...good, jitter: 'half' }, /jitter is "half"\. Write one of "full", "none"/],
  ['timeouts as a number', { ...good, timeouts: 5 }, /timeouts is a number\. Write an object/],
  ['an unknown timeout', { ...good, timeouts: { pings: 5 } }, /timeouts has "pings"\. There are dial_ms/],
  ['a timeout that is too long', { ...good, timeouts: { ping_ms: 1e9 } }, /timeouts\.ping_ms is 1000000000\. Write a number between/],
  ['a pong that may be later than the next ping', { ...good, timeouts: { ping_ms: 10, pong_ms: 20 } }, /timeouts pong_ms \(20\) is longer/],
  ['a field with a letter wrong', { ...good, wake_comand: 'x' }, /wake_comand is no field of a link\. Did you mean wake_command\?/],
  ['a field in another case', { agentID: 'x', ...good }, /agentID is no field of a link\. Did you mean agent_id\?/],
];
for (const [says, content, problem] of broken) {
  test(`${says}: the answer names the field and what to do, and shows no token`, () => {
    const problems = problemsOf(content);
    assert.equal(problems.filter((one) => problem.test(one)).length, 1, problems.join('\n') || 'no problem was found');
    assert.ok(!problems.join('\n').includes('secret'), problems.join('\n'));
  });
}

test('a wake_command that can not be split is a problem among the others', () => {
  fs.writeFileSync(file, JSON.stringify({ ...good, wake_command: 'echo | cat', results_dir: 'token' }));
  const split = (): never => {
    throw new Error('No shell is used.');
  };
  assert.throws(
    () => loadLinkConfig(file, split),
    (error) =>
      error instanceof LinkConfigError &&
      error.problems.length === 2 &&
      /wake_command can't be taken: No shell/.test(error.problems[0] ?? ''),
  );
  fs.writeFileSync(file, JSON.stringify({ ...good, wake_command: ['echo', '|'] }));
  assert.deepEqual(loadLinkConfig(file, split).wakeCommand, ['echo', '|']);
});

test('all that is wrong is told at once', () => {
  assert.equal(problemsOf({ token: 1, capabilities: {}, allow: 'all' }).length, 5);
});
