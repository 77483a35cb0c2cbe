const codeFile = /^(?:file:\/\/)?(?:\/mnt\/data\/|\.\/)?(?:code|main|[A-Z]\w*)\.(?<ending>\w+)$/;

/** Where in a line of output a line of the code is named. */
export interface CodePlace {
  /** Of the name, in the line of output. */
  start: number;
  end: number;
  /** In the code, from 1. */
  line: number;
  column: number | undefined;
}

/** As compilers, interpreters and stacks of the thirteen languages name the file that the code is put into. */
const named =
  /(?<![\w./-])(?:file:\/\/)?(?:\/mnt\/data\/|\.\/)?(?:code|main|[A-Z]\w*)\.(?<ending>\w+)(?:(?:", line |: line | on line |:)(?<line>\d+)(?::(?<column>\d+))?|\((?<inBrackets>\d+)\))/;
const endings = new Set(['py', 'js', 'ts', 'go', 'java', 'c', 'cpp', 'php', 'rs', 'r', 'f90', 'd', 'sh']);
/** Of the libraries that came with Java, whose files are called as anybody's are. */
const ofJava = /^\s*at (?:java|javax|jdk|sun)\b/;

/** The first place of the code that a line of output names; undefined: none. */
export function codePlaceIn(text: string): CodePlace | undefined {
  const found = named.exec(text.slice(0, 2000));
  if (found === null || ofJava.test(text)) return undefined;
  const { ending = '', line, column, inBrackets } = found.groups ?? {};
  if (!endings.has(ending)) return undefined;
  const [{ length }] = found;
  return {
    start: found.index,
    end: found.index + length,
    line: Number(line ?? inBrackets),
    column: column === undefined ? undefined : Number(column),
  };
}

/** Whether a run means the code itself by this name. */
export function isCodeFile(file: string): boolean {
  return endings.has(codeFile.exec(file)?.groups?.ending ?? '');
}
