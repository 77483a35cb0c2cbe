// What is put into a document and can't stay there. What is nested Yjs goes down by itself: where a value is written that JSON could read, or types are taken away
// that lie in one another, some thousands of levels are more than the stack has room for, at a place that nobody expects it.

import * as Y from 'yjs';
import { OutriggerError } from '../../contract/errors.ts';
import { MAX_JSON_DEPTH } from '../../core/json-text.ts';

/** Each level takes two bytes. */
const LEAST_BYTES = 2 * MAX_JSON_DEPTH;

/** Throws INPUT_TOO_LARGE where a value in an update is nested too deep, and where the update is malformed. */
export function refuseDeepValues(update: Uint8Array): void {
  if (update.length <= LEAST_BYTES) return;
  const isRefused = Y.decodeUpdate(update).structs.some((struct) => struct instanceof Y.Item && areDeep(valuesOf(struct.content)));
  if (isRefused) throw tooDeep();
}

/**
 * Throws where something came with the transaction that can't stay: INPUT_TOO_LARGE for a type that lies in too many others, BAD_INPUT for what is no text in the
 * text of the file. That would count there as one character, which neither the file nor who reads it has: edits would go beside their place.
 */
export function refuseUnfit({ doc, beforeState }: Y.Transaction): void {
  for (const [client, structs] of doc.store.clients) {
    const before = beforeState.get(client) ?? 0;
    for (let at = structs.length - 1; at >= 0; at--) {
      const struct = structs[at];
      if (struct === undefined || struct.id.clock < before) break;
      if (!(struct instanceof Y.Item)) continue;
      if (isInText(struct) && struct.countable && !(struct.content instanceof Y.ContentString)) throw notText();
      if (struct.content instanceof Y.ContentType && isDeepType(struct)) throw tooDeep();
    }
  }
}

/** The text of the file is the one that has been asked for. */
function isInText({ parent, parentSub }: Y.Item): boolean {
  return parentSub === null && parent instanceof Y.Text && parent._item === null;
}

export function notText(): OutriggerError {
  return new OutriggerError('BAD_INPUT', 'The text of a file takes nothing but text.');
}

function tooDeep(): OutriggerError {
  return new OutriggerError('INPUT_TOO_LARGE', `The update is nested deeper than ${MAX_JSON_DEPTH} levels.`);
}

function isDeepType(item: Y.Item): boolean {
  let outer: Y.Item | null = item;
  for (let level = 0; level < MAX_JSON_DEPTH; level++) {
    outer = outer.parent instanceof Y.AbstractType ? outer.parent._item : null;
    if (outer === null) return false;
  }
  return true;
}

/** What of a content is written as JSON or the like. */
function valuesOf(content: Y.Item['content']): readonly unknown[] {
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return content.arr;
  if (content instanceof Y.ContentEmbed) return [content.embed];
  if (content instanceof Y.ContentFormat) return [content.value];
  return content instanceof Y.ContentDoc ? [content.doc.meta] : [];
}

function areDeep(values: readonly unknown[]): boolean {
  let level = values.filter(isNode);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) return true;
    level = level.flatMap((one) => Object.values(one).filter(isNode));
  }
  return false;
}

function isNode(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
}
