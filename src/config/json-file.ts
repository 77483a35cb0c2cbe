/** So many signs V8 quotes before a token that it did not expect, and from it on, where there are as many. */
const QUOTED = 10;

/**
 * What the text of a file says. Editors on Windows write a mark before it. Throws an Error that says what is wrong and, as far as that is known, where;
 * of the text, which may hold secrets, it quotes one sign at most.
 */
export function parsedJson(text: string): unknown {
  const json = text.replace(/^\uFEFF/, '');
  try {
    return JSON.parse(json);
  } catch (error) {
    const { message } = error as Error;
    const parts = /^(Unexpected token .*?), (\.{3})?"(.*)"(\.{3})? is not valid JSON$/s.exec(message);
    if (parts === null) throw new Error(message);
    const [, problem = '', before, quoted = '', after] = parts;
    const from = before === undefined ? 0 : json.indexOf(quoted);
    const isKnown = before === undefined ? after !== undefined : from === json.lastIndexOf(quoted);
    const at = before === undefined ? quoted.length - QUOTED : from + QUOTED;
    throw new Error(isKnown ? `${problem} in line ${json.slice(0, at).split('\n').length}` : problem);
  }
}
