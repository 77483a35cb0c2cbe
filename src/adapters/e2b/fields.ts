import { OutriggerError } from '../../contract/errors.ts';

/** A message as JSON has it, of which nothing is known yet. */
export type Fields = Record<string, unknown>;

/** Throws BAD_INPUT. */
export function fieldsOf(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new OutriggerError('BAD_INPUT', `${name} must be an object.`);
  return value as Fields;
}

/** Throws BAD_INPUT. */
export function textOf(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new OutriggerError('BAD_INPUT', `${name} must be a text.`);
  return value;
}

/** Throws BAD_INPUT; what is left out is an empty list. */
export function textsOf(value: unknown, name: string): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new OutriggerError('BAD_INPUT', `${name} must be a list of texts.`);
  return value.map((one) => textOf(one, name));
}
