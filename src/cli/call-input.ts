import { didYouMean } from '../config/load.ts';
import { operationSchema } from '../contract/json-schema.ts';
import type { Table } from '../contract/operation.ts';
import { operations } from '../contract/operations.ts';
import { UsageError } from './command-error.ts';
import { columns } from './terminal.ts';

const table: Table = operations;

/**
 * Throws UsageError for a field that the operation does not have. The wire passes over such fields, so that older and newer programs
 * understand each other; a person who mistypes `ifMatch` would overwrite what it should protect. What we do not know is left to the sidecar.
 */
export async function checkFields(name: string, input: unknown): Promise<void> {
  const fields = fieldsOf(table, name);
  if (fields === undefined || typeof input !== 'object' || input === null || Array.isArray(input)) return;
  const unknown = Object.keys(input).find((field) => !fields.includes(field));
  if (unknown === undefined) return;
  // A hub has operations of the same names.
  const { hubOperations } = await import('../contract/hub-operations.ts');
  if (fieldsOf(hubOperations, name)?.includes(unknown) === true) return;
  const takes = fields.length === 0 ? ' It takes nothing.' : ` It takes ${fields.join(', ')}.`;
  throw new UsageError(`${name} has no ${JSON.stringify(unknown)}.${didYouMean(unknown, fields) || takes}`);
}

/** Undefined where they can't be told: an operation of a host's own, or an input that is no plain object. */
function fieldsOf(operationsByName: Table, name: string): string[] | undefined {
  const operation = Object.hasOwn(operationsByName, name) ? operationsByName[name] : undefined;
  const schema = operation === undefined ? undefined : operationSchema(operation, 'input');
  if (schema?.type !== 'object' || (schema['additionalProperties'] ?? false) !== false) return undefined;
  return Object.keys(schema.properties ?? {});
}

/** What to do about a name that the sidecar does not know. */
export function operationHint(name: string): string {
  return `${didYouMean(name, Object.keys(table))} \`outrigger call --list\` lists them.`.trimStart();
}

/** Name, access and summary of each operation of a sidecar. */
export function operationList(json: boolean): string {
  const rows = Object.entries(table).map(([name, { access, summary }]) => ({ name, access, summary }));
  return json ? `${JSON.stringify(rows)}\n` : columns(rows.map(({ name, access, summary }) => [name, access, summary]));
}
