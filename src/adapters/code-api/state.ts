import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OutriggerError } from '../../contract/errors.ts';
import { ask, askBytes, type Asking } from './ask.ts';
import { liveSession } from './exec.ts';
import { matches, sendFile } from './files.ts';
import { knownId } from './request-form.ts';

/** The kept variables of a session, as bytes that clients may keep for longer than we do. */
export function routeState(scope: FastifyInstance, asking: (request: FastifyRequest, reply: FastifyReply) => Promise<Asking>): void {
  const sessionIn = (request: FastifyRequest): string => {
    const id = knownId((request.params as { session: string }).session);
    if (id === undefined) throw new OutriggerError('NO_SESSION', 'There is no such session');
    return id;
  };

  scope.get('/state/:session', async (request, reply) => {
    const caller = await asking(request, reply);
    const session = sessionIn(request);
    const { state } = await ask(caller, 'code.session', { session });
    if (state === null) throw new OutriggerError('NO_STATE', 'No state for session');
    if (matches(request.headers['if-none-match'], state.sha256)) return reply.code(304).header('etag', `"${state.sha256}"`).send();
    const { head, bytes } = await askBytes(caller, 'code.getState', { session });
    await sendFile(request, reply, { sha256: head.sha256, size: head.bytes, contentType: 'application/octet-stream' }, bytes);
    return reply;
  });

  scope.get('/state/:session/info', async (request, reply) => {
    const { session: id } = request.params as { session: string };
    const session = await liveSession(await asking(request, reply), knownId(id));
    if (session === undefined || session.state === null) return { exists: false, session_id: id };
    return {
      exists: true,
      session_id: id,
      size_bytes: session.state.bytes,
      hash: session.state.sha256,
      created_at: new Date(session.state.savedAt).toISOString(),
      expires_at: new Date(session.expiresAt).toISOString(),
      source: 'session',
    };
  });

  // The bytes themselves are the body, whatever type is named, or none.
  scope.register((inner, _options, done) => {
    inner.removeAllContentTypeParsers();
    inner.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
    inner.post('/state/:session', async (request, reply) => {
      const caller = await asking(request, reply);
      const { bytes, sha256 } = await ask(caller, 'code.putState', { session: sessionIn(request) }, { body: request.raw });
      return reply.code(201).header('etag', `"${sha256}"`).send({ message: 'state_uploaded', size: bytes });
    });
    done();
  });

  scope.delete('/state/:session', async (request, reply) => {
    const caller = await asking(request, reply);
    try {
      await ask(caller, 'code.removeState', { session: sessionIn(request) });
    } catch (error) {
      // What is not there need not be removed.
      if (!(error instanceof OutriggerError) || (error.reason !== 'NO_SESSION' && error.reason !== 'NO_STATE')) throw error;
    }
    return reply.code(204).send();
  });
}
