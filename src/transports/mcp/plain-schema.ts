import type { JsonSchema } from '../../contract/json-schema.ts';

/**
 * The schema without what came late to JSON Schema, or what few read: clients and the services behind models refuse a tool for such a word. It says less then;
 * whoever parses the input refuses what it does not say.
 */
export function plainSchema(schema: JsonSchema): JsonSchema {
  const { prefixItems, propertyNames: _, ...plain } = schema;
  if (prefixItems !== undefined) {
    const first = prefixItems as JsonSchema[];
    plain.items = holdsForAll(plain.items === undefined ? first : [...first, plain.items]);
  }
  if (plain.items !== undefined) plain.items = plainSchema(plain.items);
  if (plain.anyOf !== undefined) plain.anyOf = plain.anyOf.map(plainSchema);
  if (plain.oneOf !== undefined) plain.oneOf = plain.oneOf.map(plainSchema);
  if (plain.properties !== undefined)
    plain.properties = Object.fromEntries(Object.entries(plain.properties).map(([name, inner]) => [name, plainSchema(inner)]));
  const { additionalProperties: others } = plain;
  if (typeof others === 'object') plain['additionalProperties'] = plainSchema(others as JsonSchema);
  return plain;
}

/** What is of one kind is said as that, with what is the same of all. */
function holdsForAll(forms: readonly JsonSchema[]): JsonSchema {
  const [one = {}, ...others] = forms;
  if (others.some(({ type }) => type !== one.type)) return { anyOf: [...forms] };
  const said = (schema: JsonSchema, keyword: string): string => JSON.stringify(schema[keyword]) ?? '';
  return Object.fromEntries(
    Object.entries(one).filter(([keyword]) => others.every((other) => said(other, keyword) === said(one, keyword))),
  );
}
