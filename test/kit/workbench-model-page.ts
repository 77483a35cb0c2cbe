// For tests: what the page of a sidecar shows, read from it, and what it must show of a folder that is at rest.
import assert from 'node:assert/strict';
import type { Client } from '../../src/client/client.ts';
import type { DocumentInfo } from '../../src/contract/documents.ts';
import type { Operations } from '../../src/contract/operations.ts';
import type { Output } from '../../src/contract/operation.ts';
import { changeSections, type SectionName } from '../../src/workbench/changes/change-sections.ts';
import { letterOf } from '../../src/workbench/changes/letters.ts';
import { compareNames, foldersAbove, nameOf, parentOf } from '../../src/workbench/file-paths.ts';

export interface SeenRow {
  path: string;
  at: number;
  level: number;
  isFolder: boolean;
  isOpen: boolean;
  isCurrent: boolean;
  isSelected: boolean;
  isIgnored: boolean;
  size: number;
  position: number;
  letter: string | undefined;
  isTouched: boolean;
  label: string;
  people: string;
}

export interface Seen {
  link: string;
  branch: string;
  badge: string;
  people: string;
  revision: string;
  tree: { rows: SeenRow[]; length: number; summary: string; active: string; hasActive: boolean } | undefined;
  tabs: { id: string; title: string; path: string; isSelected: boolean; isTabbable: boolean; isPreview: boolean; people: string }[];
  panel: { labelledBy: string; kind: 'editor' | 'opening' | 'deleted' | 'missing' | 'refused' | 'diff' | 'other' } | undefined;
  document: { path: string; text: string; saved: string; carets: string[] } | undefined;
  diff: { before: string | undefined; after: string | undefined; isSame: boolean } | undefined;
  changes: { section: string; path: string; letter: string }[] | undefined;
  search: { pattern: string; summary: string; isOld: boolean; isRunning: boolean; problem: string } | undefined;
  failures: string[];
  focus: string;
}

/** What the sidecar and the disk say. */
export interface Truth {
  /** All of the folder, by folder. */
  entries: ReadonlyMap<string, readonly { path: string; isFolder: boolean; isIgnored: boolean }[]>;
  texts: ReadonlyMap<string, string>;
  status: Output<Operations['git.status']>;
  /** What git leaves out, which no status names: files, or folders of which nothing is known to it. */
  leftOut: ReadonlySet<string>;
  revision: number;
  documents: ReadonlyMap<string, DocumentInfo>;
}

export async function truthOf(client: Client<Operations>, disk: ReadonlyMap<string, string | undefined>): Promise<Truth> {
  const entries = new Map<string, { path: string; isFolder: boolean; isIgnored: boolean }[]>([['', []]]);
  const texts = new Map<string, string>();
  let count = 0;
  for (const folder of ['', ...[...disk].filter(([, text]) => text === undefined).map(([path]) => path)]) {
    const here: { path: string; isFolder: boolean; isIgnored: boolean }[] = [];
    for await (const { path, kind, ignored } of client.stream('files.list', { path: folder }))
      if (nameOf(path) !== '.git') here.push({ path, isFolder: kind === 'directory', isIgnored: ignored === true });
    here.sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || compareNames(nameOf(a.path), nameOf(b.path)));
    entries.set(folder, here);
    count += here.length;
  }
  assert.equal(count, disk.size, 'what the sidecar lists is what is on the disk');
  for (const [path, onDisk] of disk) {
    if (onDisk === undefined) continue;
    const { text } = await client.call('files.read', { path });
    assert.equal(text, onDisk, `${path}, as the sidecar reads it and as it is on the disk`);
    texts.set(path, text);
  }
  const status = await client.call('git.status', {});
  const { changes } = await client.call('git.status', { ignored: true });
  const leftOut = new Set(changes.flatMap(({ path, unstaged }) => (unstaged === 'ignored' ? [path.replace(/\/$/, '')] : [])));
  const { documents } = await client.call('documents.list', {});
  for (const { path, state, problem } of documents)
    assert.ok(state === 'saved' || state === 'deleted', `${path} is ${state}: ${problem ?? ''}`);
  const { revision } = await client.call('files.stat', { path: '' });
  return { entries, texts, status, leftOut, revision, documents: new Map(documents.map((info) => [info.path, info])) };
}

