import { batch, computed, effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { Output } from '../contract/operation.ts';
import type { Operations } from '../contract/operations.ts';
import { movedPath } from '../core/moved-path.ts';
import { type Actor, actorNamed } from './actor.ts';
import { CloneJob } from './changes/clone-job.ts';
import { BranchActions } from './changes/branch-actions.ts';
import { Draft } from './changes/draft.ts';
import { GitActions } from './changes/git-actions.ts';
import type { GitDialog } from './changes/git-dialog.ts';
import { BottomStore, type FixedTab, fixedTabs } from './bottom/bottom-store.ts';
import { GitStore } from './changes/git-store.ts';
import { LineBlame } from './changes/line-blame.ts';
import { RemoteJobs } from './changes/remote-jobs.ts';
import { CheckpointActions } from './checkpoints/checkpoint-actions.ts';
import { CheckpointStore } from './checkpoints/checkpoint-store.ts';
import { isAway, type Keep, type WorkbenchClient } from './client-port.ts';
import { DeployStore } from './deploy/deploy-store.ts';
import type { OpenDocumentLink } from './documents/document-link.ts';
import type { DocumentSession, PresenceUser } from './documents/document-session.ts';
import { DocumentStore } from './documents/document-store.ts';
import type { EditorFacts } from './editor/editor-facts.ts';
import type { RemoteCaret } from './editor/remote-carets.ts';
import { ActivityStore } from './feed/activity-store.ts';
import { ChangeFeed } from './feed/change-feed.ts';
import { noFilter } from './feed/feed-rows.ts';
import { FeedStore } from './feed/feed-store.ts';
import { encodePath, nameOf } from './file-paths.ts';
import { HistoryActions } from './history/history-actions.ts';
import { FileActions } from './files/file-actions.ts';
import { TreeStore } from './files/tree-store.ts';
import { PathIndex } from './finder/path-index.ts';
import { isPartOn, type Part } from './parts.ts';
import { ProblemStore } from './problems/problem-store.ts';
import { ProcessActions } from './processes/process-actions.ts';
import { ProcessStore } from './processes/process-store.ts';
import { RunStore } from './run/run-store.ts';
import { readWorkspaceFile } from './run/workspace-file.ts';
import { IndexWatch } from './search/index-watch.ts';
import { SearchStore } from './search/search-store.ts';
import { copyText } from './shell/copy-text.ts';
import { Follow } from './shell/follow.ts';
import { Layout } from './shell/layout.ts';
import { LinkStore } from './shell/link-store.ts';
import { PresenceStore } from './shell/presence-store.ts';
import { activityTab, type DiffAgainst, diffTab, documentTab, type Tab, Tabs, taskTab } from './shell/tabs.ts';
import { Toasts } from './shell/toasts.ts';
import { TaskActions } from './tasks/task-actions.ts';
import { TaskStore } from './tasks/task-store.ts';
import { TerminalStore } from './terminals/terminal-store.ts';

export type SystemInfo = Output<Operations['system.info']>;

export interface WorkbenchPorts {
  client: WorkbenchClient;
  openLink: OpenDocumentLink;
  keep: Keep;
  /** Of this tab of the browser alone. */
  tabKeep: Keep;
  /** Where the page is served, e.g. `http://localhost:3000`. */
  address: string;
  now: () => number;
  /** Whether the sidecar has the files of this page: one of another version has not. */
  hasFiles: () => Promise<boolean>;
  /** A presence colour as the theme has it, for others who know no tokens. */
  resolveColor: (color: number) => string;
}

export type Overlay =
  | { name: 'find'; text: string }
  | { name: 'keys' }
  | { name: 'settings' }
  | { name: 'people' }
  | { name: 'start' }
  | { name: 'isolation' }
  | { name: 'git'; dialog: GitDialog }
  | undefined;

/** What is done in a comparison from outside of it. */
export interface Comparison {
  next(): void;
  previous(): void;
}

/** Where to go in a document once it is there. */
export interface Target {
  line: number;
  column?: number;
}

const drawn = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => resolve()));

const nameKey = 'outrigger.name';
const narrow = '(max-width: 720px)';
/** What each tab of the panel under the documents shows. */
const partsOf: Record<FixedTab, readonly Part[]> = {
  run: ['code'],
  processes: ['processes'],
  problems: ['code', 'processes'],
  deploy: ['deploy'],
};

