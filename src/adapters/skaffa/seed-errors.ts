import type { ErrorCode, ErrorReason, WireError } from '../../contract/errors.ts';

/** The error codes of the seed's wire, and those added to them. docs/protocol.md lists them. */
export type SeedCode =
  | 'invalid_path'
  | 'not_found'
  | 'timeout'
  | 'internal'
  | 'cancelled'
  | 'too_large'
  | 'binary'
  | 'invalid_params'
  | 'unknown_method'
  | 'unavailable'
  | 'permission_denied';

const byCode: Readonly<Record<ErrorCode, SeedCode>> = {
  canceled: 'cancelled',
  unknown: 'internal',
  invalid_argument: 'invalid_params',
  deadline_exceeded: 'timeout',
  not_found: 'not_found',
  already_exists: 'internal',
  permission_denied: 'permission_denied',
  resource_exhausted: 'too_large',
  failed_precondition: 'unavailable',
  aborted: 'unavailable',
  out_of_range: 'invalid_params',
  unimplemented: 'unknown_method',
  internal: 'internal',
  unavailable: 'unavailable',
  data_loss: 'internal',
  unauthenticated: 'permission_denied',
};

/** Where the seed tells more apart than our codes, or other things. */
const byReason: Readonly<Partial<Record<ErrorReason, SeedCode>>> = {
  BAD_PATH: 'invalid_path',
  PATH_ESCAPES: 'invalid_path',
  OUT_OF_SCOPE: 'invalid_path',
  NAME_TOO_LONG: 'invalid_path',
  NOT_A_FILE: 'invalid_path',
  NOT_A_DIRECTORY: 'invalid_path',
  NOT_TEXT: 'binary',
  DOCUMENT_BINARY: 'binary',
  PART_OFF: 'unavailable',
  TOO_MANY: 'unavailable',
  TOO_MANY_FILES: 'unavailable',
  DISK_FULL: 'unavailable',
};

export function seedCode({ code, reason }: Pick<WireError, 'code' | 'reason'>): SeedCode {
  return (Object.hasOwn(byReason, reason) ? byReason[reason as ErrorReason] : undefined) ?? byCode[code] ?? 'internal';
}
