import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Item, Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { closeCodes } from '../../contract/wire.ts';
import { refuseOtherMethods } from '../../net/http-app.ts';
import { callerSignal } from '../../net/response-flow.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import { platxaCloseCodes, TOKEN_ENDED } from './close-codes.ts';

/** Of the output of one deployment, the last so many characters are answered. */
const MAX_OUTPUT = 256 * 1024;
/** A reader of the log who is this far behind waits for what comes until it has caught up. */
const MAX_BEHIND_BYTES = 1024 * 1024;
const MAX_LINE = 64 * 1024;
const profiles = ['odoo', 'odoo-install'];

type DeployRun = Operations['deploy.run'];
type FollowItem = Item<Operations['deploy.follow']>;

/** POST /deploy/{module} and /install/{module}: the outcome is in the body, with status 200 also where odoo failed. */
export function registerOdooRoutes(
  app: FastifyInstance,
  { dispatch, callerOf }: { dispatch: Dispatch; callerOf: (request: FastifyRequest) => Promise<Caller> },
): void {
  const deploy =
    (profile: string) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const caller = await callerOf(request);
      const { module } = request.params as { module: string };
      let output = '';
      const emit = (item: unknown): void => {
        output = (output + (item as Item<DeployRun>).text).slice(-MAX_OUTPUT);
      };
      try {
        const { output: answer } = await dispatch({
          name: 'deploy.run',
          input: { profile, parameters: { module } },
          caller,
          transport: 'platxa',
          requestId: request.id,
          signal: callerSignal(reply.raw),
          emit,
        });
        const { deployment, rollback } = answer as Output<DeployRun>;
        const { commit, error } = deployment;
        if (deployment.state === 'succeeded') return { success: true, commit, output };
        return { success: false, error, output, commit, ...(rollback === undefined ? {} : { rolledBack: rollback.state === 'succeeded' }) };
      } catch (error) {
        if (!(error instanceof OutriggerError) || (error.reason !== 'BAD_INPUT' && error.reason !== 'DEPLOY_BUSY')) throw error;
        reply.code(error.status);
        return { success: false, error: error.reason === 'BAD_INPUT' ? 'Invalid module name' : error.message, output: '' };
      }
    };
  for (const [route, profile] of [
    ['/deploy/:module', 'odoo'],
    ['/install/:module', 'odoo-install'],
  ] as const) {
    app.post(route, deploy(profile));
    refuseOtherMethods(app, route, ['POST']);
  }
}

/** Sends the log of Odoo's deployments, a message for each line, until the socket closes. */
export function serveOdooLog(socket: TextSocket, { dispatch, caller }: { dispatch: Dispatch; caller: Caller }, requestId: string): void {
  const ended = new AbortController();
  const end = (): void => ended.abort(new OutriggerError('CANCELED', 'The socket closed.'));
  const unauthorised = (): void => {
    socket.close(platxaCloseCodes.unauthorised, TOKEN_ENDED);
    end();
  };
  caller.ended?.addEventListener('abort', unauthorised, { once: true });
  socket.onClose(() => {
    caller.ended?.removeEventListener('abort', unauthorised);
    end();
  });
  let drained: (() => void) | undefined;
  socket.onDrain(() => drained?.());
  const send = async (line: string): Promise<void> => {
    socket.send(line);
    // What follows waits in the log, which leaves out what nobody read in time.
    if (socket.buffered > MAX_BEHIND_BYTES) await new Promise<void>((resolve) => (drained = resolve));
  };
  /** Of each output, what is no whole line so far. */
  const rest = { stdout: '', stderr: '' };
  const sendRest = async (stream: keyof typeof rest): Promise<void> => {
    const { [stream]: line } = rest;
    rest[stream] = '';
    if (line !== '') await send(line);
  };
  const emit = async (item: unknown): Promise<void> => {
    const one = item as FollowItem;
    if (one.type === 'output') {
      const { stream, text, lost } = one;
      if (lost !== undefined) {
        await sendRest(stream);
        await send(`… ${lost} bytes are not kept any more …`);
      }
      const lines = (rest[stream] + text).split(/\r?\n/);
      rest[stream] = lines.pop() ?? '';
      for (const line of lines) await send(line);
      if (rest[stream].length > MAX_LINE) await sendRest(stream);
    } else if (one.deployment.endedAt !== undefined) {
      await sendRest('stdout');
      await sendRest('stderr');
      if (one.deployment.error !== undefined) await send(one.deployment.error);
    }
  };
  ended.signal.addEventListener('abort', () => drained?.());
  if (caller.ended?.aborted === true) return unauthorised();
  dispatch({ name: 'deploy.follow', input: { profiles }, caller, transport: 'platxa', requestId, signal: ended.signal, emit }).catch(
    (error: unknown) => {
      if (ended.signal.aborted) return;
      const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'It failed inside.');
      socket.close(known.reason === 'STOPPING' ? closeCodes.goingAway : platxaCloseCodes.badRequest, known.message);
    },
  );
}
