import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HubAgentInfo, HubTaskInfo } from '../../contract/hub-operations.ts';
import { readAddress, writeAddress } from './fleet-address.ts';
import { agentFilter, agentShortcuts, shortcutOf, taskFilter, taskShortcuts, withState } from './fleet-filter.ts';

const task = (more: object): HubTaskInfo =>
  ({
    id: 'task-1',
    description: 'Fix the loan',
    state: 'ready',
    attempt: 0,
    needs: [],
    after: [],
    createdBy: 'owner',
    ...more,
  }) as unknown as HubTaskInfo;
const agent = (more: object): HubAgentInfo =>
  ({
    id: 'fixer-01',
    name: 'Fixer',
    state: 'online',
    capabilities: ['python'],
    labels: { os: 'linux' },
    tasks: [],
    secrets: 1,
    ...more,
  }) as unknown as HubAgentInfo;

test('tasks are found by words and by what is asked of their state, agent, needs and priority', () => {
  const finds = (text: string, more: object): boolean => taskFilter(text)(task(more));
  assert.equal(finds('', {}), true);
  assert.equal(finds('LOAN fix', {}), true);
  assert.equal(finds('loan csv', {}), false);
  assert.equal(finds('fixer', { holder: 'fixer-01' }), true);
  const id = 'task-0mwpnjf2158a0e51277248339';
  assert.deepEqual([finds('248339', { id }), finds(id, { id }), finds('1277', { id })], [true, true, false]);
  assert.equal(finds('state:queued', { state: 'scheduled' }), true);
  assert.equal(finds('state:running', { state: 'offered' }), true);
  assert.equal(finds('state:failed', { state: 'dead' }), true);
  assert.equal(finds('state:dead', { state: 'failed' }), false);
  assert.equal(finds('state:retry', { attempt: 1 }), true);
  assert.equal(finds('state:retry', {}), false);
  assert.equal(finds('state:failed agent:fixer-01', { state: 'failed', holder: 'fixer-01' }), true);
  assert.equal(finds('state:failed agent:fixer-01', { state: 'failed', holder: 'fixer-011' }), false);
  assert.equal(finds('needs:odoo', { needs: ['Odoo'] }), true);
  assert.equal(finds('priority:high by:owner', { priority: 'high' }), true);
  // While it is being typed it hides nothing, and what is no name of ours is a word.
  assert.equal(finds('state:', {}), true);
  assert.equal(finds('http://x', { description: 'read http://x/y' }), true);
});

test('agents are found by name, label and state', () => {
  const finds = (text: string, more: object = {}): boolean => agentFilter(text)(agent(more));
  assert.deepEqual([finds('fix'), finds('label:python'), finds('label:os=linux'), finds('label:pyth')], [true, true, true, false]);
  assert.deepEqual([finds('state:connected'), finds('state:offline'), finds('state:offline', { state: 'offline' })], [true, false, true]);
  assert.equal(finds('state:busy', { tasks: [{}] }), true);
});

test('a shortcut takes the place of the state that was asked for, and no other word', () => {
  assert.equal(withState('loan state:done agent:x', 'state:failed'), 'state:failed loan agent:x');
  assert.equal(withState('state:done', ''), '');
  assert.equal(shortcutOf('loan state:failed', taskShortcuts)?.label, 'Failed');
  assert.equal(shortcutOf('loan', agentShortcuts)?.label, 'All');
  assert.equal(shortcutOf('state:dead', taskShortcuts), undefined);
});

test('filters and the task that is shown stand in the address, and come back from it', () => {
  const address = { agents: 'label:a b', tasks: ' state:failed & more ', task: 'task-1' };
  const search = writeAddress(address);
  assert.equal(search, '?agents=label:a+b&tasks=state:failed+%26+more&task=task-1');
  assert.deepEqual(readAddress(search), { ...address, tasks: 'state:failed & more' });
  assert.equal(writeAddress({ agents: '', tasks: '', task: undefined }), '');
  assert.deepEqual(readAddress(''), { agents: '', tasks: '', task: undefined });
});
