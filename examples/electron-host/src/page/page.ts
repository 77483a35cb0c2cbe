import type { Answer, FoundFiles, FoundLine, Outline, Problem, SidecarState, Snapshot, WorkspaceApi } from '../workspace-api.ts';
import { marked, ResultList, type Row, span } from './result-list.ts';

declare global {
  interface Window {
    workspace: WorkspaceApi;
  }
}

interface Place {
  path: string;
  line: number;
}

const { workspace } = window;
const typingMs = 60;
const onMac = navigator.platform.startsWith('Mac');

const byId = <Kind extends HTMLElement = HTMLElement>(id: string): Kind => document.getElementById(id) as Kind;
const filesQuery = byId<HTMLInputElement>('files-query');
const textQuery = byId<HTMLInputElement>('text-query');
const files = new ResultList<string>(byId('files'), filesQuery, { onChosen: (path) => void openFile(path), keyOf: (path) => path });
const lines = new ResultList<Place>(byId('lines'), textQuery, {
  onChosen: ({ path, line }) => void openFile(path, line),
  keyOf: ({ path, line }) => `${line} ${path}`,
});
const outline = new ResultList<number>(byId('outline'), byId('outline'), { onChosen: goToLine, keyOf: String });

const hint = document.querySelector('.hint') as HTMLElement;
let snapshot: Snapshot | undefined;
let opened: string | undefined;
/** The line of the opened file that was gone to. */
let here: number | undefined;
let typing: ReturnType<typeof setTimeout> | undefined;

for (const key of document.querySelectorAll<HTMLElement>('[data-keys]'))
  key.textContent = onMac ? `⌘${key.dataset['keys'] ?? ''}` : `Ctrl ${(key.dataset['keys'] ?? '').replace('⇧', 'Shift ')}`;
for (const id of ['open', 'open-first']) byId(id).addEventListener('click', () => void openFolder());
byId('again').addEventListener('click', () => void startAgain());
filesQuery.addEventListener('input', () => afterTyping(() => findFiles()));
textQuery.addEventListener('input', () => afterTyping(() => findText()));
for (const id of ['text-case', 'text-regex']) {
  byId(id).addEventListener('click', () => {
    byId(id).ariaPressed = String(byId(id).ariaPressed !== 'true');
    void findText();
  });
}
for (const name of ['files', 'text'] as const) {
  byId(`tab-${name}`).addEventListener('click', () => show(name));
  byId(`tab-${name}`).addEventListener('keydown', ({ key }) => {
    if (key !== 'ArrowLeft' && key !== 'ArrowRight') return;
    const other = name === 'files' ? 'text' : 'files';
    show(other, false);
    byId(`tab-${other}`).focus();
  });
}
document.addEventListener('keydown', (event) => {
  if (!(onMac ? event.metaKey : event.ctrlKey) || event.altKey) return;
  const key = `${event.shiftKey ? 'shift ' : ''}${event.key.toLowerCase()}`;
  const run = { p: () => show('files'), 'shift f': () => show('text'), o: () => void openFolder() }[key];
  if (run === undefined) return;
  event.preventDefault();
  run();
});

workspace.onSnapshot(take);
take(valueOf(await workspace.snapshot()));

/** What stands now. Questions that failed while the child was down, or whose answers changed, are asked again. */
function take(next: Snapshot | undefined): void {
  if (next === undefined) return;
  const before = snapshot;
  snapshot = next;
  const { folder, sidecar, notice } = next;
  byId('empty').hidden = folder !== undefined;
  byId('work').hidden = folder === undefined;
  byId('open').hidden = folder === undefined;
  byId('folder-name').textContent = folder?.name ?? 'Workspace';
  byId('folder-path').textContent = folder?.path ?? '';
  document.title = folder?.name ?? 'Workspace';
  byId('state').dataset['state'] = sidecar.name;
  byId('state-text').textContent = wordsFor(sidecar);
  byId('again').hidden = sidecar.name !== 'fallback';
  const trouble = notice ?? ('message' in sidecar ? sidecar.message : undefined);
  byId('notice').hidden = trouble === undefined;
  byId('notice').textContent = trouble ?? '';
  if (folder === undefined) return;
  if (before?.folder?.path !== folder.path) reset();
  else if (before.changes === next.changes && before.sidecar.name === sidecar.name) return;
  if (sidecar.name === 'restarting') return;
  void findFiles(true);
  void findText(true);
  if (opened !== undefined) void openFile(opened);
}

function wordsFor(sidecar: SidecarState): string {
  switch (sidecar.name) {
    case 'running':
      return sidecar.restarts === 0 ? 'Running' : 'Running again';
    case 'starting':
      return 'Starting…';
    case 'restarting':
      return 'Restarting…';
    case 'fallback':
      return 'Without sidecar';
    case 'none':
      return '';
  }
}

/** Another folder: nothing of the one before stays. */
function reset(): void {
  [opened, here] = [undefined, undefined];
  for (const input of [filesQuery, textQuery]) input.value = '';
  for (const list of [files, lines, outline]) list.show([]);
  byId('file-text').replaceChildren(hint);
  byId('file-path').textContent = 'Nothing opened';
  for (const id of ['file-note', 'text-note', 'outline-note']) note(id, '');
  show('files');
}

function show(name: 'files' | 'text', focus = true): void {
  for (const each of ['files', 'text'] as const) {
    byId(`panel-${each}`).hidden = each !== name;
    byId(`tab-${each}`).ariaSelected = String(each === name);
    byId(`tab-${each}`).tabIndex = each === name ? 0 : -1;
  }
  if (!focus) return;
  const input = name === 'files' ? filesQuery : textQuery;
  input.focus();
  input.select();
}

