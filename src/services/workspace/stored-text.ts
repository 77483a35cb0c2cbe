import { OutriggerError } from '../../contract/errors.ts';

const BOM = 0xfeff;

/** A text as a reader gets it: without its byte order mark, which is told instead. */
export function withBom<Facts extends object>(facts: Facts, raw: string): Facts & { text: string; bom?: boolean } {
  return beginsWithBom(raw) ? { ...facts, text: raw.slice(1), bom: true } : { ...facts, text: raw };
}

/** A reader is not shown the byte order mark, so a writer can't give it back. */
export function keepBom(text: string, had: boolean): string {
  return had && !beginsWithBom(text) ? String.fromCharCode(BOM) + text : text;
}

export function beginsWithBom(raw: string): boolean {
  return raw.charCodeAt(0) === BOM;
}

/** Throws where UTF-8 can't hold the text: half of a surrogate pair would be stored as another character. */
export function storable(path: string, text: string): string {
  if (text.isWellFormed()) return text;
  throw new OutriggerError('BAD_INPUT', `The text for ${path} holds a lone surrogate, which UTF-8 can't store.`);
}
