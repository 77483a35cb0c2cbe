import { errorFacts } from './client-port.ts';

/** Failures whose hint is for people as well; that of the others speaks to programs, in operations and fields. */
const withHint: ReadonlySet<string> = new Set([
  ...['FILE_PERMISSION', 'DISK_FULL', 'TOO_MANY_FILES', 'WORKSPACE_GONE', 'STORAGE_FAILED'],
  ...['TOOL_MISSING', 'HOST_UNAVAILABLE', 'NO_LANGUAGE', 'CHECKPOINT_LOST', 'DOCUMENT_OUTDATED', 'INTERNAL'],
]);

/** What a person is told of a failure: what happened, and what can be done about it where that is theirs to do. */
export function failureText(error: unknown): string {
  const { message: said, hint, reason } = errorFacts(error);
  // It names the operation that was called, of which nobody here knows.
  const message =
    reason === 'PART_OFF'
      ? said.replace(/^[a-z]+\.\w+ belongs to a part that/, 'This part')
      : reason === 'OUT_OF_SCOPE'
        ? said.replace(/^[a-z]+\.\w+ touches the whole workspace/, 'This touches the whole workspace')
        : said;
  if (hint === undefined) return message;
  // It says the same, and what became of the call.
  if (reason === 'CONNECTION_LOST') return hint;
  return withHint.has(reason) ? `${message.replace(/\.?$/, '.')} ${hint}` : message;
}
