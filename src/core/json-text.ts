/**
 * Levels of arrays and objects in one another that are taken from anybody. Whatever writes such a value again goes down by itself: `JSON.stringify`
 * fails at some thousands, at a place that nobody expects it.
 */
export const MAX_JSON_DEPTH = 500;

/** It may be JSON, and is nested too deep to be taken. */
export class JsonTooDeep extends SyntaxError {
  constructor(levels: number) {
    super(`It is nested deeper than ${levels} levels.`);
  }
}

/** As `JSON.parse`, of what somebody else wrote. Throws SyntaxError, and JsonTooDeep. */
export function readJson(text: string, levels = MAX_JSON_DEPTH): unknown {
  if (isTooDeep(text, levels)) throw new JsonTooDeep(levels);
  return JSON.parse(text);
}

/** Whether more than so many levels are open anywhere in it; of what is no JSON, it may say either. */
function isTooDeep(text: string, levels = MAX_JSON_DEPTH): boolean {
  // Each level takes two characters.
  if (text.length <= 2 * levels) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(text, at);
      if (at < 0) return false;
    } else if (character === OPEN_BRACKET || character === OPEN_BRACE) {
      if (++depth > levels) return true;
    } else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Where the string ends that begins at `from`; -1 where it does not. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}
