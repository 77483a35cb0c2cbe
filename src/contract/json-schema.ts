import * as z from 'zod';
import type { Operation } from './operation.ts';

export interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  [keyword: string]: unknown;
}

/**
 * One part of an operation as JSON Schema (2020-12): the input as a caller may give it, output and item as they are answered.
 * Undefined for an operation without items. Takes some time: for start-up and documents, not for each call.
 */
export function operationSchema(operation: Operation, part: 'input' | 'output' | 'item'): JsonSchema | undefined {
  const type = operation[part];
  if (type === undefined) return undefined;
  const { $schema: _, ...schema } = z.toJSONSchema(type, { io: part === 'input' ? 'input' : 'output', unrepresentable: 'any' });
  return schema as JsonSchema;
}
