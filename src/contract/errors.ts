/**
 * Every way an operation can fail, in one table. `code` is one of Connect's canonical lower-case codes
 * (https://connectrpc.com/docs/protocol#error-codes), `reason` (the key) is the exact cause. Transports read `status`,
 * clients read `retryable`, people read `hint`. docs/errors.md is generated from here. zod-free: used at run time in browsers.
 */
export const errorCodes = [
  'canceled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

interface ErrorRow {
  code: ErrorCode;
  /** HTTP status. */
  status: number;
  /** The same call may succeed later without a change by the caller. */
  retryable: boolean;
  /** What the caller can do. */
  hint: string;
}

export const errorTable = {
  // the call
  BAD_INPUT: { code: 'invalid_argument', status: 400, retryable: false, hint: 'Compare the input with the schema in /openapi.json.' },
  BAD_FRAME: { code: 'invalid_argument', status: 400, retryable: false, hint: 'Each message is one JSON object; see docs/protocol.md.' },
  BAD_PATH: {
    code: 'invalid_argument',
    status: 400,
    retryable: false,
    hint: 'Paths are relative to the workspace, with / between names, and hold no "..", no NUL.',
  },
  DUPLICATE_ID: { code: 'invalid_argument', status: 400, retryable: false, hint: 'Give each request in flight an id of its own.' },
  NO_OPERATION: { code: 'unimplemented', status: 404, retryable: false, hint: 'GET /openapi.json lists the operations.' },
  PART_OFF: {
    code: 'unimplemented',
    status: 501,
    retryable: false,
    hint: 'This part is switched off: see the option `components`. Tasks need a link to a hub (`link.config`); what an agent lets be called is `allow` in its config.json.',
  },
  STREAM_ONLY: {
    code: 'invalid_argument',
    status: 400,
    retryable: false,
    hint: 'This operation has no end: ask for a stream (SSE, NDJSON, or "stream": true).',
  },
  METHOD_NOT_ALLOWED: {
    code: 'unimplemented',
    status: 405,
    retryable: false,
    hint: 'The header Allow names the methods that this address takes.',
  },
  UNKNOWN_METHOD: {
    code: 'unimplemented',
    status: 501,
    retryable: false,
    hint: 'No address takes this method; /openapi.json has those that are taken.',
  },
  BAD_EXPECTATION: {
    code: 'unimplemented',
    status: 417,
    retryable: false,
    hint: 'Leave the header Expect out, or expect 100-continue.',
  },
  UPGRADE_REQUIRED: { code: 'failed_precondition', status: 426, retryable: false, hint: 'This address takes WebSocket connections only.' },
  CANCELED: { code: 'canceled', status: 499, retryable: false, hint: 'The caller canceled the call or went away.' },
  DEADLINE: { code: 'deadline_exceeded', status: 504, retryable: true, hint: 'Ask for less, or give more time.' },
  OUTPUT_TOO_LARGE: {
    code: 'resource_exhausted',
    status: 413,
    retryable: false,
    hint: 'Ask for a range or a smaller limit, or stream it.',
  },
  INPUT_TOO_LARGE: { code: 'resource_exhausted', status: 413, retryable: false, hint: 'Use files.upload for big content.' },
  TOO_MANY: { code: 'resource_exhausted', status: 429, retryable: true, hint: 'Wait for calls in flight to end, then try again.' },
  INTERNAL: { code: 'internal', status: 500, retryable: false, hint: 'The log has the cause under this request id.' },
  // who asks
  NO_TOKEN: {
    code: 'unauthenticated',
    status: 401,
    retryable: false,
    hint: 'Send the token that the sidecar or the hub printed as "Authorization: Bearer …".',
  },
  BAD_TOKEN: { code: 'unauthenticated', status: 401, retryable: false, hint: '`outrigger token` prints the token that holds now.' },
  TOKEN_EXPIRED: { code: 'unauthenticated', status: 401, retryable: false, hint: 'That token has run out. Ask for a new one.' },
  TOKEN_REVOKED: { code: 'unauthenticated', status: 401, retryable: false, hint: 'That token was revoked. Ask for a new one.' },
  ACCESS_DENIED: {
    code: 'permission_denied',
    status: 403,
    retryable: false,
    hint: 'Ask for a token with the level that the operation needs.',
  },
  OUT_OF_SCOPE: { code: 'permission_denied', status: 403, retryable: false, hint: 'The token is limited to other paths.' },
  BAD_HOST: {
    code: 'permission_denied',
    status: 403,
    retryable: false,
    hint: 'Add the name to the option `allowedHosts` if it is yours. Where a proxy put it there, let that pass on the `Host` header as it came.',
  },
  BAD_ORIGIN: {
    code: 'permission_denied',
    status: 403,
    retryable: false,
    hint: 'If that is the page of this server, let the proxy before it pass on the `Host` header as it came, with its port. Add other origins that are yours to the option `allowedOrigins`.',
  },
  READ_ONLY: {
    code: 'permission_denied',
    status: 403,
    retryable: false,
    hint: 'Another sidecar holds this folder, this one was started read-only, or its state was removed; system.info says which.',
  },
  // files
  FILE_NOT_FOUND: { code: 'not_found', status: 404, retryable: false, hint: 'files.list shows what is there.' },
  FILE_EXISTS: { code: 'already_exists', status: 409, retryable: false, hint: 'Use another name, or overwrite with files.write.' },
  PATH_ESCAPES: {
    code: 'permission_denied',
    status: 403,
    retryable: false,
    hint: 'The path, or a link on it, leads out of the workspace.',
  },
  NOT_A_FILE: { code: 'failed_precondition', status: 409, retryable: false, hint: 'The path is not a regular file.' },
  NOT_A_DIRECTORY: { code: 'failed_precondition', status: 409, retryable: false, hint: 'The path, or a part of it, is not a directory.' },
  NOT_EMPTY: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'Ask with "recursive": true to remove what is inside too.',
  },
  NAME_TOO_LONG: {
    code: 'invalid_argument',
    status: 400,
    retryable: false,
    hint: 'A name holds at most 255 bytes of UTF-8, a path 4,095.',
  },
  NOT_TEXT: { code: 'failed_precondition', status: 415, retryable: false, hint: 'The file is not UTF-8 text: use files.download.' },
  ETAG_MISMATCH: {
    code: 'failed_precondition',
    status: 412,
    retryable: false,
    hint: 'The file changed meanwhile: read it again and apply your change to that.',
  },
  EDIT_NOT_FOUND: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'The text to replace must stand in the file exactly; read it again.',
  },
  EDIT_AMBIGUOUS: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'The text to replace stands there more than once: give more of it, or "all": true.',
  },
  OUT_OF_RANGE: { code: 'out_of_range', status: 416, retryable: false, hint: 'Ask within the size of the file.' },
  FILE_PERMISSION: {
    code: 'permission_denied',
    status: 403,
    retryable: false,
    hint: 'The operating system refuses it to the user that the sidecar runs as.',
  },
  DISK_FULL: {
    code: 'resource_exhausted',
    status: 507,
    retryable: true,
    hint: 'Free space on the disk of the workspace; the file is as it was before.',
  },
  TOO_MANY_FILES: {
    code: 'resource_exhausted',
    status: 503,
    retryable: true,
    hint: 'The process ran out of descriptors; raise `ulimit -n`.',
  },
  WORKSPACE_GONE: {
    code: 'unavailable',
    status: 503,
    retryable: true,
    hint: 'The folder was deleted or unmounted; it is served again when it is back.',
  },
  BUSY_FILE: { code: 'aborted', status: 409, retryable: true, hint: 'Another program kept changing the file; try again.' },
  // changes
  BAD_CURSOR: { code: 'invalid_argument', status: 400, retryable: false, hint: 'Use a cursor as an answer gave it.' },
  // documents
  DOCUMENT_BINARY: {
    code: 'failed_precondition',
    status: 415,
    retryable: false,
    hint: 'It holds NUL bytes or is not UTF-8, so it can be read and downloaded but not edited together.',
  },
  DOCUMENT_TOO_LARGE: {
    code: 'resource_exhausted',
    status: 413,
    retryable: false,
    hint: 'Shared editing stops at `documents.maxBytes`; read it in ranges.',
  },
  DOCUMENT_DELETED: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'The file was deleted; create it again to edit it.',
  },
  TOO_MANY_DOCUMENTS: { code: 'resource_exhausted', status: 503, retryable: true, hint: 'Close a document, or raise `documents.maxOpen`.' },
  // search
  BAD_PATTERN: {
    code: 'invalid_argument',
    status: 400,
    retryable: false,
    hint: 'The pattern is no regular expression of ripgrep (https://docs.rs/regex/#syntax), or a glob is malformed; the message says where.',
  },
  NO_LANGUAGE: {
    code: 'failed_precondition',
    status: 415,
    retryable: false,
    hint: 'Symbols are known for TypeScript, JavaScript and Python; docs/search.md says how to add a language.',
  },
  // processes, git
  TOOL_MISSING: {
    code: 'unavailable',
    status: 503,
    retryable: false,
    hint: 'Is it on the PATH of the sidecar? `outrigger doctor` names the programs that its parts need, and how to install them.',
  },
  NO_REPOSITORY: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'The folder is no git repository; turn on `git.init` or run `git init`.',
  },
  GIT_FAILED: { code: 'failed_precondition', status: 409, retryable: false, hint: 'The details hold what git said.' },
  GIT_LOCKED: { code: 'aborted', status: 409, retryable: true, hint: 'Another git command is running here, or left index.lock behind.' },
  GIT_WOULD_OVERWRITE: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'The details name the files whose changes would be lost: commit, stash or discard them first.',
  },
  GIT_STALE_HUNK: { code: 'aborted', status: 409, retryable: false, hint: 'The file changed since: ask git.hunks again.' },
  GIT_DIVERGED: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'Both sides have commits of their own: pull with "merge" or "rebase" first; a push may be forced with "force": "lease".',
  },
  GIT_CREDENTIALS: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'The other side asks who you are: give `credentials` with the call, or set up a credential helper or an ssh key.',
  },
  GIT_OUTSIDE: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'Serve the top folder of the repository to change all of it.',
  },
  HOST_UNAVAILABLE: {
    code: 'unavailable',
    status: 503,
    retryable: true,
    hint: 'The exec agent of that container is not there (yet); see docs/exec-agent.md.',
  },
  NO_PROFILE: { code: 'not_found', status: 404, retryable: false, hint: 'deploy.list names what can be deployed; see docs/deploy.md.' },
  NO_DEPLOYMENT: { code: 'not_found', status: 404, retryable: false, hint: 'deploy.list names the deployments that are remembered.' },
  DEPLOY_BUSY: { code: 'aborted', status: 409, retryable: true, hint: 'Another deployment is under way; deploy.follow shows it.' },
  NO_PROCESS: { code: 'not_found', status: 404, retryable: false, hint: 'processes.list names those that are there.' },
  PROCESS_ENDED: { code: 'failed_precondition', status: 409, retryable: false, hint: 'processes.restart starts it again.' },
  PROCESS_RUNNING: { code: 'failed_precondition', status: 409, retryable: false, hint: 'Stop it first: processes.stop.' },
  TOO_MANY_PROCESSES: {
    code: 'resource_exhausted',
    status: 429,
    retryable: true,
    hint: 'Stop what is not needed any more; the option processes.max says how many may run.',
  },
  PROCESS_TIMEOUT: {
    code: 'deadline_exceeded',
    status: 504,
    retryable: true,
    hint: 'The program took longer than its limit and was ended.',
  },
  // code
  UNKNOWN_LANGUAGE: { code: 'invalid_argument', status: 400, retryable: false, hint: 'code.languages names those that are known.' },
  LANGUAGE_OFF: {
    code: 'failed_precondition',
    status: 400,
    retryable: false,
    hint: 'The option code.rollout switches languages on and off.',
  },
  NOT_ISOLATED: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'code.isolation says what is held back on this machine, and why not more.',
  },
  TOO_MANY_RUNS: {
    code: 'resource_exhausted',
    status: 429,
    retryable: true,
    hint: 'The queue is full; options code.atOnce and code.queue say how long it may be.',
  },
  NO_RUN: { code: 'not_found', status: 404, retryable: false, hint: 'The run has ended, or never was.' },
  NO_SESSION: {
    code: 'not_found',
    status: 404,
    retryable: false,
    hint: 'code.sessions names those that live; each ends a while after its last use.',
  },
  NO_STATE: { code: 'not_found', status: 404, retryable: false, hint: 'Run with "keepState": true first.' },
  TOO_MANY_SESSIONS: { code: 'resource_exhausted', status: 429, retryable: true, hint: 'Close some: code.closeSession.' },
  TOO_MANY_SESSION_FILES: {
    code: 'resource_exhausted',
    status: 413,
    retryable: false,
    hint: 'Remove some: code.removeFile; the option code.sessionFiles says how many there may be.',
  },
  SESSION_FULL: {
    code: 'resource_exhausted',
    status: 413,
    retryable: false,
    hint: 'Remove files of the session: code.removeFile, or a run; the option code.sessionBytes says how much it may hold.',
  },
  // checkpoints
  NO_CHECKPOINT: {
    code: 'not_found',
    status: 404,
    retryable: false,
    hint: 'checkpoints.list names those that are kept; options checkpoints.keep and checkpoints.keepDays say how many.',
  },
  CHECKPOINT_LOST: {
    code: 'data_loss',
    status: 410,
    retryable: false,
    hint: 'What it held was removed from the repository by another program.',
  },
  RUN_UNDER_WAY: { code: 'failed_precondition', status: 409, retryable: true, hint: 'Wait until the run ended, or stop it.' },
  HUNKS_SHARED: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'The details hold the hunks that both changed: ask again with "shared": "keep" to leave them, or "remove" to take them out, and "ifShared" with their digest.',
  },
  // history
  VERSION_NOT_KEPT: {
    code: 'not_found',
    status: 404,
    retryable: false,
    hint: 'history.list says which texts of a file are kept; the options history.maxBytes, history.maxFileBytes and history.keepDays how many.',
  },
  // the sidecar
  STORAGE_FAILED: {
    code: 'unavailable',
    status: 503,
    retryable: true,
    hint: 'Nothing of it was stored. See to the disk of the hub (space, rights), then ask again.',
  },
  STATE_TOO_NEW: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'Run the newer version, or set the option `state` to another folder.',
  },
  STATE_TAKEN: {
    code: 'failed_precondition',
    status: 409,
    retryable: false,
    hint: 'Set the option `state` to another folder, or leave it out: each workspace has its own then.',
  },
  STOPPING: { code: 'unavailable', status: 503, retryable: true, hint: 'The sidecar is stopping; connect again in a moment.' },
  STARTING: { code: 'unavailable', status: 503, retryable: true, hint: 'The sidecar is starting; try again in a moment.' },
  NOT_FOUND: { code: 'not_found', status: 404, retryable: false, hint: 'No such thing here.' },
  ALREADY_THERE: { code: 'already_exists', status: 409, retryable: false, hint: 'Use another name, or end the one that is there first.' },
  TASK_STATE: { code: 'failed_precondition', status: 409, retryable: false, hint: 'tasks.get shows the state in which the task is.' },
  CONNECTION_LOST: {
    code: 'unavailable',
    status: 503,
    retryable: true,
    hint: 'The connection ended before the answer; the call may or may not have run.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorReason = keyof typeof errorTable;

/** An error as every transport shows it. */
export interface WireError {
  code: ErrorCode;
  reason: string;
  message: string;
  hint?: string;
  retryable: boolean;
  details?: unknown;
  requestId?: string;
}

export class OutriggerError extends Error {
  readonly reason: ErrorReason;
  readonly details: unknown;
  /** What the caller can do: that of the table, unless this very case has one of its own. */
  readonly hint: string;

  constructor(reason: ErrorReason, message: string, options: { details?: unknown; cause?: unknown; hint?: string | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OutriggerError';
    this.reason = reason;
    this.details = options.details;
    this.hint = options.hint ?? errorTable[reason].hint;
  }

  get code(): ErrorCode {
    return errorTable[this.reason].code;
  }
  get status(): number {
    return errorTable[this.reason].status;
  }
  get retryable(): boolean {
    return errorTable[this.reason].retryable;
  }
}

export function toWireError(error: OutriggerError, requestId?: string): WireError {
  const wire: WireError = { code: error.code, reason: error.reason, message: error.message, hint: error.hint, retryable: error.retryable };
  if (error.details !== undefined) wire.details = error.details;
  if (requestId !== undefined) wire.requestId = requestId;
  return wire;
}

/** The error a client throws for what a peer answered; an unknown reason of a newer peer becomes INTERNAL with its own words. */
export function fromWireError(wire: Partial<WireError> | undefined): OutriggerError {
  const reason = wire?.reason !== undefined && Object.hasOwn(errorTable, wire.reason) ? (wire.reason as ErrorReason) : 'INTERNAL';
  const { message = 'The peer answered with an error it did not describe.', details, hint } = wire ?? {};
  return new OutriggerError(reason, message, { details, hint });
}

/** Errors as core's Peer wants them; `requestId` names a request in what is sent about it. */
export function peerErrors(requestId: (id: string) => string | undefined): {
  make(reason: ErrorReason, message: string, options?: { cause?: unknown }): OutriggerError;
  toWire(error: unknown, id: string | null): WireError;
  fromWire(wire: Partial<WireError>): OutriggerError;
} {
  return {
    make: (reason, message, options) => new OutriggerError(reason, message, options),
    toWire: (error, id) => {
      const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'Something failed inside.');
      return toWireError(known, id === null ? undefined : requestId(id));
    },
    fromWire: fromWireError,
  };
}
