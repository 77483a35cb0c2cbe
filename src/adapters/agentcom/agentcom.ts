import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { allowsLevel, type Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { agentFrames, hubFrames } from '../../contract/hub.ts';
import { type HubAgentInfo, type HubTaskDetail, type HubTaskInfo, taskPriorities } from '../../contract/hub-operations.ts';
import { answerGet } from '../../net/answer-get.ts';
import { refuseOtherMethods } from '../../net/http-app.ts';
import { askBeforeLongBodies, type AuthenticateDependencies, requestCaller } from '../../net/authenticate.ts';
import { readCredentials } from '../../net/credentials.ts';

/**
 * AgentCom's HTTP paths on a hub of ours (github.com/notno/AgentCom, lib/agent_com/endpoint.ex): the same requests and answers,
 * with a Bearer token, over the hub's own operations.
 */
export interface AgentComDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  /** Spends an enrolment token. Throws BAD_TOKEN, BAD_INPUT where that can be no agent's id, ALREADY_THERE. */
  enrol: (token: string, agent: string) => string;
  /** Where the hub listens, e.g. `http://127.0.0.1:4000`. */
  url: () => string;
}

const MAX_LISTED = 1000;

/** Its words for our states. */
const statusOf: Readonly<Record<HubTaskInfo['state'], string>> = {
  scheduled: 'queued',
  ready: 'queued',
  offered: 'assigned',
  running: 'assigned',
  succeeded: 'completed',
  failed: 'dead_letter',
  dead: 'dead_letter',
  cancelled: 'cancelled',
};

type Body = Readonly<Record<string, unknown>>;

export function registerAgentCom(app: FastifyInstance, dependencies: AgentComDependencies, options: { cookieName: string }): void {
  app.register(async (scope) => route(scope, dependencies, options));
}

/** Of the routes that do not only answer GET. */
const others: Readonly<Record<string, readonly string[]>> = {
  '/api/tasks': ['GET', 'POST'],
  '/api/admin/push-task': ['POST'],
  '/api/tasks/:id/retry': ['POST'],
  '/api/tasks/:id/cancel': ['POST'],
  '/api/onboard/register': ['POST'],
};

function route(app: FastifyInstance, dependencies: AgentComDependencies, options: { cookieName: string }): void {
  const { dispatch, url } = dependencies;
  askBeforeLongBodies(app, (request) => requestCaller(request, dependencies, options));
  const call = async <T>(request: FastifyRequest, name: string, input: object): Promise<T> => {
    const caller = await requestCaller(request, dependencies, options);
    return run(request, caller, name, input);
  };
  const run = async <T>(request: FastifyRequest, caller: Caller, name: string, input: object): Promise<T> => {
    const { output } = await dispatch({
      name,
      input,
      caller,
      transport: 'agentcom',
      requestId: request.id,
      signal: new AbortController().signal,
    });
    return output as T;
  };
  const idOf = (request: FastifyRequest): string => (request.params as { id: string }).id;
  const bodyOf = (request: FastifyRequest): Body =>
    typeof request.body === 'object' && request.body !== null ? (request.body as Body) : {};

  app.post('/api/tasks', async (request, reply) => created(reply, await create(request, bodyOf(request))));
  app.post('/api/admin/push-task', async (request, reply) => {
    const { agent_id: agent, ...rest } = bodyOf(request);
    return created(reply, await create(request, { ...rest, assigned_to: agent }));
  });
  const create = async (request: FastifyRequest, body: Body): Promise<HubTaskDetail> => {
    const { tasks } = await call<{ tasks: [{ id: string }] }>(request, 'tasks.create', { tasks: [requestOf(body)] });
    return call(request, 'tasks.get', { id: tasks[0].id });
  };

  app.get('/api/tasks', async (request) => {
    const { status, priority, assigned_to: holder } = request.query as Record<string, string | undefined>;
    const states = Object.entries(statusOf).flatMap(([state, word]) => (status === undefined || word === status ? [state] : []));
    // What it does not know, no task has.
    const isKnown = priority === undefined || taskPriorities.some((known) => known === priority);
    const narrowed = { ...(priority === undefined || !isKnown ? {} : { priority }), ...(holder === undefined ? {} : { holder }) };
    const asked = { states: isKnown ? states : [], limit: MAX_LISTED, ...narrowed };
    const { tasks } = await call<{ tasks: HubTaskInfo[] }>(request, 'tasks.list', asked);
    return { tasks: tasks.map(taskOf), count: tasks.length };
  });
  answerGet(app, '/api/tasks/dead-letter', async (request) => {
    const { tasks } = await call<{ tasks: HubTaskInfo[] }>(request, 'tasks.list', { states: ['dead', 'failed'], limit: MAX_LISTED });
    return { tasks: tasks.map(taskOf), count: tasks.length };
  });
  answerGet(app, '/api/tasks/stats', async (request) => {
    const { tasks } = await call<{ tasks: Record<string, number> }>(request, 'hub.info', {});
    const byStatus: Record<string, number> = {};
    for (const [state, count] of Object.entries(tasks)) {
      const word = statusOf[state as HubTaskInfo['state']];
      byStatus[word] = (byStatus[word] ?? 0) + count;
    }
    return { by_status: byStatus, total: Object.values(tasks).reduce((sum, count) => sum + count, 0) };
  });
  answerGet(app, '/api/tasks/:id', async (request) => {
    const task = await call<HubTaskDetail>(request, 'tasks.get', { id: idOf(request) });
    return { ...taskOf(task), metadata: task.metadata, result: task.result, verification_report: task.report };
  });
  app.post('/api/tasks/:id/retry', async (request) => {
    const task = await call<HubTaskInfo>(request, 'tasks.retry', { id: idOf(request) });
    return { status: 'queued', task_id: task.id };
  });
  app.post('/api/tasks/:id/cancel', async (request) => {
    const { reason } = bodyOf(request);
    const task = await call<HubTaskInfo>(request, 'tasks.cancel', {
      id: idOf(request),
      ...(typeof reason === 'string' ? { reason } : {}),
    });
    return { status: 'cancelled', task_id: task.id };
  });

  app.post('/api/onboard/register', async (request, reply) => {
    const { agent_id: agent } = bodyOf(request);
    if (typeof agent !== 'string' || agent === '') throw new OutriggerError('BAD_INPUT', 'agent_id is missing.');
    const { headers, cookieCounts } = request;
    const given = readCredentials({ headers, url: request.url, kind: 'request', ...options, cookieCounts }).token;
    const owner = await (async () => requestCaller(request, dependencies, options))().catch(() => undefined);
    const token =
      owner !== undefined && allowsLevel(owner.access, 'admin')
        ? (await run<{ token: string }>(request, owner, 'agents.register', { agent })).token
        : dependencies.enrol(given ?? '', agent);
    const address = askedAddress(request) ?? url();
    return reply.code(201).send({ agent_id: agent, token, hub_ws_url: `${address.replace(/^http/, 'ws')}/ws`, hub_api_url: address });
  });

  answerGet(app, '/health', async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'ok', service: 'outrigger-hub' }),
  );
  answerGet(app, '/api/agents', async (request) => {
    const { agents } = await call<{ agents: HubAgentInfo[] }>(request, 'agents.list', {});
    return { agents: agents.filter(({ state }) => state !== 'offline').map(agentOf) };
  });
  answerGet(app, '/api/metrics', async (request) => call(request, 'hub.info', {}));
  answerGet(app, '/api/schemas', async (request) => {
    await requestCaller(request, dependencies, options);
    return { client_to_hub: Object.keys(agentFrames()), hub_to_client: Object.keys(hubFrames()) };
  });
  for (const [pattern, allowed] of Object.entries(others)) refuseOtherMethods(app, pattern, allowed);
}