/** `me`: the name of who looks. */
export function compareSeen(seen: Seen, truth: Truth, me: string): void {
  const { status, documents } = truth;
  const letters = new Map<string, string>();
  for (const change of status.changes) {
    const letter = letterOf(change);
    if (letter !== undefined) letters.set(change.path.replace(/\/$/, ''), letter);
  }
  const touched = new Set([...letters.keys()].flatMap(foldersAbove));
  assert.match(seen.link, /^Live/, 'the link');
  assert.equal(seen.branch, status.branch ?? status.head?.slice(0, 7) ?? 'no commits yet', 'the branch');
  assert.equal(seen.badge, letters.size === 0 ? '' : letters.size > 99 ? '99+' : String(letters.size), 'how many files are changed');
  assert.equal(seen.revision, `r${truth.revision}`, 'the revision');
  const others = [...documents.values()].flatMap(({ people }) => people.map(({ name }) => name)).filter((name) => name !== me);
  assert.equal(seen.people, `Here: ${[`you (${me})`, ...[...new Set(others)].sort()].join(', ')}`);
  const peopleIn = (path: string): string =>
    [...new Set(documents.get(path)?.people.map(({ name }) => name))]
      .filter((name) => name !== me)
      .map((name) => `${name} is here`)
      .sort()
      .join(', ');
  if (seen.tree !== undefined) compareTree(seen.tree, truth, { letters, touched, peopleIn });
  compareTabs(seen, truth, peopleIn);
  if (seen.changes !== undefined) {
    const sections = changeSections(status.changes, status.conflicts);
    const expected = (['conflicts', 'staged', 'changes'] as SectionName[]).flatMap((section) =>
      sections[section].map(({ path, letter }) => ({ section, path: path.replace(/\/$/, ''), letter })),
    );
    assert.deepEqual(seen.changes, expected, 'the lists of source control');
  }
  assert.deepEqual(seen.failures, [], 'messages of what went wrong');
}

function compareTree(
  tree: NonNullable<Seen['tree']>,
  { entries }: Truth,
  of: { letters: ReadonlyMap<string, string>; touched: ReadonlySet<string>; peopleIn: (path: string) => string },
): void {
  const { rows } = tree;
  const open = new Set(rows.filter(({ isOpen }) => isOpen).map(({ path }) => path));
  const expected: SeenRow[] = [];
  const visit = (folder: string, level: number): void => {
    const here = entries.get(folder) ?? [];
    for (const [index, { path, isFolder, isIgnored }] of here.entries()) {
      const letter = of.letters.get(path);
      const isOpen = isFolder && open.has(path);
      const said: Record<string, string> = {
        M: 'modified',
        A: 'added',
        D: 'deleted',
        R: 'renamed',
        U: 'untracked',
        C: 'in conflict',
      };
      expected.push({
        ...{ path, level, isFolder, isOpen, isIgnored, letter },
        at: expected.length,
        isCurrent: false,
        isSelected: false,
        size: here.length,
        position: index + 1,
        isTouched: isFolder && letter === undefined && of.touched.has(path),
        label: `${nameOf(path)}${letter === undefined ? '' : `, ${said[letter]}`}`,
        people: isFolder ? '' : of.peopleIn(path),
      });
      if (isOpen) visit(path, level + 1);
    }
  };
  visit('', 1);
  const drawn = new Set(rows.map(({ at }) => at));
  // What is out of sight is not drawn, and of a folder there nobody can see whether it is open.
  const isWhole = rows.length === tree.length;
  if (isWhole) {
    assert.deepEqual(rows.map(lineOf), expected.filter(({ at }) => drawn.has(at)).map(lineOf), 'the rows of the tree');
    assert.equal(tree.length, expected.length, 'how many rows the tree has');
    const all = [...entries.values()].reduce((sum, here) => sum + here.length, 0);
    assert.match(tree.summary, new RegExp(`^${expected.length}( of ${all})? entries$`));
  } else {
    for (const row of rows)
      assert.ok(
        entries.get(parentOf(row.path))?.some(({ path }) => path === row.path),
        `${JSON.stringify(row.path)} is in the tree`,
      );
  }
  const current = rows.filter(({ isCurrent }) => isCurrent);
  assert.ok(current.length <= 1, 'one row has the focus');
  assert.equal(tree.hasActive, tree.active !== '', 'the row that the tree says to be the current one is there');
  for (const { path, level } of rows) assert.equal(level, path.split('/').length, `the level of ${path}`);
}

/** All that a row shows but where the focus is and what git ignores; in one line, so that a difference can be read. */
function lineOf({ path, at, level, isFolder, isOpen, size, position, letter, isTouched, label, people }: SeenRow): string {
  return JSON.stringify({ path, at, level, isFolder, isOpen, size, position, letter, isTouched, label, people });
}

