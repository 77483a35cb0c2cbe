/** Of one glob; `{a,b}{c,d}` are four. */
const MAX_ALTERNATIVES = 256;
/** Characters of all globs of one matcher, alternatives written out. */
const MAX_CHARACTERS = 8192;
const MAX_SHOWN = 100;

const slash = 47;
/** Any number of characters of a name, and exactly one. */
const many = 'many';
const one = 'one';

interface CharacterClass {
  isNegated: boolean;
  /** First and last code points, in turns. */
  ranges: readonly number[];
}

/** A number is the code point of a character that stands for itself. */
type Token = number | typeof many | typeof one | CharacterClass;

/** A name that stands for itself, tokens of one, or any number of names. */
type Part = string | readonly Token[] | 'any names';
const anyNames = 'any names';

/**
 * Tells whether a path, with '/' and relative, matches one of the globs: `*` and `?` within a name, `**` for any number of folders, `[a-z]`, `[!a-z]`,
 * `{a,b}`, and `\` before what stands for itself. All is matched from the top, and names that begin with a dot are like others. No glob matches nothing.
 * Takes at most as many steps as the lengths of globs and path make when multiplied. Throws BadGlob.
 */
export function globMatcher(globs: readonly string[]): (path: string) => boolean {
  let characters = 0;
  const wanted = globs.flatMap((glob) => {
    const alternatives = new GlobReader(glob).read();
    for (const tokens of alternatives) characters += tokens.length;
    if (characters > MAX_CHARACTERS) throw new BadGlob(glob, `with it the globs are longer than ${MAX_CHARACTERS} characters`);
    return alternatives.map(partsOf);
  });
  return (path) => {
    if (path === '' || wanted.length === 0) return false;
    const names = path.split('/');
    return wanted.some((parts) => matchesNames(parts, names));
  };
}

/** Says what is wrong with it. */
export class BadGlob extends Error {
  constructor(glob: string, problem: string) {
    super(`${JSON.stringify(shortened(glob))}: ${problem}`);
    this.name = 'BadGlob';
  }
}

function shortened(glob: string): string {
  return glob.length > MAX_SHOWN ? `${glob.slice(0, MAX_SHOWN)}…` : glob;
}

class GlobReader {
  readonly #glob: string;
  readonly #characters: readonly string[];
  #at = 0;

  constructor(glob: string) {
    this.#glob = glob;
    this.#characters = [...glob];
  }

  read(): Token[][] {
    const alternatives = this.#sequence(false);
    if (this.#at < this.#characters.length) throw this.#bad('no "{" comes before "}"');
    return alternatives;
  }

  /** Up to the end, or to what ends an alternative. */
  #sequence(isWithin: boolean): Token[][] {
    let read: Token[][] = [[]];
    for (let next = this.#characters[this.#at]; next !== undefined && next !== '}' && !(isWithin && next === ','); ) {
      this.#at++;
      if (next === '{') read = this.#product(read, this.#choice());
      else {
        const token = this.#token(next);
        for (const tokens of read) tokens.push(token);
      }
      next = this.#characters[this.#at];
    }
    return read;
  }

  #choice(): Token[][] {
    const choices = this.#sequence(true);
    while (this.#take(',')) {
      choices.push(...this.#sequence(true));
      this.#bound(choices.length);
    }
    if (!this.#take('}')) throw this.#bad('no "}" follows "{"');
    return choices;
  }

  #product(before: Token[][], after: Token[][]): Token[][] {
    this.#bound(before.length * after.length);
    return before.flatMap((some) => after.map((rest) => [...some, ...rest]));
  }

  #token(character: string): Token {
    if (character === '*') return many;
    if (character === '?') return one;
    if (character === '[') return this.#class();
    return codePoint(character === '\\' ? this.#next('nothing follows "\\"') : character);
  }