/**
 * By which the hub was asked: where it listens another machine may not reach it. The name was admitted, and a proxy that speaks TLS says so; who lies
 * about it lies to himself. Undefined where the request has no Host.
 */
function askedAddress({ headers }: FastifyRequest): string | undefined {
  if (headers.host === undefined) return undefined;
  return `${headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'}://${headers.host}`;
}

function created(reply: FastifyReply, task: HubTaskDetail): unknown {
  return reply.code(201).send({ status: 'queued', task_id: task.id, priority: task.priority, created_at: task.createdAt });
}

function requestOf(body: Body): object {
  const asked = {
    description: body['description'],
    metadata: body['metadata'],
    priority: body['priority'],
    needs: body['needed_capabilities'] ?? body['capabilities'],
    agent: body['assigned_to'],
    maxAttempts: typeof body['max_retries'] === 'number' ? body['max_retries'] + 1 : undefined,
    deadline: body['complete_by'],
    after: body['depends_on'],
    key: body['idempotency_key'],
    repo: body['repo'],
    branch: body['branch'],
    fileHints: body['file_hints'],
    successCriteria: body['success_criteria'],
    verificationSteps: body['verification_steps'],
    skipVerification: body['skip_verification'],
    verificationTimeoutMs: body['verification_timeout_ms'],
    maxVerificationRetries: body['max_verification_retries'],
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined && value !== null));
}

function taskOf(task: HubTaskInfo): object {
  return {
    id: task.id,
    task_id: task.id,
    description: task.description,
    status: statusOf[task.state],
    priority: task.priority,
    assigned_to: task.holder,
    generation: task.generation,
    retry_count: Math.max(0, task.attempt - 1),
    max_retries: task.maxAttempts - 1,
    last_error: task.reason,
    created_at: task.createdAt,
    updated_at: task.updatedAt,
  };
}

function agentOf(agent: HubAgentInfo): object {
  return {
    agent_id: agent.id,
    name: agent.name,
    status: agent.tasks.length > 0 ? 'working' : 'idle',
    capabilities: agent.capabilities,
    connected_at: agent.since,
    current_task: agent.tasks[0]?.id ?? null,
  };
}
