import { createHash } from 'node:crypto';
import { codeId } from '../../contract/code.ts';
import { BadRequest, type Problem } from './answers.ts';

/** A file that a run is to find, by the ids that uploads and earlier runs answered. */
export interface FileRef {
  session: string;
  id: string;
  name: string;
}

export interface ExecForm {
  code: string;
  lang: string;
  args: string[];
  session: string | undefined;
  entity: string | undefined;
  files: FileRef[];
  /** Of the run, ms; as given, the operation brings it into its bounds. */
  timeoutMs: number | undefined;
}

const entityPattern = /^[A-Za-z0-9_-]{1,40}$/;
const ENTITY_LENGTH = 40;

type Fields = Readonly<Record<string, unknown>>;

/** Reads the fields of a body one by one, and gathers what is wrong with them. Pure. */
export class FormReader {
  readonly problems: Problem[] = [];
  readonly #fields: Fields;

  constructor(body: unknown) {
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
    this.#fields = isObject ? (body as Fields) : {};
    if (!isObject) this.#refuse('', 'Input should be a JSON object', 'model_attributes_type');
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }

  required(name: string): string {
    const value = this.raw(name);
    if (value === undefined) this.#refuse(name, 'Field required', 'missing');
    return this.#string(name, value) ?? '';
  }

  optional(name: string): string | undefined {
    const value = this.#string(name, this.raw(name));
    return value === '' ? undefined : value;
  }

  wholeNumber(name: string): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(Math.min(Math.max(value, -MAX_NUMBER), MAX_NUMBER));
    this.#refuse(name, 'Input should be a valid number', 'int_type');
    return undefined;
  }

  flag(name: string): boolean {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== 'boolean') this.#refuse(name, 'Input should be a valid boolean', 'bool_type');
    return value === true;
  }

  entity(): string | undefined {
    const value = this.optional('entity_id');
    if (value === undefined || entityPattern.test(value)) return value;
    this.#refuse('entity_id', `String should match pattern '${entityPattern.source}'`, 'string_pattern_mismatch');
    return undefined;
  }

  /** Anything is taken: what is no list is one argument, what is no string its JSON. */
  args(): string[] {
    const value = this.raw('args');
    if (value === undefined) return [];
    const list = (Array.isArray(value) ? value : [value]).map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
    list.forEach((one, at) => {
      if (one.includes('\0')) this.#refuse(`args -> ${at}`, 'An argument can hold no NUL', 'value_error');
    });
    return list;
  }

  /** `storage_session_id` is the newer name of `session_id`, and wins. */
  files(): FileRef[] {
    const value = this.raw('files');
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.#refuse('files', 'Input should be a valid list', 'list_type');
      return [];
    }
    const refs: FileRef[] = [];
    for (const [at, one] of (value as unknown[]).entries()) {
      const reader = new FormReader(one);
      const ref = { id: reader.required('id'), session: reader.optional('storage_session_id') ?? '', name: reader.optional('name') ?? '' };
      if (ref.session === '') ref.session = reader.required('session_id');
      for (const { field, ...problem } of reader.problems)
        this.#note({ ...problem, field: field.replace(/^body/, `body -> files -> ${at}`) });
      refs.push(ref);
      if (this.problems.length === MAX_PROBLEMS) break;
    }
    return refs;
  }

  /** Throws BadRequest (422) with all that was found. */
  check(): void {
    if (this.problems.length > 0) throw BadRequest.form(...this.problems);
  }

  #string(name: string, value: unknown): string | undefined {
    if (value === undefined || typeof value === 'string') return value;
    this.#refuse(name, 'Input should be a valid string', 'string_type');
    return undefined;
  }

  #refuse(name: string, message: string, code: string): void {
    this.#note({ field: name === '' ? 'body' : `body -> ${name}`, message, code });
  }

  #note(problem: Problem): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }
}

/** Of the problems of one request, so many are told; a body may have millions. */
const MAX_PROBLEMS = 20;
const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/** What POST /exec asks for. Throws BadRequest: 422 for its form, 400 for code that is empty. */
export function readExec(body: unknown): ExecForm {
  const reader = new FormReader(body);
  const form: ExecForm = {
    code: reader.required('code'),
    lang: reader.required('lang'),
    args: reader.args(),
    session: knownId(reader.optional('session_id')),
    entity: entityOf(reader.entity(), reader.optional('user_id')),
    files: reader.files(),
    timeoutMs: reader.wholeNumber('timeout'),
  };
  reader.check();
  requireCode(form.code);
  return form;
}

export function requireCode(code: string): void {
  if (code.trim() !== '') return;
  const message = 'Code field is required and cannot be empty';
  throw new BadRequest(400, 'Code cannot be empty', [{ field: 'code', message, code: 'empty_code' }]);
}

/** The id, where it can be one of ours; sessions of another server, or of another time, are begun anew. */
export function knownId(id: string | undefined): string | undefined {
  return id !== undefined && codeId().safeParse(id).success ? id : undefined;
}

/** Whose session it is: people who share an agent (`entity_id`) do not share its session. */
export function entityOf(entity: string | undefined, user: string | undefined): string | undefined {
  if (entity === undefined || user === undefined) return entity;
  return createHash('sha256').update(`${user}\0${entity}`).digest('base64url').slice(0, ENTITY_LENGTH);
}
