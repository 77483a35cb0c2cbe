import type { CodeFile, CodeSession } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Asked } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { ask, type Asking } from './ask.ts';
import type { KnownLanguages } from './languages.ts';
import { type ExecForm, type FileRef, knownId } from './request-form.ts';
import { ShownImages } from './shown-images.ts';
import { endWords, type FinishedRun, noteLines, runCode, withLines } from './run-code.ts';

/** Variables live on from one run of a session to the next in this language alone, as in the original. */
const STATEFUL = 'py';

/** A file as answers of runs have it; newer clients look for `storage_session_id`. */
export interface AnsweredFile {
  id: string;
  name: string;
  path: string;
  session_id: string;
  storage_session_id: string;
}

/** POST /exec: also a program that fails, or runs out of its time, is an answer. Throws BadRequest, OutriggerError. */
export async function exec(asking: Asking, languages: KnownLanguages, form: ExecForm): Promise<Record<string, unknown>> {
  const { code: language } = await languages.named(asking, form.lang);
  const session = await liveSession(asking, form.session);
  const images = new ShownImages();
  const finished = await runCode(
    asking,
    {
      language,
      code: form.code,
      args: form.args,
      ...where(session, form.entity),
      files: filesToBring(form.files, session),
      limits: form.timeoutMs === undefined ? {} : { wallMs: form.timeoutMs },
      keepState: language === STATEFUL,
    },
    (data) => images.take(data),
  );
  const outcome = await images.addTo(asking, finished.outcome);
  const state = language === STATEFUL ? outcome.state : null;
  return {
    session_id: outcome.session,
    ...answered({ ...finished, outcome }),
    has_state: state !== null,
    state_size: state?.bytes ?? null,
    state_hash: state?.sha256 ?? null,
  };
}

/** The session of that id, where it still lives. */
export async function liveSession(asking: Asking, id: string | undefined): Promise<CodeSession | undefined> {
  if (id === undefined) return undefined;
  try {
    return await ask(asking, 'code.session', { session: id });
  } catch (error) {
    if (error instanceof OutriggerError && error.reason === 'NO_SESSION') return undefined;
    throw error;
  }
}

export function where(session: CodeSession | undefined, entity: string | undefined): { session?: string; entity?: string } {
  if (session !== undefined) return { session: session.id };
  return entity === undefined ? {} : { entity };
}

/**
 * The files that a run is to have; those that are in its session already are named as well, so that no other takes their place. Throws
 * FILE_NOT_FOUND for ids that can be none of ours, and for those that are said to be in this session and are not.
 */
export function filesToBring(
  refs: readonly FileRef[],
  session: CodeSession | undefined,
): NonNullable<Asked<Operations['code.run']>['files']> {
  return refs.map((ref) => {
    const gone = (): OutriggerError =>
      new OutriggerError('FILE_NOT_FOUND', `There is no file ${ref.id.slice(0, 100)} in session ${ref.session.slice(0, 100)}`);
    if (knownId(ref.id) === undefined || knownId(ref.session) === undefined) throw gone();
    if (ref.session === session?.id && !session.files.some(({ id }) => id === ref.id)) throw gone();
    return { session: ref.session, id: ref.id };
  });
}

/** What a run wrote, as every answer about one has it. */
export function answered({ outcome, stdout, stderr }: FinishedRun): { files: AnsweredFile[]; stdout: string; stderr: string } {
  // Clients of this wire see no exit code: a program that failed without a word has these.
  const silent = outcome.reason === 'exit' && outcome.exitCode !== 0 && stderr === '';
  return {
    files: outcome.files.map((file) => answeredFile(file, outcome.session)),
    stdout: stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`,
    stderr: withLines(stderr, [silent ? `Process exited with code ${String(outcome.exitCode)}` : endWords(outcome), ...noteLines(outcome)]),
  };
}

function answeredFile({ id, name }: CodeFile, session: string): AnsweredFile {
  return { id, name, path: `/${name}`, session_id: session, storage_session_id: session };
}
