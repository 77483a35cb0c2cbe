import type { FastifyError, FastifyRequest } from 'fastify';
import { OutriggerError } from '../../contract/errors.ts';
import { BadRequest } from './answers.ts';

/** Fields of one form beside its files. */
const MAX_FIELDS = 20;
const MAX_FIELD_BYTES = 64 * 1024;

type Part = Awaited<ReturnType<ReturnType<FastifyRequest['parts']>['next']>>['value'];

/** The fields and files of a multipart body, in order; each file must be read or resumed. Throws BadRequest for a broken one. */
export async function* partsOf(request: FastifyRequest): AsyncGenerator<Part> {
  const parts = request.parts({ limits: { fields: MAX_FIELDS, fieldSize: MAX_FIELD_BYTES } });
  try {
    yield* parts;
  } catch (error) {
    // The parser would go on to the end of the body, for nobody.
    request.raw.unpipe().resume();
    throw brokenForm(error);
  }
}

/** The names of the files of one form. */
export class FormNames {
  readonly #names = new Set<string>();

  /** Throws BAD_INPUT for one that was there before: the second file would take the place of the first. A form may leave it out. */
  add(name: string | undefined): void {
    if (name === undefined) throw new OutriggerError('BAD_INPUT', 'A file of the form has no name.');
    if (this.#names.has(name))
      throw new OutriggerError('BAD_INPUT', `Two files of the form are called ${JSON.stringify(name.slice(0, 100))}.`);
    this.#names.add(name);
  }
}

/** The bytes of one file. Throws INPUT_TOO_LARGE, and BAD_INPUT where the body ends too early. */
export async function* wholeFile(stream: AsyncIterable<Uint8Array> & { truncated: boolean }): AsyncGenerator<Uint8Array, void> {
  try {
    yield* stream;
  } catch (error) {
    const problem = brokenForm(error);
    // It goes through what stores the file, which knows no errors of this wire.
    throw problem instanceof BadRequest
      ? new OutriggerError('BAD_INPUT', problem.problems[0]?.message ?? problem.message, { cause: error })
      : problem;
  }
  // The parser stops at the limit without a word.
  if (stream.truncated) throw new OutriggerError('INPUT_TOO_LARGE', 'The file is larger than the limit of uploads');
}

/** The parser's own errors say what the caller did wrong; those of a form that ends too early have no status. */
function brokenForm(error: unknown): unknown {
  const known = error instanceof OutriggerError || error instanceof BadRequest;
  if (known || !(error instanceof Error) || (error as Partial<FastifyError>).statusCode !== undefined) return error;
  return BadRequest.form({ field: 'body', message: `The form is broken: ${error.message}`, code: 'multipart_invalid' });
}