function compareTabs(
  { tabs, panel, document, diff }: Seen,
  { texts, status, leftOut, documents }: Truth,
  peopleIn: (path: string) => string,
): void {
  const selected = tabs.filter(({ isSelected }) => isSelected);
  assert.equal(selected.length, tabs.length === 0 ? 0 : 1, 'one tab is the selected one');
  assert.deepEqual(
    tabs.filter(({ isTabbable }) => isTabbable),
    selected,
    'and it is the one that Tab goes to',
  );
  assert.equal(new Set(tabs.map(({ id }) => id)).size, tabs.length, 'no two tabs are of one thing');
  assert.ok(tabs.filter(({ isPreview }) => isPreview).length <= 1, 'one tab at most is a preview');
  for (const { id, title, path, people } of tabs) {
    if (!id.startsWith('tab-document')) continue;
    assert.equal(id, `tab-${encodeURIComponent(`document:${path}`)}`);
    assert.equal(title, nameOf(path));
    assert.equal(people, peopleIn(path), `who is in ${path}, as its tab says it`);
  }
  const [shown] = selected;
  assert.equal(panel?.labelledBy, shown?.id, 'the panel is that of the tab');
  if (shown === undefined || panel === undefined) return;
  if (shown.id.startsWith('tab-document')) {
    const text = texts.get(shown.path);
    if (text === undefined) return assert.match(panel.kind, /deleted|missing|refused/, `${shown.path} is not there, and its tab says so`);
    assert.equal(panel.kind, 'editor', `${shown.path} is there, and its tab shows it`);
    assert.equal(document?.path, shown.path.split('/').join(' '), 'where you are');
    const known = JSON.stringify(documents.get(shown.path));
    assert.equal(
      document.text,
      text.replace(/\r\n?/g, '\n'),
      `the text of ${shown.path}, ${document.saved}, of which the sidecar says ${known}`,
    );
    assert.match(document.saved, /^Saved/, `${shown.path} is saved`);
  }
  if (diff !== undefined && shown.id.startsWith('tab-diff%3A') && !/^tab-diff%3A(staged|checkpoint|commit)/.test(shown.id)) {
    const now = texts.get(shown.path) ?? '';
    if (diff.after !== undefined && !diff.isSame) assert.equal(diff.after, now, `the new side of ${shown.path}`);
    const above = [shown.path, ...foldersAbove(shown.path)];
    const isChanged = status.changes.some(({ path }) => above.includes(path.replace(/\/$/, '')));
    const isIgnored = above.some((one) => leftOut.has(one));
    if (!isChanged && !isIgnored && status.head !== null && texts.has(shown.path))
      assert.ok(diff.isSame, `nothing changed in ${shown.path}, and its comparison says so`);
  }
}

