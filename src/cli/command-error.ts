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

export function exitCodeOf(error: OutriggerError): number {
  if (error instanceof UsageError) return exitCodes.usage;
  const option = (error.details as { option?: string } | undefined)?.option;
  if (option !== undefined) return exitCodes.config;
  return error.code === 'unavailable' ? exitCodes.unavailable : exitCodes.failure;
}
