import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endSentence, portUrl, type ProcessEnd, stateWords } from './process-words.ts';

const ended = (more: Partial<ProcessEnd>): ProcessEnd => ({ state: 'ended', restarts: 0, ...more });

test('each state and each end has its words', () => {
  const rows: [ProcessEnd, string, string][] = [
    [{ state: 'running', restarts: 0 }, 'running', 'running'],
    [{ state: 'running', restarts: 2 }, 'running', 'running, restarted 2 ×'],
    [{ state: 'waiting', restarts: 2 }, 'waiting', 'starts again'],
    [ended({ reason: 'exit', exitCode: 0 }), 'done', 'exited 0'],
    [ended({ reason: 'exit', exitCode: 3 }), 'failed', 'exited 3'],
    [ended({ reason: 'signal', exitSignal: 'SIGSEGV' }), 'failed', 'ended by SIGSEGV'],
    [ended({ reason: 'timeout' }), 'failed', 'time limit'],
    [ended({ reason: 'stopped' }), 'stopped', 'stopped'],
    [ended({ reason: 'lost' }), 'failed', 'lost'],
    [ended({ reason: 'failed', problem: 'No such program.' }), 'failed', 'not started'],
  ];
  for (const [process, tone, text] of rows) assert.deepEqual(stateWords(process), { tone, text });
  assert.equal(endSentence(ended({ reason: 'exit', exitCode: 1 })), 'Ended with exit code 1.');
  assert.equal(endSentence(ended({ reason: 'failed', problem: 'No such program.' })), 'Not started: No such program.');
});

test('a port is a link where the page can reach it, and text where that is not known', () => {
  assert.equal(portUrl('0.0.0.0', 8069, 'local', 'localhost'), 'http://localhost:8069/');
  assert.equal(portUrl('::', 8069, 'local', 'dev.example.org'), 'http://dev.example.org:8069/');
  assert.equal(portUrl('127.0.0.1', 3000, 'local', 'localhost'), 'http://localhost:3000/');
  assert.equal(portUrl('127.0.0.1', 3000, 'local', 'dev.example.org'), undefined);
  assert.equal(portUrl('10.0.0.4', 3000, 'local', 'localhost'), 'http://10.0.0.4:3000/');
  assert.equal(portUrl('0.0.0.0', 8069, 'app', 'localhost'), undefined);
});