/** Everything the page knows and does; the views only show it. */
export class Workbench {
  readonly info: Signal<SystemInfo | undefined> = signal(undefined);
  readonly layout: Layout;
  readonly toasts = new Toasts();
  readonly feed: FeedStore;
  readonly git: GitStore;
  readonly gitActions: GitActions;
  readonly draft: Draft;
  readonly branches: BranchActions;
  readonly remotes: RemoteJobs;
  readonly clone: CloneJob;
  readonly checkpoints: CheckpointStore;
  readonly checkpointActions: CheckpointActions;
  readonly historyActions: HistoryActions;
  readonly tree: TreeStore;
  readonly files: FileActions;
  readonly paths: PathIndex;
  readonly documents: DocumentStore;
  readonly presence: PresenceStore;
  readonly follow: Follow;
  readonly link: LinkStore;
  readonly search: SearchStore;
  readonly index: IndexWatch;
  readonly tabs: Tabs;
  readonly bottom: BottomStore;
  readonly processes: ProcessStore;
  readonly programs: ProcessActions;
  readonly terminals: TerminalStore;
  readonly deploys: DeployStore;
  readonly run: RunStore;
  readonly problems: ProblemStore;
  readonly tasks: TaskStore;
  readonly taskActions: TaskActions;
  readonly activity: ActivityStore;
  readonly overlay: Signal<Overlay> = signal(undefined);
  readonly me: Signal<Actor>;
  /** As whom the sidecar names what this page asks for: a token that nobody else has keeps its name. */
  readonly caller: ReadonlySignal<Pick<SystemInfo['caller'], 'name' | 'kind'> | undefined>;
  /** The caller may look, not write; undefined while that is not known. */
  readonly readOnly: ReadonlySignal<boolean>;
  /** The caller has some paths alone: what touches the whole workspace, such as a commit, is refused. */
  readonly isLimited: ReadonlySignal<boolean>;
  /** The caller may start programs, and git's conversations with other machines. */
  readonly canExecute: ReadonlySignal<boolean>;
  /** The caller may do everything: end the tasks of a hub, for one. */
  readonly isOwner: ReadonlySignal<boolean>;
  /** The comparison that is shown. */
  readonly comparison: Signal<Comparison | undefined> = signal(undefined);
  /** Of the document that is worked in. */
  readonly facts: ReadonlySignal<EditorFacts | undefined>;
  readonly carets: ReadonlySignal<readonly RemoteCaret[]>;
  /** Paths of the documents that are in sight. */
  readonly shownDocuments: ReadonlySignal<readonly string[]>;
  readonly phone = signal(false);
  /** Drawings that are shown as pictures; the others are their text. */
  readonly drawn: Signal<ReadonlySet<string>> = signal(new Set());
  /** The file that was looked at last, as itself or compared. */
  readonly lastPath: Signal<string | undefined> = signal(undefined);
  /** The page is of another version than the sidecar: what it has not loaded yet it can't. */
  readonly outdated = signal(false);
  readonly client: WorkbenchClient;
  readonly changes: ChangeFeed;
  /** When this browser was here last, ms since 1970. */
  lastVisit: number | undefined;
  readonly #ports: WorkbenchPorts;
  /** What had the focus when the centre was to take it and nothing there was drawn. */
  #focusFrom: Element | null | undefined;
  readonly #targets = new Map<string, Target>();
  #started = false;

