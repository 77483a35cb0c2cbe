import type { FastifyRequest } from 'fastify';
import type { AccessLevel, Caller } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { type AuthenticateDependencies, type AuthenticateOptions, requestCaller, upgradeCaller } from '../../net/authenticate.ts';
import type { Upgrade } from '../../net/upgrade.ts';

export type PlatxaCallerDependencies = AuthenticateDependencies;

export interface PlatxaCallerOptions extends AuthenticateOptions {
  /** What callers without a token may do; `none`: nothing. A token that does not hold is refused all the same. */
  anonymous: AccessLevel | 'none';
}

export async function requestingCaller(
  request: FastifyRequest,
  dependencies: PlatxaCallerDependencies,
  options: PlatxaCallerOptions,
): Promise<Caller> {
  try {
    return await requestCaller(request, dependencies, options);
  } catch (error) {
    return anonymousCaller(error, options);
  }
}

export async function upgradingCaller(
  upgrade: Upgrade,
  dependencies: PlatxaCallerDependencies,
  options: PlatxaCallerOptions,
): Promise<{ caller: Caller; protocol: string | undefined }> {
  try {
    return await upgradeCaller(upgrade, dependencies, options);
  } catch (error) {
    return { caller: anonymousCaller(error, options), protocol: undefined };
  }
}

const callers: Readonly<Record<AccessLevel, Caller>> = {
  read: anonymous('read'),
  write: anonymous('write'),
  execute: anonymous('execute'),
  admin: anonymous('admin'),
};

function anonymous(access: AccessLevel): Caller {
  return Object.freeze({ id: 'anonymous', name: 'anonymous', kind: 'service', access });
}

/** The same object for all of them: they see the same, and count as one. */
function anonymousCaller(error: unknown, options: PlatxaCallerOptions): Caller {
  if (!(error instanceof OutriggerError) || error.reason !== 'NO_TOKEN' || options.anonymous === 'none') throw error;
  return callers[options.anonymous];
}