/** In the page. */
export function seenNow(): Seen {
  const textOf = (selector: string, within: ParentNode = document): string => within.querySelector(selector)?.textContent.trim() ?? '';
  const visible = (selector: string): HTMLElement | undefined =>
    [...document.querySelectorAll<HTMLElement>(selector)].find((element) => element.checkVisibility());
  // What is out of sight is not drawn: the editor keeps its view at its node.
  const docOf = (content: Element | null | undefined): string | undefined =>
    (content as { cmTile?: { view?: { state: { doc: object } } } } | null | undefined)?.cmTile?.view?.state.doc.toString();
  const peopleOf = (within: Element): string =>
    (within.querySelector('.dots')?.getAttribute('aria-label') ?? '').split(', ').filter(Boolean).sort().join(', ');
  const tree = visible('.side .tree[role=tree]');
  const height = Number.parseInt(getComputedStyle(document.documentElement).getPropertyValue('--h-row'), 10) || 24;
  const rowsOf = (box: HTMLElement): SeenRow[] =>
    [...box.querySelectorAll<HTMLElement>('[role=treeitem]')]
      .map((row) => ({
        path: row.dataset['path'] ?? '',
        top: Number(/-?[\d.]+/.exec(row.style.transform.replace('translateY', ''))?.[0] ?? 0),
        level: Number(row.getAttribute('aria-level')),
        isFolder: row.hasAttribute('aria-expanded'),
        isOpen: row.getAttribute('aria-expanded') === 'true',
        isCurrent: row.classList.contains('cur'),
        isSelected: row.getAttribute('aria-selected') === 'true',
        isIgnored: row.classList.contains('ignored'),
        size: Number(row.getAttribute('aria-setsize')),
        position: Number(row.getAttribute('aria-posinset')),
        letter: row.querySelector<HTMLElement>('.st')?.dataset['letter'],
        isTouched: row.querySelector('.touched') !== null,
        label: row.getAttribute('aria-label') ?? '',
        people: peopleOf(row),
      }))
      .sort((a, b) => a.top - b.top)
      .map(({ top, ...row }) => ({ ...row, at: Math.round(top / height) }));
  const active = tree?.getAttribute('aria-activedescendant') ?? '';
  const tab = document.querySelector('.tabs [role=tab][aria-selected=true]');
  const panel = document.getElementById(tab?.getAttribute('aria-controls') ?? '');
  const kindOf = (box: Element): NonNullable<Seen['panel']>['kind'] => {
    for (const kind of ['deleted', 'missing', 'refused', 'diff'] as const)
      if (box.querySelector(`[data-testid=${kind}]`) !== null || box.matches(`[data-testid=${kind}]`)) return kind;
    if (box.querySelector('.opening') !== null) return 'opening';
    return box.querySelector('[data-testid=editor] .cm-content') === null ? 'other' : 'editor';
  };
  const editor = panel?.querySelector('[data-testid=editor] .cm-content');
  const diff = panel?.querySelector('[data-testid=diff]');
  const contents = diff === null || diff === undefined ? [] : [...diff.querySelectorAll('.cm-content')];
  const changes = visible('.side .scm');
  const search = visible('.side .sr-form');
  const focus = document.activeElement;
  return {
    link: textOf('[data-testid=link] .ct'),
    branch: textOf('[data-testid=branch] .ell'),
    badge: textOf('#rail-changes .bdg'),
    people: document.querySelector('[data-testid=people]')?.getAttribute('aria-label') ?? '',
    revision: textOf('.status .rev'),
    tree:
      tree === undefined
        ? undefined
        : {
            rows: rowsOf(tree),
            length: Math.round((tree.querySelector('.rows')?.getBoundingClientRect().height ?? 0) / height),
            summary: textOf('[data-testid=entries]'),
            active,
            hasActive: active !== '' && document.getElementById(active)?.classList.contains('cur') === true,
          },
    tabs: [...document.querySelectorAll<HTMLElement>('.tabs [role=tab]')].map((tab) => ({
      id: tab.id,
      title: textOf('.ell', tab),
      path: tab.title,
      isSelected: tab.getAttribute('aria-selected') === 'true',
      isTabbable: tab.tabIndex === 0,
      isPreview: tab.classList.contains('preview'),
      people: peopleOf(tab),
    })),
    panel: panel === null ? undefined : { labelledBy: panel.getAttribute('aria-labelledby') ?? '', kind: kindOf(panel) },
    document:
      panel === null || editor === null || editor === undefined
        ? undefined
        : {
            path: [...panel.querySelectorAll('.crumb nav .more .ell, .crumb nav > .ell')].map(({ textContent }) => textContent).join(' '),
            text: docOf(editor) ?? 'no view',
            saved: textOf('[data-testid=saved]', panel),
            carets: [...editor.querySelectorAll('.remote-caret b')].map(({ textContent }) => textContent),
          },
    diff:
      diff === null || diff === undefined
        ? undefined
        : {
            before: contents.length > 1 ? docOf(contents[0]) : undefined,
            after: docOf(contents.at(-1)),
            isSame: diff.querySelector('[data-testid=same]') !== null,
          },
    changes:
      changes === undefined
        ? undefined
        : [...changes.querySelectorAll<HTMLElement>('[data-testid=change]')].map((row) => ({
            section: row.dataset['section'] ?? '',
            path: row.dataset['path'] ?? '',
            letter: textOf('.st', row),
          })),
    search:
      search === undefined
        ? undefined
        : {
            pattern: search.querySelector<HTMLInputElement>('[aria-label="Search text"]')?.value ?? '',
            summary: textOf('.side .sr-sum .ell'),
            isOld: /changed since/.test(document.querySelector('.side')?.textContent ?? ''),
            isRunning: document.querySelector('.side .sr-sum .spin') !== null,
            problem: textOf('#search-problem'),
          },
    failures: [...document.querySelectorAll('.toast.bad, [data-testid=toast].bad')].map(({ textContent }) => textContent),
    focus: focus === null ? '' : `${focus.tagName.toLowerCase()}.${focus.className}`,
  };
}

export interface Health {
  nodes: number;
  over: number;
  /** Ids that two elements have. */
  twice: string[];
  /** References to nothing. */
  dangling: string[];
}

/** In the page. */
export function healthNow(): Health {
  const { documentElement: root, body } = document;
  // The splitter of a side panel stands over its edge.
  const boxes = [root, body, ...document.querySelectorAll('main, .top, .status')];
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  const dangling: string[] = [];
  for (const name of ['aria-controls', 'aria-labelledby', 'aria-activedescendant', 'aria-describedby'])
    for (const element of document.querySelectorAll(`[${name}]`))
      for (const id of (element.getAttribute(name) ?? '').split(' '))
        if (id !== '' && document.getElementById(id) === null) dangling.push(`${name}=${id} of ${element.outerHTML.slice(0, 120)}`);
  return {
    nodes: document.querySelectorAll('*').length,
    over: Math.max(root.scrollLeft, body.scrollLeft, ...boxes.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)),
    twice: ids.filter((id, index) => ids.indexOf(id) !== index),
    dangling,
  };
}
