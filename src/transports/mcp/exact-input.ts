import { OutriggerError } from '../../contract/errors.ts';
import type { JsonSchema } from '../../contract/json-schema.ts';

interface Unknown {
  /** With dots between names, e.g. `edits.0.regex`. */
  at: string;
  /** What may stand in its place, nearest first. */
  known: string[];
}

/**
 * The schema of an input without room for names that are not in it. Elsewhere such a field is passed over, so that programs may be newer than the
 * sidecar; a model makes names up, and would take what was passed over for done.
 */
export function exactSchema(schema: JsonSchema): JsonSchema {
  const exact = { ...schema };
  if (schema.items !== undefined) exact.items = exactSchema(schema.items);
  if (schema.anyOf !== undefined) exact.anyOf = schema.anyOf.map(exactSchema);
  if (schema.oneOf !== undefined) exact.oneOf = schema.oneOf.map(exactSchema);
  if (schema.properties !== undefined) {
    exact.properties = Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, exactSchema(inner)]));
    exact['additionalProperties'] ??= false;
  }
  return exact;
}

/** Throws BAD_INPUT for a name that an exact schema does not have; what else is wrong with the input is found by whoever parses it. */
export function refuseUnknown(tool: string, input: unknown, schema: JsonSchema): void {
  const unknown = unknownIn(input, schema, '');
  if (unknown === undefined) return;
  const name = JSON.stringify(unknown.at.slice(0, 100));
  const takes = unknown.known.length === 0 ? 'nothing' : unknown.known.join(', ');
  const issues = [{ at: unknown.at, problem: 'is not known' }];
  throw new OutriggerError('BAD_INPUT', `${tool} takes no ${name}; it takes ${takes}.`, { details: { issues } });
}

function unknownIn(value: unknown, schema: JsonSchema, at: string): Unknown | undefined {
  const forms = schema.anyOf ?? schema.oneOf;
  if (forms !== undefined) {
    const found = forms.filter((form) => mayBe(value, form)).map((form) => unknownIn(value, form, at));
    return found.includes(undefined) ? undefined : found[0];
  }
  if (Array.isArray(value)) return firstOf(value.entries(), (index, item) => unknownIn(item, schema.items ?? {}, `${at}${index}.`));
  const { properties } = schema;
  if (typeof value !== 'object' || value === null || properties === undefined) return undefined;
  return firstOf(Object.entries(value), (name, inner) => {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (own !== undefined) return unknownIn(inner, own, `${at}${name}.`);
    return schema['additionalProperties'] === false ? { at: at + name, known: nearestFirst(Object.keys(properties), name) } : undefined;
  });
}

/** Whether the value is of the kind of this form, and has what that needs. */
function mayBe(value: unknown, { type, properties = {}, required = [] }: JsonSchema): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (type !== undefined && type !== (Array.isArray(value) ? 'array' : 'object')) return false;
  return required.every((name) => {
    const fixed = properties[name]?.['const'];
    return Object.hasOwn(value, name) && (fixed === undefined || fixed === (value as Record<string, unknown>)[name]);
  });
}

function firstOf<Key>(entries: Iterable<[Key, unknown]>, look: (key: Key, value: unknown) => Unknown | undefined): Unknown | undefined {
  for (const [key, value] of entries) {
    const found = look(key, value);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Those that begin alike first, `if_match` like `ifMatch`; the others in their order. */
function nearestFirst(names: readonly string[], wanted: string): string[] {
  const plain = (name: string): string => name.replaceAll(/[^a-z0-9]/gi, '').toLowerCase();
  const letters = [...plain(wanted)];
  const alike = (name: string): number => {
    const differs = letters.findIndex((letter, at) => plain(name)[at] !== letter);
    return differs < 0 ? letters.length : differs;
  };
  return names.toSorted((one, other) => alike(other) - alike(one));
}
