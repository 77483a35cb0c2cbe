import type { JsonSchema } from '../../contract/json-schema.ts';
import { readJson } from '../../core/json-text.ts';

/** Turns the values of a query string into an operation's input. Made once an operation, from its schema. */
export type QueryReader = (query: Readonly<Record<string, string | string[]>>) => Record<string, unknown>;

type Convert = (text: string) => unknown;

/** What does not fit stays text, so that validation says what is wrong with it. */
export function queryReader(input: JsonSchema): QueryReader {
  const fields = new Map(Object.entries(input.properties ?? {}).map(([name, field]) => [name, fieldReader(field)]));
  return (query) => {
    const read: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(query)) {
      const field = fields.get(name);
      if (field !== undefined) read[name] = field(value);
    }
    return read;
  };
}

function fieldReader(schema: JsonSchema): (value: string | string[]) => unknown {
  if (schema.type === 'array') {
    const convert = converter(schema.items ?? {});
    return (value) => (Array.isArray(value) ? value : [value]).map((text) => convert(text));
  }
  const convert = converter(schema);
  return (value) => (Array.isArray(value) ? value.map((text) => convert(text)) : convert(value));
}

function converter(schema: JsonSchema): Convert {
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) {
    const converters = options.map(converter);
    return (text) => {
      for (const convert of converters) {
        const value = convert(text);
        if (value !== text) return value;
      }
      return text;
    };
  }
  switch (schema.type) {
    case 'integer':
    case 'number':
      return (text) => (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text);
    case 'boolean':
      return (text) => (text === 'true' || text === '1' || text === '' ? true : text === 'false' || text === '0' ? false : text);
    case 'null':
      return (text) => (text === 'null' ? null : text);
    case 'object':
    case 'array':
      return parsed;
    case undefined:
      // Anything, so that what is JSON is meant as such; a choice of texts has no type of its own either.
      return schema.enum === undefined && schema.const === undefined ? parsed : (text) => text;
    default:
      return (text) => text;
  }
}

function parsed(text: string): unknown {
  try {
    return readJson(text);
  } catch {
    // Validation says that an object was expected.
    return text;
  }
}
