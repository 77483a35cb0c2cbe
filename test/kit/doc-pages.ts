import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const repository = path.join(import.meta.dirname, '..', '..');
const passedOver = new Set(['node_modules', 'dist', '.toolchain', '.git', 'library-loans', '.scratch', 'coverage', 'test-results']);

/** Paths of all pages, relative to the repository. */
export function pages(folder = ''): string[] {
  return readdirSync(path.join(repository, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return passedOver.has(entry.name) ? [] : pages(name);
    return entry.name.endsWith('.md') ? [name] : [];
  });
}

export function readPage(page: string): string {
  return readFileSync(path.join(repository, page), 'utf8');
}

/** The fenced blocks of a page whose info string is `label`, in order. */
export function blocks(page: string, label: string): string[] {
  const found = [...readPage(page).matchAll(/^```(.*)\n([^]*?)^```$/gm)];
  return found.flatMap(([, info, text]) => (info === label && text !== undefined ? [text] : []));
}

/** What is wrong with the links of a page: files that are not there, and places in pages that are not there. */
export function linkProblems(page: string): string[] {
  const text = readPage(page).replace(/^```[^]*?^```$/gm, '');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string);
  return targets.flatMap((target) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [file = '', anchor] = target.split('#');
    const at = file === '' ? page : path.posix.join(path.posix.dirname(page), decodeURIComponent(file));
    if (!existsSync(path.join(repository, at))) return [`${page} leads to ${target}, which is not there`];
    if (anchor === undefined || !at.endsWith('.md') || anchorsOf(at).has(anchor)) return [];
    return [`${page} leads to ${target}, and ${at} has no such place`];
  });
}

function anchorsOf(page: string): Set<string> {
  const text = readPage(page);
  const named = [...text.matchAll(/<a id="([^"]+)"/g)].map(([, id]) => id as string);
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set([...named, ...headings]);
}

export interface TestReference {
  file: string;
  title: string;
}

/** Links to test files with a title behind them: `[src/a.test.ts](…): the title`, up to the end of the cell or a line break in it. */
export function testReferences(page: string): TestReference[] {
  return [...readPage(page).matchAll(/\[([\w./-]+\.(?:test|deep)\.ts)\]\([^)]*\): (.+?)(?=<br>| \||$)/gm)].map(
    ([, file = '', title = '']) => ({
      file: path.posix.join(file),
      title,
    }),
  );
}

/** Undefined when the file is there and has a test of that title. */
export function referenceProblem({ file, title }: TestReference): string | undefined {
  const at = path.join(repository, file);
  if (!existsSync(at)) return `${file} is not there`;
  // As it stands in a string of the source, with the quotes of either kind.
  const quoted = [`'${title.replaceAll("'", String.raw`\'`)}'`, `"${title}"`, `\`${title}\``];
  // How long it takes is no part of what it promises.
  const source = readFileSync(at, 'utf8').replaceAll(' (long form)', '');
  return quoted.some((text) => source.includes(text)) ? undefined : `${file} has no test "${title}"`;
}

/** Whether `line` is what `pattern` says, where `…` stands for any text. */
export function fits(line: string, pattern: string): boolean {
  const parts = pattern.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('[^]*?')}$`).test(line);
}

export interface ShellCommand {
  line: string;
  program: string;
  args: string[];
}

/** The commands of a page's ```sh blocks, without comments and without variables set before them. */
export function shellCommands(page: string): ShellCommand[] {
  const lines = blocks(page, 'sh').flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'));
  return lines.flatMap((line) => {
    const words = wordsOf(line.replace(/(^|\s)#.*$/, ''));
    while (/^[A-Z_]+=/.test(words[0] ?? '')) words.shift();
    const [program, ...args] = words;
    return program === undefined ? [] : [{ line, program, args }];
  });
}

/** Words as a shell takes them apart; quotes of either kind, no expansion. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_all, single?: string, double?: string) => single ?? double ?? ''),
  );
}
