// Who changed which path, so that changes can be judged by whom they are told to be.
import type { Change } from '../../src/contract/events.ts';
import type { ModelCall } from './workspace-model-answers.ts';
import { changedPaths, realIn } from './workspace-model-disk.ts';
import { type ModelFolder, type ModelNode, parentOf } from './workspace-model-folder.ts';

const OUTSIDE_MS = 3000;

export function pathsOf(call: ModelCall): string[] {
  if (call.name === 'files.batch')
    return call.input.changes.flatMap((change) => (change.op === 'move' ? [change.from, change.to] : [change.path]));
  return 'from' in call.input ? [call.input.from, call.input.to] : [call.input.path ?? ''];
}

export class Actors {
  /** Changes that tell of nothing. */
  removalsOfNothing = 0;
  /** By path: who changed it, and when last. */
  readonly #actors = new Map<string, Map<string, number>>();
  /** Places of folders that programs moved, and when that was told. */
  readonly #met = new Map<string, number>();
  /** Names of links, also of those that are gone. */
  readonly #links = new Set<string>();
  /** Of the last two rests: what was done since may be told. */
  #rests: [number, number] = [0, 0];

  /** All is told that was done until now. */
  rest(): void {
    this.#rests = [this.#rests[1], performance.now()];
  }

  see(folder: ModelFolder): void {
    for (const [name, node] of folder.nodes) if (node.kind === 'symlink') this.#links.add(name);
  }

  /** A change is told with who made it. */
  judge(changes: readonly Change[], say: (what: string) => void): string {
    const wrong: string[] = [];
    for (const { what, path: at, from, cause, revision } of changes) {
      say(`    told ${revision}: ${what} ${from === undefined ? '' : `${from} → `}${at} by ${cause.kind}`);
      const names = (cause.who ?? []).map(({ name }) => name);
      // Calls at once into a document are saved together, as by all of them.
      const isTyped = cause.kind === 'document' && this.#recentActors(at).includes('document');
      const who = cause.kind === 'outside' || isTyped ? [cause.kind] : names;
      const actors = (name: string): string[] => this.#recentActors(name);
      const paths = from === undefined ? [at] : [from, at];
      // Of names by way of a link that leads elsewhere by now the watch tells that they are gone.
      if (cause.kind === 'outside' && paths.some((name) => this.#isByLink(name))) continue;
      // Where calls made or moved the same folders as a program, what was told is compared with what is there (ARCHITECTURE.md), and told as from outside.
      const isTheirs = cause.kind === 'outside' && paths.every((name) => this.#recentActors(name).includes('outside'));
      if (isTheirs && from !== undefined) for (const name of paths) this.#met.set(name, performance.now());
      if (cause.kind === 'outside' && paths.every((name) => this.#isMet(name))) continue;
      // It takes what is removed for what had that name and was moved before: a removal of nothing harms nobody.
      if (cause.kind === 'outside' && what === 'removed' && !this.#actors.has(at)) {
        this.removalsOfNothing++;
        continue;
      }
      if (who.length > 0 && paths.every((name) => who.every((one) => actors(name).includes(one)))) continue;
      const by = paths.map((name) => actors(name).join(', ') || 'nobody').join(' and ');
      wrong.push(`${revision}: ${what} ${paths.join(' → ')} is told to be by ${cause.kind} ${who.join(', ')}, and was by ${by}`);
    }
    return [...new Set(wrong)].join('\n');
  }

  #isMet(name: string): boolean {
    const since = Math.min(this.#rests[0], performance.now() - OUTSIDE_MS);
    for (let at = name; at !== ''; at = parentOf(at)) if ((this.#met.get(at) ?? -1) >= since) return true;
    return false;
  }

  /** Whether a link stands, or stood, on the way. */
  #isByLink(name: string): boolean {
    for (let end = name.indexOf('/'); end > 0; end = name.indexOf('/', end + 1)) if (this.#links.has(name.slice(0, end))) return true;
    return false;
  }

  allow(name: string, who: string, at = performance.now()): void {
    const actors = this.#actors.get(name) ?? new Map<string, number>();
    this.#actors.set(name, actors.set(who, Math.max(at, actors.get(who) ?? 0)));
  }

  /** What a program wrote is told again where its folder is moved at once. */
  #recentActors(name: string): string[] {
    const since = (who: string): number => (who === 'outside' ? Math.min(this.#rests[0], performance.now() - OUTSIDE_MS) : this.#rests[0]);
    return [...(this.#actors.get(name) ?? [])].flatMap(([who, at]) => (at >= since(who) ? [who] : []));
  }

  /** Who wrote what was moved wrote what stands at its new place. */
  carryAlong(before: ModelFolder, changed: readonly string[], after: ModelFolder): void {
    const places = new Map([...before.nodes].map(([one, node]) => [node, one]));
    for (const one of changed) {
      const from = places.get(after.nodes.get(one) as ModelNode);
      for (const [who, at] of from === undefined ? [] : (this.#actors.get(from) ?? [])) this.allow(one, who, at);
    }
  }

  /** All that differs now, and the names by which it was asked for, are changed by a caller. */
  acted(before: ModelFolder, who: string, call: ModelCall, after: ModelFolder): void {
    const changed = changedPaths(before, after);
    this.carryAlong(before, changed, after);
    for (const one of changed) this.allow(one, who);
    // A link is told to be replaced, also by one like it.
    if (changed.length === 0 && call.name !== 'files.copy') return;
    const plain = (name: string): string =>
      name
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .join('/');
    const asked = pathsOf(call).map(plain);
    for (const one of asked) for (let end = one.length; end > 0; end = one.lastIndexOf('/', end - 1)) this.allow(one.slice(0, end), who);
    // What is copied into a folder goes through links that stand there, and is told by their names as well.
    if (call.name === 'files.copy')
      for (const [name, node] of before.nodes)
        if (node.kind === 'symlink' && changed.includes(realIn(after, name, true) ?? '')) this.allow(name, who);
    // By a link on the way, what lies below has another name as well.
    for (const top of asked)
      for (const [folder, follow] of [
        [before, false],
        [before, true],
        [after, false],
      ] as const) {
        const real = realIn(folder, top, follow);
        // A batch may have made it and removed it again.
        if (real !== undefined && call.name === 'files.batch') this.allow(real, who);
        for (const one of changed) if (real !== undefined && one.startsWith(`${real}/`)) this.allow(top + one.slice(real.length), who);
      }
  }
}
