/** A type that a source of Java has outside of all others. */
export interface JavaType {
  name: string;
  isPublic: boolean;
  isInterface: boolean;
  main: 'static' | 'instance' | 'none';
}

const token = /\/\/|\/\*|"""|["'{}();]|[\p{L}_$][\p{L}\p{N}_$]*/gu;
const kinds = new Set(['class', 'record', 'enum', 'interface']);

/**
 * In their order; `hasLooseMain`: a main method stands in none of them; `inPackage`: empty where they are in none. Sources that are wrong are
 * the compiler's to judge.
 */
export function javaTypesOf(source: string): { types: JavaType[]; hasLooseMain: boolean; inPackage: string } {
  const types: JavaType[] = [];
  /** What stands between `package` and its end. */
  const packageWords: string[] = [];
  let isInPackage = false;
  let hasLooseMain = false;
  /** Its declaration, or what is in it, is being read. */
  let type: JavaType | undefined;
  let isInBody = false;
  let depth = 0;
  /** Since the last statement or block ended. */
  let words = new Set<string>();
  let [last, lastButOne] = ['', ''];
  token.lastIndex = 0;
  for (let found = token.exec(source); found !== null; found = token.exec(source)) {
    const [what] = found;
    if (what === '//' || what === '/*') {
      token.lastIndex = after(source, what === '//' ? '\n' : '*/', token.lastIndex);
      continue;
    }
    const isOutside = depth === (isInBody ? 1 : 0);
    if (what === '"' || what === "'" || what === '"""') token.lastIndex = afterQuoted(source, what, token.lastIndex);
    else if (what === '(') {
      if (isOutside && last === 'main' && lastButOne === 'void') {
        if (type === undefined) hasLooseMain = true;
        else if (isInBody && type.main !== 'static') type.main = words.has('static') ? 'static' : 'instance';
      }
      depth++;
    } else if (what === '{') {
      if (isOutside && type !== undefined) isInBody = true;
      if (isOutside) words = new Set();
      depth++;
    } else if (what === ')' || what === '}') {
      depth = Math.max(0, depth - 1);
      if (depth === 0 && what === '}') [type, isInBody] = [undefined, false];
      if (depth === (isInBody ? 1 : 0) && what === '}') words = new Set();
    } else if (what === ';') {
      isInPackage = false;
      if (isOutside) words = new Set();
    } else if (isOutside) {
      if (isInPackage) packageWords.push(what);
      isInPackage ||= what === 'package' && types.length === 0 && packageWords.length === 0;
      if (type === undefined && kinds.has(last) && !words.has('import') && !words.has('package')) {
        type = { name: what, isPublic: words.has('public'), isInterface: last === 'interface', main: 'none' };
        types.push(type);
      }
      words.add(what);
    }
    [lastButOne, last] = [last, what];
  }
  return { types, hasLooseMain, inPackage: packageWords.join('.') };
}

function after(source: string, end: string, from: number): number {
  const at = source.indexOf(end, from);
  return at < 0 ? source.length : at + end.length;
}

/** Behind a string, or where its line ends, if it is not to have more of them. */
function afterQuoted(source: string, quote: string, from: number): number {
  for (let at = from; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source.startsWith(quote, at)) return at + quote.length;
    else if (source[at] === '\n' && quote.length === 1) return at;
  }
  return source.length;
}
