import { actorOf } from '../../contract/access.ts';
import type { Deployment, deploy as table } from '../../contract/deploy.ts';
import type { Call, Implementations, Item, Output } from '../../contract/operation.ts';
import { type Bell, createBell } from '../../core/bell.ts';
import type { OutputPositions } from '../processes/output-log.ts';
import type { StartedBy } from '../processes/process-spec.ts';
import type { Deployments, Started } from './deployments.ts';

type Deploy = typeof table;
type FollowItem = Item<Deploy['deploy.follow']>;
type OutputItem = Item<Deploy['deploy.run']>;

/** Of one item, bytes. */
const PIECE_BYTES = 64 * 1024;
/** A reader who is slow skips deployments that ended before. */
const MOST_WAITING = 100;
const streams = ['stdout', 'stderr'] as const;

export function deployOperations(deployments: Deployments): Implementations<Deploy> {
  const followed = async ({ deployment, next }: Started, call: Call<OutputItem>): Promise<Output<Deploy['deploy.run']>> => {
    await followOne(deployments, deployment, call, { stdout: 0, stderr: 0 });
    const rollback = await next;
    if (rollback === undefined) return { deployment };
    await followOne(deployments, rollback.deployment, call, { stdout: 0, stderr: 0 });
    return { deployment, rollback: rollback.deployment };
  };
  return {
    'deploy.list': ({ limit }) => ({
      profiles: [...deployments.profiles].map(([name, { path: _path, env: _env, ...profile }]) => ({ name, ...profile })),
      deployments: deployments.list().slice(0, limit),
    }),
    'deploy.run': ({ profile, parameters }, call) => followed(deployments.run({ profile, parameters, by: byOf(call) }), call),
    'deploy.rollback': async ({ to }, call) => {
      const { deployment } = await followed(deployments.rollBack(to, byOf(call)), call);
      return { deployment };
    },
    'deploy.cancel': async ({ id }) => ({ deployment: await deployments.cancel(id) }),
    'deploy.follow': (input, call) => follow(deployments, input, call),
  };
}

function byOf({ caller }: Pick<Call, 'caller'>): StartedBy {
  return actorOf(caller);
}

/** Sends the output of one deployment until it ended. Rejects when the call is aborted; the deployment goes on. */
async function followOne(deployments: Deployments, deployment: Deployment, call: Call<OutputItem>, next: OutputPositions): Promise<void> {
  const bell = createBell(call.signal);
  const stopNews = deployments.onNews(bell.ring);
  let stopGrowth: (() => void) | undefined;
  const send = outputSender(deployments, next, (item) => call.emit(item));
  try {
    for (;;) {
      const isOver = deployment.endedAt !== undefined;
      stopGrowth ??= deployments.logOf(deployment)?.onGrowth(bell.ring);
      await send(deployment, isOver);
      if (isOver) return;
      await bell.rung();
    }
  } finally {
    stopNews();
    stopGrowth?.();
  }
}

/** A byte order mark is output as all else. */
function outputDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}

/** Sends what is new in the log of a deployment; half a character waits for the rest. */
function outputSender(
  deployments: Deployments,
  next: OutputPositions,
  emit: (item: OutputItem) => Promise<void> | void,
): (deployment: Deployment, isOver: boolean) => Promise<void> {
  const decoders = { stdout: outputDecoder(), stderr: outputDecoder() };
  return async ({ id, process }, isOver) => {
    const log = deployments.logOf({ process });
    const sendText = async (stream: 'stdout' | 'stderr', bytes: Uint8Array | undefined, lost: number): Promise<void> => {
      // What was cut off before a gap, and at the end, is no character any more.
      const cut = lost > 0 || bytes === undefined ? decoders[stream].decode() : '';
      const text = cut + (bytes === undefined ? '' : decoders[stream].decode(bytes, { stream: true }));
      if (text !== '' || lost > 0) await emit({ deployment: id, stream, text, ...(lost > 0 ? { lost } : {}) });
    };
    for (let piece = log?.next(next, streams, PIECE_BYTES); piece !== undefined; piece = log?.next(next, streams, PIECE_BYTES)) {
      next[piece.stream] = piece.offset + piece.bytes.length;
      await sendText(piece.stream, piece.bytes, piece.lost);
    }
    if (isOver) for (const stream of streams) await sendText(stream, undefined, 0);
  };
}

async function follow(
  deployments: Deployments,
  { profiles, last }: { profiles?: string[] | undefined; last: number },
  call: Call<FollowItem>,
): Promise<never> {
  const bell = createBell(call.signal);
  const isWanted = ({ profile }: Deployment): boolean => profiles === undefined || profiles.includes(profile);
  const waiting: Deployment[] = [];
  // One after the other: the last one that is there, and then each that begins.
  const stop = deployments.onNews((deployment) => {
    if (isWanted(deployment) && deployment.state === 'preparing' && !waiting.includes(deployment)) waiting.push(deployment);
    if (waiting.length > MOST_WAITING) waiting.shift();
    bell.ring();
  });
  const newest = deployments.list().find(isWanted);
  if (newest !== undefined) waiting.push(newest);
  try {
    for (;;) {
      for (let deployment = waiting.shift(); deployment !== undefined; deployment = waiting.shift())
        await followSteps(deployments, deployment, deployment === newest ? last : Number.POSITIVE_INFINITY, call, bell);
      await bell.rung();
    }
  } finally {
    stop();
  }
}

/** A deployment with its output, and again at each step of it, until it ended. */
async function followSteps(
  deployments: Deployments,
  deployment: Deployment,
  last: number,
  call: Call<FollowItem>,
  bell: Bell,
): Promise<void> {
  const end = deployments.logOf(deployment)?.end ?? { stdout: 0, stderr: 0 };
  const next = { stdout: Math.max(0, end.stdout - last), stderr: Math.max(0, end.stderr - last) };
  const send = outputSender(deployments, next, (item) => call.emit({ type: 'output', ...item }));
  let stopGrowth: (() => void) | undefined;
  try {
    for (let state = ''; ; ) {
      const isOver = deployment.endedAt !== undefined;
      stopGrowth ??= deployments.logOf(deployment)?.onGrowth(bell.ring);
      if (!isOver && state !== deployment.state) {
        ({ state } = deployment);
        await call.emit({ type: 'deployment', deployment: { ...deployment } });
      }
      await send(deployment, isOver);
      if (isOver) {
        await call.emit({ type: 'deployment', deployment: { ...deployment } });
        return;
      }
      await bell.rung();
    }
  } finally {
    stopGrowth?.();
  }
}
