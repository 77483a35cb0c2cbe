import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodeOutcome } from '../../contract/code.ts';
import { scriptedOutcome, scriptedStage } from '../../../test/kit/scripted-code.ts';
import { accessProblem, endWords, figures, isolationWords, stageLine } from './run-words.ts';

type Stage = NonNullable<CodeOutcome['program']>;
const mib = 1024 * 1024;

function ended(stage: Partial<Stage>, stopped = false): string {
  const program = scriptedStage(stage);
  const { text } = endWords(scriptedOutcome({ reason: program.reason, exitCode: program.exitCode, program }), stopped);
  return text;
}

test('each way to end has its words, with the limit that was met', () => {
  assert.equal(ended({}), 'Exited 0');
  assert.equal(ended({ exitCode: 3 }), 'Exited 3');
  assert.equal(ended({ reason: 'signal', exitCode: null, signal: 'SIGSEGV' }), 'Signal 11 (SIGSEGV)');
  assert.equal(ended({ reason: 'signal', exitCode: null, signal: 'SIGRTMIN' }), 'Ended by SIGRTMIN');
  assert.equal(ended({ reason: 'timeout', exitCode: 124, limit: { name: 'wallMs', value: 10_000 } }), 'Time limit 10 s');
  assert.equal(ended({ reason: 'cpu', limit: { name: 'cpuMs', value: 2_000 } }), 'CPU limit 2 s');
  assert.equal(ended({ reason: 'memory', limit: { name: 'memoryBytes', value: 512 * mib } }), 'Memory limit 512 MiB');
  assert.equal(ended({ reason: 'output', limit: null }), 'Output limit 1 MiB');
  assert.equal(ended({ reason: 'processes', limit: { name: 'processes', value: 64 } }), 'Process limit 64');
  assert.equal(ended({ reason: 'disk', limit: { name: 'fileBytes', value: 10 * mib } }), 'File size limit 10 MiB');
  assert.equal(ended({ reason: 'failed', problem: 'There is no python3.' }), 'Not started: There is no python3.');
  assert.equal(ended({ reason: 'canceled', exitCode: null }, true), 'Stopped by you');
  assert.equal(ended({ reason: 'canceled', exitCode: null }), 'Stopped');
});

test('a program that did not compile says so first', () => {
  const outcome = scriptedOutcome({ exitCode: 1, compile: scriptedStage({ exitCode: 1 }), program: null });
  assert.deepEqual(endWords(outcome, false), { tone: 'failed', text: 'Not compiled: exited 1' });
  assert.equal(stageLine('Compile', outcome.compile, outcome.limits, false), 'Compile: exited 1 · 1.4 s · CPU 310 ms');
  assert.equal(stageLine('Compile', outcome.compile, outcome.limits, true), 'Compile: exited 1 · compiled before');
  assert.equal(stageLine('Run', null, undefined, false), 'Run');
});

test('figures leave out what nobody counted, and say what was used', () => {
  assert.deepEqual(figures(scriptedOutcome()), ['1.4 s', 'CPU 310 ms', 'peak 84 MiB']);
  const uncounted = scriptedOutcome({
    program: scriptedStage({ cpuMs: null, memoryBytes: null }),
    used: { compileCache: 'hit', interpreter: 'live', transform: 'none', compilerSeed: false, restored: true },
  });
  assert.deepEqual(figures(uncounted), ['1.4 s', 'compiled before', 'live interpreter', 'variables restored']);
});

test('isolation is never called more than it is', () => {
  assert.deepEqual(isolationWords({ rung: 0, holds: ['time'], open: ['files'] }), { text: 'Not isolated', warn: true });
  assert.deepEqual(isolationWords({ rung: 2, holds: ['files'], open: ['memory'] }), { text: 'Partly isolated', warn: true });
  assert.deepEqual(isolationWords({ rung: 3, holds: ['files'], open: [] }), { text: 'Isolated', warn: false });
  assert.deepEqual(isolationWords({ rung: 3, holds: [], open: [] }), { text: 'Isolation not proven', warn: true });
});

test('who may not run is told which access is missing', () => {
  assert.equal(accessProblem(false, true), undefined);
  assert.match(accessProblem(true, false) ?? '', /read access/);
  assert.match(accessProblem(false, false) ?? '', /edit, not run/);
});
