import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { State } from '../state/state.ts';
import { storeError } from './store-error.ts';
import { type Place, quiet, refsOf, type StoreGit } from './store-git.ts';

/** Name of the fact. */
const PLACE = 'checkpoints.place';
const DEFAULT_FORMAT = 'sha1';
/** What is stored is what stands in the file: nothing that comes with the folder turns it into something else. */
const ATTRIBUTES = '* -text !eol !filter !ident !working-tree-encoding !diff\n';

/** Finds where checkpoints are kept, also when the folder, its repository or the state were moved, copied or taken away. */
export class GitPlace {
  readonly #git: StoreGit;
  readonly #state: Pick<State, 'get' | 'set'>;
  readonly #options: { root: string };

  constructor(dependencies: { git: StoreGit; state: Pick<State, 'get' | 'set'> }, options: { root: string }) {
    this.#git = dependencies.git;
    this.#state = dependencies.state;
    this.#options = options;
  }

  /** Finds the store, or where `make` is set makes one; gives whether what was kept before is to be had. Throws TOOL_MISSING. */
  async open(make: boolean, signal?: AbortSignal): Promise<boolean> {
    if (this.#git.place === undefined) {
      const kept = this.#state.get(PLACE);
      if (kept !== undefined) this.#git.place = JSON.parse(kept) as Place;
    }
    const before = this.#git.place;
    const isElsewhere = before?.root !== undefined && before.root !== this.#options.root;
    if (before !== undefined) {
      const place = isElsewhere ? await this.#follow(before, signal) : this.#isThere(before) ? before : undefined;
      if (place !== undefined) {
        this.#git.place = { ...place, root: this.#options.root };
        if (make && place.root !== this.#options.root) this.#remember(this.#git.place);
        if (make) await this.#dropLeft(this.#git.place, signal);
        return true;
      }
      this.#git.place = undefined;
    }
    if (!make) return false;
    // What lies in the repository of the folder that this one was copied from is that one's.
    const former = isElsewhere ? undefined : before;
    const place = await this.#choose(former?.name ?? randomBytes(4).toString('hex'), signal);
    const left = [former?.gitFolder, former?.left].find((folder) => folder !== undefined && folder !== place.gitFolder);
    await this.#begin(left === undefined ? place : { ...place, left }, signal);
    return false;
  }

  /** Where the checkpoints are of a folder that was moved or copied with its state; undefined where they did not come along. */
  async #follow({ left: _left, ...before }: Place, signal: AbortSignal | undefined): Promise<Place | undefined> {
    if (before.kind === 'own') return this.#isThere(before) ? before : undefined;
    const found = await this.#choose(before.name, signal);
    if (found.gitFolder === undefined || !this.#isThere(found) || found.format !== (before.format ?? DEFAULT_FORMAT)) return undefined;
    // A copy in the same repository: what is kept there is of the folder that it was copied from.
    if (found.objects === before.objects && before.root !== undefined && fs.existsSync(before.root)) return undefined;
    const asked = ['for-each-ref', '--count=1', '--format=%(refname)', refsOf(before)];
    const { stdout } = await this.#git.git(asked, { env: { GIT_DIR: found.gitFolder, ...quiet }, signal });
    return stdout.length > 0 ? found : undefined;
  }

  #isThere({ objects, gitFolder, format = DEFAULT_FORMAT }: Place): boolean {
    if (!hasHead(this.#git.shadow) || (gitFolder !== undefined && !hasHead(gitFolder))) return false;
    if (objects !== undefined && !fs.existsSync(objects)) return false;
    return objects === undefined || (formatIn(path.dirname(objects)) ?? format) === format;
  }

  /** What kept the checkpoints in a repository that is there again: they were forgotten when it went. */
  async #dropLeft({ left, ...place }: Place, signal: AbortSignal | undefined): Promise<void> {
    if (left === undefined || !hasHead(left)) return;
    const env = { GIT_DIR: left, ...quiet };
    try {
      const { stdout } = await this.#git.git(['for-each-ref', '--format=delete %(refname)', this.#git.refs], { env, signal });
      await this.#git.git(['-c', 'core.hooksPath=/dev/null', 'update-ref', '--stdin'], { env, signal, stdin: stdout });
      this.#remember(place);
    } catch {
      // The next sidecar tries again.
      signal?.throwIfAborted();
    }
    this.#git.place = place;
  }

  /** The repository of the folder, where it can be written and is trusted; else one of our own. */
  async #choose(name: string, signal: AbortSignal | undefined): Promise<Place> {
    const asked = ['rev-parse', '--path-format=absolute', '--is-inside-work-tree', '--show-object-format', '--absolute-git-dir'];
    const found = await this.#git.run([...asked, '--git-path', 'objects', '--git-common-dir'], { env: quiet, signal });
    if (found.exitCode !== 0) {
      const stderr = found.stderr.toString();
      if (stderr.includes('dubious ownership')) return { kind: 'own', name, why: "the folder's repository belongs to another user" };
      return { kind: 'own', name };
    }
    const [inside, format = DEFAULT_FORMAT, gitFolder = '', objects = '', common = ''] = found.stdout.toString().split('\n');
    if (inside !== 'true') return { kind: 'own', name };
    if (![objects, path.join(common, 'refs')].every(canWrite))
      return { kind: 'own', name, why: "the folder's repository can't be written" };
    const { stdout } = await this.#git.run(['config', '--get', 'core.sharedRepository'], { env: quiet, signal });
    const sharing = stdout.toString().trim();
    return { kind: 'repository', name, gitFolder, objects, format, ...(sharing === '' ? {} : { sharing }) };
  }

  async #begin(place: Place, signal: AbortSignal | undefined): Promise<void> {
    this.#git.forgetIndex();
    this.#git.place = { ...place, root: this.#options.root };
    try {
      const { format = DEFAULT_FORMAT } = place;
      // Git makes none of another format of it.
      if (formatIn(this.#git.shadow) !== format) for (const part of ['HEAD', 'config']) this.#git.remove(part);
      const asked = ['init', '--bare', '--quiet', '--template=', `--object-format=${format}`, this.#git.shadow];
      const made = await this.#git.run(asked, { env: quiet, signal });
      if (made.exitCode !== 0) throw storeError(made.exitCode, made.stderr.toString());
      this.#git.write('info/attributes', ATTRIBUTES);
      this.#remember(this.#git.place);
    } catch (error) {
      this.#git.place = undefined;
      throw error;
    }
  }

  #remember(place: Place): void {
    this.#state.set(PLACE, JSON.stringify(place));
  }
}

/** The object format of the repository with this config; undefined where there is none. https://git-scm.com/docs/git-config#Documentation/git-config.txt-extensionsobjectFormat */
function formatIn(gitFolder: string): string | undefined {
  try {
    const config = fs.readFileSync(path.join(gitFolder, 'config'), 'utf8');
    return /^[^#;\n]*\bobjectformat\s*=\s*"?(\w+)/im.exec(config)?.[1]?.toLowerCase() ?? DEFAULT_FORMAT;
  } catch {
    return undefined;
  }
}

/** As a repository has. It may be a link to a branch that has no commit yet, as with core.preferSymlinkRefs. */
function hasHead(gitFolder: string): boolean {
  try {
    fs.lstatSync(path.join(gitFolder, 'HEAD'));
    return true;
  } catch {
    return false;
  }
}

function canWrite(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
