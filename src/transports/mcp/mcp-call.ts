import { randomUUID } from 'node:crypto';
import { ProtocolError, ProtocolErrorCode, ResourceNotFoundError, type ServerContext } from '@modelcontextprotocol/server';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch, DispatchReply } from '../../contract/dispatch.ts';
import { OutriggerError, toWireError } from '../../contract/errors.ts';

export interface McpCallDependencies {
  dispatch: Dispatch;
  caller: Caller;
  /** Shown in the log, e.g. `mcp-stdio`. */
  transport: string;
}

export interface McpCall {
  name: string;
  input: unknown;
  signal: AbortSignal;
  emit?: (item: unknown) => Promise<void> | void;
}

/** Calls one operation in the caller's name. Throws the OutriggerError that dispatch throws. */
export function callOperation({ dispatch, caller, transport }: McpCallDependencies, call: McpCall): Promise<DispatchReply> {
  return dispatch({ ...call, caller, transport, requestId: randomUUID() });
}

/**
 * Aborted with CANCELED when the client cancels the request, its connection ends, or, over HTTP, it goes away without waiting
 * for the answer: there is no way to fetch that answer later.
 */
export function requestSignal(context: ServerContext): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort(new OutriggerError('CANCELED', 'The client canceled the call or went away.'));
  for (const signal of [context.mcpReq.signal, context.http?.req?.signal]) {
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  }
  return controller.signal;
}

/** An error outside of tools, as JSON-RPC has it; `data` is the error as our other transports show it. */
export function toProtocolError(error: unknown, uri?: string): unknown {
  if (!(error instanceof OutriggerError)) return error;
  if (error.reason === 'FILE_NOT_FOUND' && uri !== undefined) return new ResourceNotFoundError(uri, error.message);
  const code = error.status >= 500 ? ProtocolErrorCode.InternalError : ProtocolErrorCode.InvalidParams;
  return new ProtocolError(code, `${error.reason}: ${error.message} ${error.hint}`, toWireError(error));
}

/** The same as the `error` of a JSON-RPC answer; what is not known to us says nothing of its inside. */
export function rpcError(error: unknown): { code: number; message: string; data?: unknown } {
  const known = toProtocolError(error);
  if (!(known instanceof ProtocolError)) return { code: ProtocolErrorCode.InternalError, message: 'Something failed inside.' };
  return { code: known.code, message: known.message, ...(known.data === undefined ? {} : { data: known.data }) };
}
