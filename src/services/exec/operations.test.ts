import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { OutriggerError } from '../../contract/errors.ts';
import { withSessions } from '../../../test/kit/session-harness.ts';
import { call, chunks } from '../../../test/kit/workspace-harness.ts';
import { type CodeServices, codeOperations } from './operations.ts';

test('variables that are sent are not taken when their call ends while a run makes room for them', () =>
  withSessions(async ({ folder, start }) => {
    const sessions = start();
    const session = sessions.open();
    await sessions.variables.put(session, Buffer.from('old'));
    const leaving = new AbortController();
    const gone = new OutriggerError('TOKEN_REVOKED', 'That token was revoked.');
    const close = async (): Promise<void> => leaving.abort(gone);
    const operations = codeOperations({ runs: { close }, sessions } as unknown as CodeServices);
    const put = async (): Promise<unknown> =>
      operations['code.putState']({ session: session.id }, call({ signal: leaving.signal, body: chunks('new') }));
    await assert.rejects(put(), gone);
    assert.equal(sessions.variables.read(session).bytes.toString(), 'old');
    assert.deepEqual(fs.readdirSync(path.join(folder, session.id)), ['data']);
  }));

test('nobody comes to a session that is being closed, and a file that is on its way there is told so', () =>
  withSessions(async ({ folder, start }) => {
    const sessions = start();
    const session = sessions.open('agent');
    const [begun, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('first');
      begun.resolve();
      await rest.promise;
      yield Buffer.from('rest');
    };
    let next = '';
    const close = async (): Promise<void> => {
      assert.throws(() => sessions.use(session.id), { reason: 'NO_SESSION' });
      next = sessions.open('agent').id;
    };
    const operations = codeOperations({ runs: { close }, sessions } as unknown as CodeServices);
    const put = async (): Promise<unknown> => operations['code.putFile']({ session: session.id, name: 'file.txt' }, call({ body: slow() }));
    const coming = put();
    await begun.promise;
    await operations['code.closeSession']({ session: session.id }, call());
    rest.resolve();
    await assert.rejects(coming, { reason: 'NO_SESSION' });
    assert.deepEqual([sessions.use(next).entity, fs.existsSync(path.join(folder, session.id))], ['agent', false]);
  }));