function afterTyping(run: () => Promise<void>): void {
  clearTimeout(typing);
  typing = setTimeout(() => void run(), typingMs);
}

async function findFiles(again = false): Promise<void> {
  const query = filesQuery.value;
  const found = answered(await workspace.findFiles(query), 'files-note');
  if (found === undefined || filesQuery.value !== query) return;
  files.show(found.files.map(fileRow), again);
  const count = found.files.length;
  note('files-note', count === 0 ? 'No file has these letters' : `${count}${found.truncated ? '+' : ''} ${count === 1 ? 'file' : 'files'}`);
}

function fileRow({ path, ranges = [] }: FoundFiles['files'][number]): Row<string> {
  const cut = path.lastIndexOf('/') + 1;
  const within = (from: number, to: number): [number, number][] =>
    ranges.flatMap(([start, end]) => (start < to && end > from ? [[Math.max(start, from) - from, Math.min(end, to) - from]] : []));
  const name = span('name', ...marked(path.slice(cut), within(cut, path.length)));
  return { value: path, content: cut === 0 ? [name] : [name, span('place', ...marked(path.slice(0, cut - 1), within(0, cut - 1)))] };
}

async function findText(again = false): Promise<void> {
  const pattern = textQuery.value;
  if (pattern === '') {
    lines.show([]);
    return note('text-note', '');
  }
  const [regex, caseSensitive] = ['text-regex', 'text-case'].map((id) => byId(id).ariaPressed === 'true') as [boolean, boolean];
  const found = answered(await workspace.searchText({ pattern, regex, caseSensitive }), 'text-note');
  // By now another question may stand there, or none.
  if (found === undefined || textQuery.value !== pattern) return;
  lines.show(
    found.files.flatMap(({ path, matches }) => [{ heading: path }, ...matches.map((match) => lineRow(path, match))]),
    again,
  );
  const count = found.files.reduce((sum, { matches }) => sum + matches.length, 0);
  const how = `${found.elapsedMs.toFixed(found.elapsedMs < 10 ? 1 : 0)} ms${found.by === 'node' ? ', by Node alone' : ''}`;
  const what =
    count === 0 ? 'Nothing' : `${count}${found.truncated ? '+' : ''} ${count === 1 ? 'line' : 'lines'} in ${found.files.length} files`;
  note('text-note', `${what} · ${how}`);
}

function lineRow(path: string, { line, text, ranges = [] }: FoundLine): Row<Place> {
  const skipped = text.length - text.trimStart().length;
  const moved = ranges.map(([start, end]): [number, number] => [Math.max(0, start - skipped), Math.max(0, end - skipped)]);
  return { value: { path, line }, content: [span('code', span('number', String(line)), ...marked(text.trimStart(), moved))] };
}

async function openFile(path: string, line?: number): Promise<void> {
  const again = path === opened;
  opened = path;
  const [file, symbols] = await Promise.all([workspace.readFile(path), workspace.outline(path)]);
  if (opened !== path) return;
  byId('file-path').textContent = path;
  const read = answered(file, 'file-note');
  if (read === undefined) {
    if (!again) byId('file-text').replaceChildren();
  } else {
    note('file-note', read.cut ? 'Only its beginning is shown' : '');
    const numbered = read.text.replace(/\n$/, '').split('\n');
    byId('file-text').replaceChildren(...numbered.map((text, index) => lineElement(index + 1, text)));
    if (!again) {
      here = undefined;
      byId('file-text').scrollTo(0, 0);
    }
  }
  if (line !== undefined) goToLine(line);
  else if (again) markLine(here);
  showOutline(symbols, again);
}

function lineElement(number: number, text: string): HTMLElement {
  const element = document.createElement('div');
  element.append(span('number', String(number)), text);
  return element;
}

function showOutline(answer: Answer<Outline>, again: boolean): void {
  if (!answer.ok && answer.problem.reason === 'NO_LANGUAGE') {
    outline.show([]);
    return note('outline-note', 'None for this language');
  }
  const found = answered(answer, 'outline-note');
  if (found === undefined) return;
  note('outline-note', found.symbols.length === 0 ? 'No symbols' : '');
  const rows = found.symbols.map(({ name, kind, line, depth }) => ({
    value: line,
    level: depth,
    content: [span('name', name), span('kind', kind)],
  }));
  outline.show(rows, again);
}

function goToLine(line: number): void {
  markLine(line)?.scrollIntoView({ block: 'center' });
}

function markLine(line: number | undefined): Element | undefined {
  here = line;
  const text = byId('file-text');
  text.querySelector('.here')?.classList.remove('here');
  const element = line === undefined ? undefined : text.children[line - 1];
  element?.classList.add('here');
  return element;
}

async function openFolder(): Promise<void> {
  const answer = await workspace.openFolder();
  if (answer.ok) take(answer.value);
  else if (snapshot !== undefined) take({ ...snapshot, notice: answer.problem.message });
}

async function startAgain(): Promise<void> {
  const answer = await workspace.startAgain();
  if (answer.ok) take(answer.value);
}

/** The answer, or undefined with the problem said at `id`. A question that a newer one ended says nothing. */
function answered<T>(answer: Answer<T>, id: string): T | undefined {
  if (answer.ok) return answer.value;
  if (answer.problem.reason !== 'CANCELED') problem(id, answer.problem);
  return undefined;
}

function valueOf<T>(answer: Answer<T>): T | undefined {
  return answer.ok ? answer.value : undefined;
}

function note(id: string, text: string): void {
  byId(id).textContent = text;
  delete byId(id).dataset['kind'];
}

function problem(id: string, { message }: Problem): void {
  byId(id).textContent = message;
  byId(id).dataset['kind'] = 'problem';
}