  constructor(ports: WorkbenchPorts) {
    const { client, keep, tabKeep, now } = ports;
    this.#ports = ports;
    this.client = client;
    this.layout = new Layout(keep, tabKeep);
    this.me = signal(actorNamed('you', 'person'));
    this.readOnly = computed(
      () => this.info.value !== undefined && (this.info.value.caller.access === 'read' || this.info.value.readOnly !== undefined),
    );
    const user = computed((): PresenceUser => {
      const color = this.presence.colors.of(this.me.value.key);
      const value = ports.resolveColor(color);
      return { name: this.me.value.name, color: value, colorLight: `${value}3d`, kind: 'person' };
    });
    this.documents = new DocumentStore({
      client,
      openLink: ports.openLink,
      user,
      now: monotonic,
      isAway: () => /^(reconnecting|offline)$/.test(this.link.state.peek().name),
      onSent: (edits) => {
        this.link.sent(edits);
        // Whoever answers one link answers the other.
        if (!this.link.live.value) this.link.tryNow();
      },
      onKept: (path) => this.#kept(path),
      onReplaced: (path, text) => this.#replaced(path, text),
      onElsewhere: (from, to) => this.tabs.moved(from, to),
    });
    this.presence = new PresenceStore(client, this.me, this.documents.clients);
    this.link = new LinkStore(client, this.documents.waiting, {
      now,
      address: new URL(ports.address).host,
      readOnly: () => this.readOnly.value,
    });
    this.feed = new FeedStore(client);
    this.changes = new ChangeFeed(client);
    this.git = new GitStore(client);
    this.checkpoints = new CheckpointStore(client, this.link.live);
    this.draft = new Draft(this.layout);
    const asking = {
      client,
      git: this.git,
      checkpoints: this.checkpoints,
      toasts: this.toasts,
      ask: (dialog: GitDialog | undefined) => (this.overlay.value = dialog && { name: 'git', dialog }),
    };
    this.gitActions = new GitActions(asking);
    this.branches = new BranchActions(asking);
    this.remotes = new RemoteJobs(asking);
    this.clone = new CloneJob(asking);
    this.checkpointActions = new CheckpointActions(asking);
    this.historyActions = new HistoryActions({
      ...asking,
      feed: this.feed,
      isMe: (actor) => this.isMe(actor),
      compare: (path, against) => this.openDiff(path, undefined, against),
    });
    this.tree = new TreeStore(
      client,
      () => this.layout.rememberOpen('folders', JSON.stringify(this.tree.openFolders.slice(0, 200))),
      (folder, error) => this.toasts.fail(`Not listed: ${nameOf(folder)}`, error),
    );
    this.files = new FileActions(client, this.tree, this.toasts);
    this.paths = new PathIndex(client, () => this.info.value?.caller.paths ?? ['']);
    this.search = new SearchStore(client);
    this.index = new IndexWatch({ client, revision: this.feed.revision, live: this.link.live });
    this.tabs = new Tabs((tab) => this.#closed(tab));
    this.facts = computed(() => this.activeSession()?.facts.value);
    this.carets = computed(() => this.activeSession()?.carets.value ?? []);
    this.shownDocuments = computed(() => {
      const { main, beside, active } = this.tabs;
      const tabs = this.phone.value ? [active.value] : [main.value, beside.value];
      return tabs.flatMap((tab) => documentPath(tab) ?? []);
    });
    this.follow = new Follow({
      others: this.presence.others,
      shown: computed(() => documentPath(this.tabs.active.value)),
      open: (path) => this.openFile(path, { preview: true }),
    });
    this.bottom = new BottomStore(this.layout, this.phone);
    this.processes = new ProcessStore({ client, now: monotonic });
    this.programs = new ProcessActions({ client, processes: this.processes, toasts: this.toasts });
    this.terminals = new TerminalStore({ client, processes: this.processes, toasts: this.toasts });
    this.deploys = new DeployStore({
      client,
      processes: this.processes,
      live: this.link.live,
      toasts: this.toasts,
      now,
      isSeen: () => this.bottom.shown.value && this.bottom.tab.value === 'deploy',
    });
    this.run = new RunStore({
      client,
      layout: this.layout,
      now,
      drawn,
      readFile: (path) => readWorkspaceFile(this, path),
    });
    this.problems = new ProblemStore({
      client,
      processes: this.processes,
      run: this.run,
      now,
      drawn,
      root: () => this.info.value?.workspace.root,
    });
    this.tasks = new TaskStore({ client, drawn });
    this.taskActions = new TaskActions(asking);
    this.activity = new ActivityStore({
      client,
      feed: this.feed,
      git: this.git,
      checkpoints: this.checkpoints,
      processes: this.processes,
      deploys: this.deploys,
      live: this.link.live,
      seenAs: (actor) => (this.isMe(actor) ? this.me.value : actor),
    });
    this.caller = computed(() => {
      const { caller } = this.info.value ?? {};
      return caller?.shared === true ? { name: this.me.value.name, kind: caller.kind } : caller;
    });
    this.isLimited = computed(() => this.info.value?.caller.paths !== undefined);
    this.canExecute = computed(() => !this.readOnly.value && /^(execute|admin)$/.test(this.info.value?.caller.access ?? ''));
    this.isOwner = computed(() => !this.readOnly.value && this.info.value?.caller.access === 'admin');
    this.#listen();
  }

  /** Connects, and again whenever the link comes back for the first time. Resolves at once. */
  start(): void {
    effect(() => {
      const { name } = this.link.state.value;
      if (name === 'live') untracked(() => void this.#live());
    });
    // Any call opens the link; the answer comes again once it is live.
    this.client.call('system.info', {}).catch(() => undefined);
  }

  /** Whether any of these parts of the sidecar runs; yes while that is not known. */
  has(...parts: Part[]): boolean {
    return parts.some((part) => isPartOn(part, this.info.value?.components));
  }

  now(): number {
    return this.#ports.now();
  }

  fileUrl(path: string): string {
    return `${this.#ports.address}/api/files/${encodePath(path)}`;
  }

  async #live(): Promise<void> {
    try {
      const info = await this.client.call('system.info', {});
      this.info.value = info;
      this.documents.tryNow();
      this.tasks.start(info.linked);
      if (this.#started) {
        void this.#lookAtPage();
        return void this.git.refreshSoon();
      }
      this.#started = true;
      this.#become(info);
      const cursor = await this.feed.load();
      this.changes.start(cursor);
      this.presence.start();
      this.processes.start();
      this.problems.start();
      // As one change, so that what is kept is never a part of it.
      batch(() => this.#recallTabs());
      await this.tree.start(this.#recallFolders(), info.caller.paths);
      this.#followInTree();
      void this.git.refresh();
      if (this.has('search')) this.index.start();
      setTimeout(() => void this.paths.load(true), 1_000);
    } catch (error) {
      this.#started = false;
      if (!isAway(error)) this.toasts.fail('The workspace could not be opened', error);
    }
  }

  async #lookAtPage(): Promise<void> {
    try {
      this.outdated.value = !(await this.#ports.hasFiles());
    } catch {
      // The link went again: it is asked when that is back.
    }
  }

  #become(info: SystemInfo): void {
    this.layout.forWorkspace(info.workspace.id);
    this.bottom.recall(fixedTabs.filter((tab) => this.has(...partsOf[tab])));
    this.run.recall();
    this.draft.recall();
    const name = this.#ports.keep.getItem(nameKey) ?? info.caller.name;
    this.#callMyself(name);
    const visited = Number(this.layout.recall('visited'));
    this.lastVisit = visited > 0 ? visited : undefined;
    this.layout.remember('visited', String(this.now()));
  }

  #callMyself(name: string): void {
    this.me.value = actorNamed(name, 'person');
    this.client.setName(name);
  }

  /** How others see this person. */
  rename(name: string): void {
    const trimmed = name.trim().slice(0, 40);
    if (trimmed === '' || trimmed === this.me.value.name) return;
    this.#ports.keep.setItem(nameKey, trimmed);
    this.#callMyself(trimmed);
    for (const session of this.documents.sessions.value.values()) session.announce();
  }

  /** Another tab of this browser has stored something: the same person is in both. */
  nameStored({ key, newValue }: Pick<StorageEvent, 'key' | 'newValue'>): void {
    if (key === nameKey && newValue !== null) this.rename(newValue);
  }

  isMe(actor: Actor): boolean {
    const { value: caller } = this.caller;
    return actor.key === this.me.value.key || (caller !== undefined && actor.key === actorNamed(caller.name, caller.kind).key);
  }

  #listen(): void {
    this.changes.subscribe({
      change: (change) => {
        this.feed.add(change);
        this.tree.apply(change);
        this.paths.apply(change);
        this.search.apply(change);
        if (change.what === 'moved' && change.from !== undefined) {
          this.follow.moved(change.from, change.path);
          this.tabs.moved(change.from, change.path);
          this.run.moved(change.from, change.path);
          this.problems.moved(change.from, change.path);
          const { value: last } = this.lastPath;
          if (last !== undefined) this.lastPath.value = movedPath(last, change.from, change.path) ?? last;
        }
        if (change.what === 'removed') this.problems.removed(change.path);
        this.documents.apply(change);
        this.git.refreshSoon();
        this.checkpoints.refreshSoon();
      },
      git: () => this.git.refreshSoon(),
      resync: () => {
        void this.feed.load().catch(() => undefined);
        void this.tree.listAgain();
        this.paths.reload();
        this.search.missed();
        this.documents.missed();
        this.git.refreshSoon();
      },
    });
    effect(() => {
      if (!this.link.live.value) return;
      untracked(() => {
        void this.tree.listFailed();
        void this.search.linkIsBack();
      });
    });
    this.presence.onDocument((info) => this.documents.heard(info));
    const blame = new LineBlame(this.client, () => this.now());
    effect(() => {
      const { value: tab } = this.tabs.active;
      const line = this.facts.value?.line;
      const { value: status } = this.git.status;
      // What is typed makes the lines others; where long lines are broken, one more word could move the text.
      const isFit = status?.repository === true && status.head !== null && !this.phone.value && this.link.live.value;
      const path = tab?.kind === 'document' ? tab.path : undefined;
      const letter = path === undefined ? undefined : this.git.letters.value.get(path);
      untracked(() => {
        const { view } = this.activeSession() ?? {};
        const isKnown = isFit && path !== undefined && line !== undefined && view !== undefined && letter !== 'U' && letter !== 'C';
        blame.moved(isKnown ? { view, path, line } : undefined);
      });
    });
    effect(() => {
      const { value: tab } = this.tabs.active;
      const path = tab?.kind === 'document' ? tab.path : undefined;
      untracked(() => {
        if (tab !== undefined && 'path' in tab) this.lastPath.value = tab.path;
        if (path !== undefined) this.run.target.value = path;
        this.#followInTree();
      });
    });
    effect(() => {
      const { value: shown } = this.shownDocuments;
      untracked(() => this.documents.show(shown));
    });
    effect(() => {
      const { open, activeId, mainId, besideId } = this.tabs;
      const places = { active: activeId.value, main: mainId.value, beside: besideId.value };
      const tabs = open.value.filter((tab) => tab.kind !== 'commit');
      if (!this.#started) return;
      untracked(() => this.layout.rememberOpen('tabs', JSON.stringify({ tabs, ...places })));
    });
  }

  /** To the document that is shown, unless someone is moving in the tree. */
  #followInTree(): void {
    const { value: tab } = this.tabs.active;
    const path = tab?.kind === 'document' ? tab.path : undefined;
    const inTree = globalThis.document?.activeElement?.closest('.tree') !== null && globalThis.document?.activeElement !== null;
    if (path !== undefined && this.#started && !inTree && this.tree.focused.value !== path) void this.tree.reveal(path);
  }

  #recallFolders(): string[] {
    const folders = parse(this.layout.recallOpen('folders'));
    return Array.isArray(folders) ? folders.filter((folder): folder is string => typeof folder === 'string') : [];
  }

