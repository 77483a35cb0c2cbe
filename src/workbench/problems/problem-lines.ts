export type Severity = 'error' | 'warning';

/** A line of a file, as the program that wrote of it names it. */
export interface Place {
  file: string;
  /** From 1. */
  line: number;
  column: number | undefined;
}

export interface Finding {
  severity: Severity;
  text: string;
  /** The most exact first: of a stack the frames from where it happened outwards. */
  places: readonly Place[];
}

type Groups = Record<string, string | undefined>;

const longest = 2_000;
const longestText = 500;
const mostFrames = 50;
/** Between the name of a place and what is wrong there stand a few lines of code. */
const farthestPlace = 12;
const farthestFrame = 200;

const file = String.raw`(?:file://)?(?<file>[^\s:()'"]+)`;
const at = String.raw`(?<line>\d{1,9})(?::(?<column>\d{1,9}))?`;
const severity = String.raw`(?<severity>fatal error|error|warning)`;

/** What one line says whole. */
const whole: readonly RegExp[] = [
  // gcc, clang, javac, mypy; tsc as people read it
  new RegExp(String.raw`^\s*${file}:${at}:? (?:- )?${severity}(?:\[\w+\])?:? (?<text>.+)$`, 'i'),
  // tsc, the compilers of D
  new RegExp(String.raw`^\s*${file}\((?<line>\d{1,9})(?:,(?<column>\d{1,9}))?\): ${severity}:? (?<text>.+)$`, 'i'),
  // an exception of D
  new RegExp(String.raw`^(?<kind>[\w.]+)@${file}\((?<line>\d{1,9})\): (?<text>.+)$`),
  // flake8, pylint, ruff
  new RegExp(String.raw`^${file}:${at}: (?<text>(?<code>[A-Z]{1,4}\d{2,5}):? .+)$`),
  // pytest, and warnings of Python
  new RegExp(String.raw`^${file}:(?<line>\d{1,9}): (?<text>(?<kind>\w+(?:Error|Exception|Failed|Warning))\b.*)$`),
  // go
  new RegExp(String.raw`^(?:vet: )?${file}:(?<line>\d{1,9}):(?<column>\d{1,9}): (?!note|info|help|hint)(?<text>.+)$`),
  // rustc before 1.73
  new RegExp(String.raw`^thread '.*' panicked at '(?<text>.+)', ${file}:${at}$`),
  // shells; a second time they quote the line
  new RegExp(String.raw`^${file}: line (?<line>\d{1,9}): (?!\x60)(?<text>.+)$`),
  // PHP
  /^(?:PHP )?(?<kind>Parse error|Fatal error|Warning|Notice|Deprecated): +(?<text>.+?) in (?<file>\/?[^\s:()'"]+)(?: on line |:)(?<line>\d{1,9})$/,
];

/** rustc and ruff: what is wrong, and below it where. */
const heading = new RegExp(String.raw`^(?:${severity}(?:\[\w+\])?: (?<text>.+)|(?<code>[A-Z]{1,4}\d{2,5}) (?:\[\*\] )?(?<rule>.+))$`);
const arrow = new RegExp(String.raw`^\s*--> ${file}:${at}$`);
/** A line that is nothing but a place: of Node and gfortran, before what is wrong there. */
const alone = new RegExp(String.raw`^${file}:${at}:?$`);
/** Its errors are read as exceptions are, which look the same. */
const fortran = /^(?:(?<severity>Warning)|Fatal Error|Fortran runtime error): (?<text>.+)$/;
const atLineOf = /^At line (?<line>\d{1,9}) of file (?<file>.+)$/;
/** Rust: where it panicked; why stands on the next line. */
const panicked = new RegExp(String.raw`^thread '.*'.* panicked at ${file}:${at}:$`);
/** ESLint as people read it: a file, and below it what is wrong in it. */
const inFile = /^\s+(?<line>\d{1,9}):(?<column>\d{1,9})\s+(?<severity>error|warning)\s+(?<text>.+)$/;
const fileAlone = /^(?<file>(?:\/|\.{0,2}\/)?[^\s:()'"]+\.\w{1,8})$/;

const pythonFrame = /^\s*File "(?<file>[^"]+)", line (?<line>\d{1,9})/;
const pythonEnd = /^(?!KeyboardInterrupt|SystemExit)[A-Za-z_][\w.]*(?:: .*)?$/;
/** Exceptions of JavaScript and Java, and panics of Go, with a stack below them. */
const thrown = /^(?:Uncaught )?(?<text>(?:[A-Z]\w*)?(?:Error|Exception)(?: \[\w+\])?: .+)$/;
const thrownInJava = /^Exception in thread ".*" (?:[\w$]+\.)*(?<text>[A-Z][\w$]*(?:: .*)?)$/;
const goPanic = /^(?<text>panic: .+)$/;
const frame = new RegExp(String.raw`^\s+at (?:.*\()?${file}:${at}\)?$`);
const goFrame = new RegExp(String.raw`^\t${file}:(?<line>\d{1,9})(?: \+0x[\da-f]+)?$`);

interface Stack {
  kind: 'python' | 'frames' | 'go';
  text: string;
  places: Place[];
  lines: number;
}

/**
 * Reads what compilers, interpreters and linters write, line by line, for what is wrong at which line of a file.
 * One reader a stream. Nothing is said of whether the files are there.
 */
export class ProblemLines {
  #stack: Stack | undefined;
  #heading: { severity: Severity; text: string } | undefined;
  #alone: (Place & { age: number }) | undefined;
  #panicked: Place | undefined;
  #inFile: string | undefined;

  /** Takes the next line, without colours; answers what is complete by it. */
  take(raw: string): Finding[] {
    const line = raw.slice(0, longest);
    const ended = this.#goOn(line);
    if (ended === 'taken') return [];
    const found = this.#begin(line);
    return [...ended, ...(found === undefined ? [] : [found])];
  }

  /** Nothing more comes for now: what is complete without it. */
  rest(): Finding[] {
    const stack = this.#stack;
    return stack === undefined || stack.kind === 'python' || stack.places.length === 0 ? [] : this.#stackEnd();
  }

  /** Nothing more comes: what was left open. */
  end(): Finding[] {
    return this.#stackEnd();
  }

  /** What the line is to a stack that is open. */
  #goOn(line: string): Finding[] | 'taken' {
    const stack = this.#stack;
    if (stack === undefined) return [];
    stack.lines += 1;
    const next = placeIn((stack.kind === 'python' ? pythonFrame : stack.kind === 'go' ? goFrame : frame).exec(line)?.groups);
    if (next !== undefined) {
      // Python names the outermost first.
      if (stack.kind === 'python') stack.places.unshift(next);
      else if (stack.places.length < mostFrames) stack.places.push(next);
      if (stack.places.length > mostFrames) stack.places.pop();
      return 'taken';
    }
    if (stack.kind === 'go') return /^exit status/.test(line) || stack.lines > farthestFrame ? this.#stackEnd() : 'taken';
    if (line === '' || /^\s/.test(line)) return stack.lines > farthestFrame ? this.#stackEnd() : 'taken';
    if (stack.kind === 'frames') return this.#stackEnd();
    this.#stack = undefined;
    return pythonEnd.test(line) ? [finding('error', line, stack.places)] : [];
  }

  #stackEnd(): Finding[] {
    const stack = this.#stack;
    this.#stack = undefined;
    if (stack === undefined || stack.kind === 'python') return [];
    const places = this.#alone === undefined ? stack.places : [...stack.places, this.#takeAlone()];
    return places.length === 0 ? [] : [finding('error', stack.text, places)];
  }

  #takeAlone(): Place {
    const { file, line, column } = this.#alone as Place;
    this.#alone = undefined;
    return { file, line, column };
  }

  #begin(line: string): Finding | undefined {
    if (this.#panicked !== undefined) {
      const place = this.#panicked;
      this.#panicked = undefined;
      return finding('error', line, [place]);
    }
    for (const pattern of whole) {
      const groups = pattern.exec(line)?.groups;
      const place = placeIn(groups);
      if (groups !== undefined && place !== undefined) return finding(severityOf(groups), groups.text ?? '', [place]);
    }
    if (/^Traceback \(most recent call last\):/.test(line)) return this.#open('python', '');
    const python = placeIn(pythonFrame.exec(line)?.groups);
    if (python !== undefined) return this.#open('python', '', [python]);
    const stackText = (thrown.exec(line) ?? thrownInJava.exec(line))?.groups?.text;
    if (stackText !== undefined) return this.#open('frames', stackText);
    const panic = goPanic.exec(line)?.groups?.text;
    if (panic !== undefined) return this.#open('go', panic);
    return this.#ofTwo(line);
  }

  #open(kind: Stack['kind'], text: string, places: Place[] = []): undefined {
    this.#stack = { kind, text, places, lines: 0 };
  }

  /** What two lines say together. */
  #ofTwo(line: string): Finding | undefined {
    if (this.#alone !== undefined && (this.#alone.age += 1) > farthestPlace) this.#alone = undefined;
    const pointed = placeIn(arrow.exec(line)?.groups);
    if (pointed !== undefined) {
      const said = this.#heading;
      this.#heading = undefined;
      return said && finding(said.severity, said.text, [pointed]);
    }
    const where = placeIn(alone.exec(line)?.groups) ?? placeIn(atLineOf.exec(line)?.groups);
    if (where !== undefined) {
      this.#alone = { ...where, age: 0 };
      return undefined;
    }
    this.#panicked = placeIn(panicked.exec(line)?.groups);
    const says = fortran.exec(line)?.groups;
    if (says !== undefined && this.#alone !== undefined) return finding(severityOf(says), says.text ?? '', [this.#takeAlone()]);
    const head = heading.exec(line)?.groups;
    if (head !== undefined) this.#heading = { severity: severityOf(head), text: head.text ?? `${head.code ?? ''} ${head.rule ?? ''}` };
    else if (line.startsWith('note')) this.#heading = undefined;
    const within = inFile.exec(line)?.groups;
    if (within !== undefined && this.#inFile !== undefined) {
      const place = placeIn({ ...within, file: this.#inFile });
      return place && finding(severityOf(within), (within.text ?? '').replace(/\s{2,}/g, '  '), [place]);
    }
    if (line !== '' && !/^\s/.test(line)) this.#inFile = fileAlone.exec(line)?.groups?.file;
    return undefined;
  }
}

function finding(severity: Severity, text: string, places: readonly Place[]): Finding {
  return { severity, text: text.trim().slice(0, longestText), places };
}

/** Undefined where there is no name with an ending, as of `10:41:08: error`. */
function placeIn(groups: Groups | undefined): Place | undefined {
  const { file: name = '', line, column } = groups ?? {};
  if (!/\.[A-Za-z]\w{0,8}$/.test(name) || !(Number(line) > 0)) return undefined;
  return { file: name, line: Number(line), column: Number(column) > 0 ? Number(column) : undefined };
}

/** Of linters' rules: what they say by E9 (no program at all) and pylint's E and F are errors. */
function severityOf({ severity: said, code, kind }: Groups): Severity {
  if (code !== undefined) return /^(?:E9\d\d|[EF]\d{4})$/.test(code) ? 'error' : 'warning';
  return /warning|notice|deprecated/i.test(said ?? kind ?? '') ? 'warning' : 'error';
}
