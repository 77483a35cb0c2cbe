import { type ErrorReason, OutriggerError } from '../contract/errors.ts';
import { exitCodes } from './exit-codes.ts';

/** An error of the table with a hint for whoever sits at the command line; the table's is for callers of operations. */
export class CommandError extends OutriggerError {
  constructor(reason: ErrorReason, message: string, hint: string, cause?: unknown) {
    super(reason, message, { cause, hint });
  }
}

/** A mistake in the command itself, found before anything was done. Exit code 2. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super('BAD_INPUT', message, '');
  }
}

/** Throws UsageError where the flag names no address of these protocols. */
export function requireAddress(flag: string, text: string, protocols: RegExp): void {
  if (URL.canParse(text) && protocols.test(new URL(text).protocol)) return;
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is no address; http://host:port is.`);
}

export function exitCodeOf(error: OutriggerError): number {
  if (error instanceof UsageError) return exitCodes.usage;
  const option = (error.details as { option?: string } | undefined)?.option;
  if (option !== undefined) return exitCodes.config;
  return error.code === 'unavailable' ? exitCodes.unavailable : exitCodes.failure;
}
