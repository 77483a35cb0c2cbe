import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AgentMessageReader,
  closeOutputFrame,
  creditFrame,
  helloFrame,
  inputEndFrame,
  inputFrame,
  resizeFrame,
  signalFrame,
  startFrame,
} from './agent-wire.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

// The examples of docs/exec-agent.md; the program itself answers to the same in test/flows/exec-agent-frames.test.ts.
const examples: [string, Buffer, string][] = [
  ['hello', helloFrame('abc'), '04000000 01 00000000 01 616263'],
  [
    'start',
    startFrame(7, { argv: ['ls', '-l'], cwd: '/tmp', env: { A: 'ü' } }) as Buffer,
    '19000000 02 07000000 00 0000 0000 0200 0100 2f746d7000 6c7300 2d6c00 413dc3bc00',
  ],
  [
    'start in a terminal',
    startFrame(8, { argv: ['sh'], cwd: '/', env: {}, terminal: { columns: 80, rows: 24 } }) as Buffer,
    '0e000000 02 08000000 01 5000 1800 0100 0000 2f00 736800',
  ],
  ['input', inputFrame(7, Buffer.from('hi')), '02000000 03 07000000 6869'],
  ['the end of input', inputEndFrame(7), '00000000 04 07000000'],
  ['a signal', signalFrame(7, 15), '01000000 05 07000000 0f'],
  ['a new size', resizeFrame(8, { columns: 132.9, rows: 1e9 }), '04000000 06 08000000 8400 ffff'],
  ['credit', creditFrame(7, 1, 65_536), '05000000 07 07000000 01 00000100'],
  ['an output that nobody wants', closeOutputFrame(7, 2), '01000000 08 07000000 02'],
];
for (const [says, frame, bytes] of examples)
  test(`${says} has the bytes that the page shows`, () => assert.equal(frame.toString('hex'), hex(bytes).toString('hex')));

test('a start that the agent would not take is none', () => {
  const request = { argv: ['ls'] as [string, ...string[]], cwd: '/', env: {} };
  assert.ok(startFrame(1, request));
  for (const [says, changed] of Object.entries({
    'a NUL': { argv: ['a\0b'] as [string] },
    'a relative folder': { cwd: 'tmp' },
    'no program': { argv: [''] as [string] },
    'a variable without a name': { env: { '': 'x' } },
    'a name with =': { env: { 'a=b': 'x' } },
    'too many arguments': { argv: Array.from({ length: 4097 }, () => 'x') as [string] },
    'too many variables': { env: Object.fromEntries(Array.from({ length: 4097 }, (_, at) => [`v${at}`, ''])) },
    'too many bytes': { argv: ['ä'.repeat(600_000)] as [string] },
  }))
    assert.equal(startFrame(1, { ...request, ...changed }), undefined, says);
});

describe('what the agent sends', () => {
  const sent = hex(
    `
    01000000 41 00000000 01   04000000 42 00000000 40000000   01000000 43 00000000 04
    04000000 44 07000000 d2040000   05000000 45 08000000 06 02000000
    03000000 46 07000000 01 6869   01000000 47 07000000 02   04000000 48 07000000 00800000   00000000 49 07000000
    18000000 4a 07000000 03000000 00000000 a861000000000000 0040000000000000
    18000000 4a 08000000 ffffffff 09000000 0000000000000000 0000000000000000`.replaceAll('\n', ''),
  );
  const messages = [
    { type: 'greeting', protocol: 1 },
    { type: 'welcome', maxPrograms: 64 },
    { type: 'refused', refusal: 'bad-frame' },
    { type: 'started', id: 7, pid: 1234 },
    { type: 'failed', id: 8, stage: 'program', errno: 2 },
    { type: 'output', id: 7, stream: 1, bytes: Buffer.from('hi') },
    { type: 'outputEnd', id: 7, stream: 2 },
    { type: 'inputTaken', id: 7, bytes: 32_768 },
    { type: 'inputClosed', id: 7 },
    { type: 'exited', id: 7, exitCode: 3, signal: null, cpuMs: 25, maxRssBytes: 16_384 },
    { type: 'exited', id: 8, exitCode: null, signal: 9, cpuMs: 0, maxRssBytes: 0 },
  ];

  test('is read however it is cut', () => {
    for (const size of [1, 2, 9, 10, 50, sent.length]) {
      const reader = new AgentMessageReader();
      const read = [];
      for (let at = 0; at < sent.length; at += size) read.push(...reader.read(sent.subarray(at, at + size)));
      assert.deepEqual(read, messages, `in pieces of ${size}`);
    }
  });

  test('may be of a type that is not known, and is left out then', () => {
    assert.deepEqual(new AgentMessageReader().read(hex('03000000 c8 00000000 010203  00000000 49 07000000')), [
      { type: 'inputClosed', id: 7 },
    ]);
  });

  test('is refused when it is too long or too short', () => {
    assert.throws(() => new AgentMessageReader().read(hex('01000100 46 00000000')), /a frame of 65537 bytes/);
    assert.throws(() => new AgentMessageReader().read(hex('02000000 44 07000000 0000')), /too short/);
  });
});