  #recallTabs(): void {
    const kept = parse(this.layout.recallOpen('tabs')) as { tabs?: Tab[]; active?: string; main?: string; beside?: string } | undefined;
    if (!Array.isArray(kept?.tabs) || this.tabs.open.value.length > 0) return;
    for (const tab of kept.tabs) {
      if (tab.kind === 'document') this.openFile(tab.path, { focus: false, preview: tab.preview });
      else if (tab.kind === 'diff') this.tabs.show(diffTab(tab.path, tab.from, tab.against));
      else if (tab.kind === 'task') this.tabs.show(taskTab(tab.task, tab.title));
      else if (tab.kind === 'activity') this.tabs.show(activityTab);
    }
    const open = this.tabs.open.value;
    const beside = open.find(({ id }) => id === kept.beside);
    if (beside !== undefined) this.tabs.showBeside(beside);
    for (const one of [kept.main, kept.active]) if (one !== undefined && open.some(({ id }) => id === one)) this.tabs.activate(one);
  }

  // ── going places ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `beside`: at the side of what is in the main place. */
  openFile(path: string, options: { preview?: boolean; focus?: boolean; target?: Target; beside?: boolean } = {}): void {
    if (options.target !== undefined) {
      const { goTo } = this.drawn.value.has(path) ? {} : (this.documents.get(path) ?? {});
      // A place is one in the text.
      this.draw(path, false);
      // A document that is shown already is not shown again.
      const { id } = documentTab(path);
      const stays = this.shownDocuments.value.includes(path) && (options.beside !== true || this.tabs.besideId.value === id);
      if (goTo !== undefined && stays) {
        this.tabs.activate(id);
        return goTo(options.target.line, options.target.column);
      }
      this.#targets.set(path, options.target);
    } else this.#targets.delete(path);
    if (options.beside === true) this.tabs.showBeside(documentTab(path));
    else this.tabs.show(documentTab(path, options.preview ?? false));
    this.layout.pane.value = 'main';
    if (options.focus !== false && options.preview !== true) this.focusMain();
    // What was asked for before is no longer what somebody waits for.
    else this.#focusFrom = undefined;
  }

  /** Shows a drawing as a picture, or as its text. */
  draw(path: string, asPicture: boolean): void {
    const others = [...this.drawn.value].filter((other) => other !== path);
    this.drawn.value = new Set(asPicture ? [...others, path] : others);
  }

  /** `against`: what it is compared with; HEAD when left out. */
  openDiff(path: string, from?: string, against?: DiffAgainst): void {
    this.tabs.show(diffTab(path, from, against));
    this.layout.pane.value = 'main';
  }

  openCommit(hash: string, subject: string): void {
    this.tabs.show({ id: `commit:${hash}`, kind: 'commit', hash, subject });
    this.layout.pane.value = 'main';
  }

  openConflict(path: string): void {
    this.tabs.show({ id: `conflict:${path}`, kind: 'conflict', path });
    this.layout.pane.value = 'main';
  }

  /** What a checkpoint holds against the one before, or the folder now. */
  openCheckpoint(checkpoint: number, title: string): void {
    this.tabs.show({ id: `checkpoint:${checkpoint}`, kind: 'checkpoint', checkpoint, title });
    this.layout.pane.value = 'main';
  }

  /** `title`: of its tab. */
  openTask(id: string, title: string): void {
    this.tabs.show(taskTab(id, title));
    this.layout.pane.value = 'main';
  }

  openActivity(): void {
    this.layout.show('activity');
    this.tabs.show(activityTab);
    this.layout.pane.value = 'main';
  }

  /** Shows a revision in Activity. */
  goToRevision(revision: number): void {
    this.feed.setFilter(noFilter);
    this.feed.sought.value = { revision };
    this.openActivity();
  }

  /** Where a document that was asked for with a place shall go; once. */
  takeTarget(path: string): Target | undefined {
    const target = this.#targets.get(path);
    this.#targets.delete(path);
    return target;
  }

  session(path: string): DocumentSession {
    return this.documents.open(path);
  }

  activeSession(): DocumentSession | undefined {
    const { value: tab } = this.tabs.active;
    return tab?.kind === 'document' ? this.documents.get(tab.path) : undefined;
  }

  /** The line that was asked for may be gone. */
  arrived(path: string, asked: number, lines: number): void {
    if (asked <= lines) return;
    const revision = this.documents.get(path)?.info.value?.revision ?? 0;
    this.toasts.say(`Line ${asked} is past the end`, {
      text: `${nameOf(path)} has ${lines.toLocaleString('en')} ${lines === 1 ? 'line' : 'lines'}${revision > 0 ? ` since r${revision}` : ''}. You are on the last one.`,
    });
  }

  focusMain(): void {
    const { wantsFocus } = this.layout;
    const editor = this.activeSession()?.view;
    // At once where it stands: the next key is for it.
    if (editor !== undefined && editor.dom.getClientRects().length > 0) {
      wantsFocus.value = undefined;
      return editor.focus();
    }
    wantsFocus.value = 'main';
    requestAnimationFrame(() => {
      // Something else was asked for since.
      if (wantsFocus.value !== 'main') return;
      wantsFocus.value = undefined;
      // It gives the focus back when it goes.
      if (this.overlay.value !== undefined) return;
      const { view } = this.activeSession() ?? {};
      if (view?.dom.isConnected === true) return view.focus();
      // Not in the bottom panel, which stands there too: a terminal takes what is typed for a file.
      const isBeside = this.tabs.isBeside.value && !this.phone.value;
      const place = document.querySelector<HTMLElement>(`${isBeside ? '#beside-panel' : '#main > :not(.bot)'} [data-focus]`);
      if (place !== null) return place.focus();
      this.#focusFrom = document.activeElement;
    });
  }

  /** Whether what is drawn of a document only now is to have the focus: it is the one that is worked in, and nothing has it, or nobody moved it since `focusMain`. */
  takesFocus(session: DocumentSession): boolean {
    if (session !== this.activeSession()) return false;
    const { activeElement, body } = document;
    const isAwaited = activeElement === this.#focusFrom;
    this.#focusFrom = undefined;
    return isAwaited || activeElement === null || activeElement === body;
  }

  /** Whether what is drawn until its editor is there is to have the focus: it was asked for, and nobody moved it since `focusMain`. */
  awaitsFocus(session: DocumentSession): boolean {
    return session === this.activeSession() && this.#focusFrom !== undefined && document.activeElement === this.#focusFrom;
  }

  tryNow(): void {
    this.link.tryNow();
    this.documents.tryNow();
  }

  async copyUnsent(): Promise<void> {
    const text = this.documents
      .unsent()
      .map(({ path, text: content }) => `===== ${path} =====\n${content}`)
      .join('\n\n');
    await copyText(this.toasts, text, 'Copied your edits', { text: 'The whole text of each document that holds edits not sent.' });
  }

  #kept(path: string): void {
    const hint = 'You can read, not write: this browser has another link now. What you typed is kept in this page.';
    const denied = { message: 'The sidecar takes no edits of this link.', reason: 'ACCESS_DENIED', code: 'permission_denied', hint };
    this.toasts.fail(`Not sent: your edits in ${nameOf(path)}`, denied, [{ label: 'Copy my edits', run: () => void this.copyUnsent() }]);
  }

  #replaced(path: string, text: string): void {
    const hint = 'Another file was moved over it. The text with your edits is kept until you close this message.';
    const gone = { message: 'Another file has its place.', reason: 'FILE_CHANGED', code: 'aborted', hint };
    const copy = async (): Promise<void> => {
      // The message was all that held them.
      if (!(await copyText(this.toasts, text, 'Copied your edits'))) this.#replaced(path, text);
    };
    this.toasts.fail(`Not sent: your edits in ${nameOf(path)}`, gone, [{ label: 'Copy my edits', run: () => void copy() }]);
  }

  async save(): Promise<void> {
    if (this.readOnly.value) return;
    if (this.documents.allSaved) return this.#saySaved('Saved already');
    try {
      const { failed } = await this.client.call('documents.flush', {});
      const [first] = failed;
      if (first !== undefined)
        this.toasts.fail(`Not saved: ${nameOf(first.path)}`, { message: first.problem, reason: 'INTERNAL', code: 'internal' });
      else this.#saySaved('Saved now');
    } catch (error) {
      this.toasts.fail('Not saved yet', error);
    }
  }

  /** What a save that was asked for came to, for a moment: the breadcrumb pulses. `count` tells one from the next. */
  readonly saved: Signal<{ count: number; words: string | undefined }> = signal({ count: 0, words: undefined });
  #savedTimer: ReturnType<typeof setTimeout> | undefined;

  #saySaved(words: string): void {
    const count = this.saved.value.count + 1;
    this.saved.value = { count, words };
    clearTimeout(this.#savedTimer);
    this.#savedTimer = setTimeout(() => (this.saved.value = { count, words: undefined }), savedMs);
  }

  /** Watches how wide the window is; called once by the page. */
  watchWidth(match: (query: string) => MediaQueryList): void {
    const query = match(narrow);
    this.phone.value = query.matches;
    query.addEventListener('change', () => (this.phone.value = query.matches));
  }

  #closed(tab: Tab): void {
    if (tab.kind === 'document') this.documents.close(tab.path);
    else if (tab.kind === 'task') this.tasks.close(tab.task);
  }
}

/** Long enough to be read. */
const savedMs = 1_500;

/** For what lies between two moments: the time of day may be set. */
function monotonic(): number {
  return performance.now();
}

function documentPath(tab: Tab | undefined): string | undefined {
  return tab?.kind === 'document' ? tab.path : undefined;
}

function parse(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Written by another version, or by hand.
    return undefined;
  }
}