  #class(): CharacterClass {
    const isNegated = this.#take('!') || this.#take('^');
    const ranges: number[] = [];
    for (let isFirst = true; isFirst || !this.#take(']'); isFirst = false) {
      const from = this.#classCharacter();
      const isRange = this.#characters[this.#at] === '-' && this.#characters[this.#at + 1] !== ']';
      if (isRange) this.#at++;
      const to = isRange ? this.#classCharacter() : from;
      if (to < from) throw this.#bad('a range ends before it begins');
      ranges.push(from, to);
    }
    return { isNegated, ranges };
  }

  #classCharacter(): number {
    const character = this.#next('no "]" follows "["');
    return codePoint(character === '\\' ? this.#next('nothing follows "\\"') : character);
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #next(problem: string): string {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw this.#bad(problem);
    return character;
  }

  #bound(alternatives: number): void {
    if (alternatives > MAX_ALTERNATIVES) throw this.#bad(`it stands for more than ${MAX_ALTERNATIVES} globs`);
  }

  #bad(problem: string): BadGlob {
    return new BadGlob(this.#glob, problem);
  }
}

function codePoint(character: string): number {
  return character.codePointAt(0) as number;
}

function partsOf(tokens: readonly Token[]): Part[] {
  const parts: Part[] = [];
  let name: Token[] = [];
  for (const token of [...tokens, slash]) {
    if (token !== slash) name.push(token);
    else {
      parts.push(partOf(name));
      name = [];
    }
  }
  // `*/**` is what lies in any folder, and no file beside them; `src/**` is the folder, too.
  if (parts.at(-1) === anyNames && parts.at(-2)?.at(-1) === many) parts.splice(-1, 0, [many]);
  return parts;
}

function partOf(name: readonly Token[]): Part {
  if (name.length === 2 && name.every((token) => token === many)) return anyNames;
  const isPlain = name.every((token) => typeof token === 'number');
  return isPlain ? String.fromCodePoint(...name) : name.filter((token, index) => token !== many || name[index - 1] !== many);
}

/** Of what stands for any number, only the last has to be tried again with more: what came before it was found as early as it can be. */
function matchesNames(parts: readonly Part[], names: readonly string[]): boolean {
  let part = 0;
  let name = 0;
  let again = -1;
  let from = 0;
  while (name < names.length) {
    const wanted = parts[part];
    if (wanted === anyNames) {
      again = ++part;
      from = name;
      if (again === parts.length) return true;
    } else if (wanted !== undefined && matchesName(wanted, names[name] as string)) {
      part++;
      name++;
    } else if (again >= 0) {
      part = again;
      name = ++from;
    } else return false;
  }
  while (parts[part] === anyNames) part++;
  return part === parts.length;
}

function matchesName(wanted: string | readonly Token[], name: string): boolean {
  if (typeof wanted === 'string') return wanted === name;
  let token = 0;
  let at = 0;
  let again = -1;
  let from = 0;
  while (at < name.length) {
    const next = wanted[token];
    const character = name.codePointAt(at) as number;
    if (next === many) {
      again = ++token;
      from = at;
      if (again === wanted.length) return true;
    } else if (next !== undefined && matchesCharacter(next, character)) {
      token++;
      at += unitsOf(character);
    } else if (again >= 0) {
      token = again;
      from += unitsOf(name.codePointAt(from) as number);
      at = from;
    } else return false;
  }
  if (wanted[token] === many) token++;
  return token === wanted.length;
}

function matchesCharacter(token: number | typeof one | CharacterClass, character: number): boolean {
  if (typeof token === 'number') return token === character;
  if (token === one) return true;
  const { isNegated, ranges } = token;
  for (let at = 0; at < ranges.length; at += 2)
    if (character >= (ranges[at] as number) && character <= (ranges[at + 1] as number)) return !isNegated;
  return isNegated;
}

function unitsOf(character: number): number {
  return character > 0xffff ? 2 : 1;
}
