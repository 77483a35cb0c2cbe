// Programs beside a sidecar that change its folder.
import fs from 'node:fs';
import path from 'node:path';
import type { Random } from './random.ts';
import type { CallMaker } from './workspace-model-calls.ts';
import { type ModelFolder, parentOf } from './workspace-model-folder.ts';

export interface OutsideHost {
  random: Random;
  calls: CallMaker;
  folder: ModelFolder;
  root: string;
  say(what: string): void;
  /** The folder was so before. */
  changed(before: ModelFolder): void;
}

export class OutsidePrograms {
  readonly #host: OutsideHost;

  constructor(host: OutsideHost) {
    this.#host = host;
  }

  /** A program of the machine does something. */
  act(): void {
    const [there, to] = [this.#host.calls.there(), this.#host.calls.path()];
    const node = this.#host.folder.nodes.get(there);
    const before = this.#host.folder.copy();
    const at = this.#at(there);
    switch (this.#host.random.below(7)) {
      case 0:
      case 1:
        if (node?.kind !== 'file') return;
        return this.#putOutside(there, node.mode, this.#host.random.below(4) === 0 ? flipped(node.bytes) : this.#host.calls.bytes());
      case 2: {
        const parent = parentOf(to);
        const isFree = this.#host.folder.nodes.get(parent)?.kind === 'directory' && this.#host.folder.nodes.get(to) === undefined;
        if (isFree && isName(to)) this.#putOutside(to, 0o644, this.#host.calls.bytes());
        return;
      }
      case 3:
        if (node?.kind === 'symlink' || this.#host.folder.below(there).length > 6) return;
        this.#host.say(`outside: rm -r ${there}`);
        fs.rmSync(at, { recursive: true });
        for (const one of this.#host.folder.below(there)) this.#host.folder.nodes.delete(one);
        break;
      case 4: {
        const isFree = this.#host.folder.nodes.get(parentOf(to))?.kind === 'directory' && this.#host.folder.nodes.get(to) === undefined;
        if (!isFree || !isName(to) || to.startsWith(`${there}/`)) return;
        this.#host.say(`outside: mv ${there} ${to}`);
        fs.renameSync(at, this.#at(to));
        this.#host.folder.move(there, to, {});
        break;
      }
      case 5:
        if (this.#host.folder.nodes.get(parentOf(to))?.kind !== 'directory' || this.#host.folder.nodes.get(to) !== undefined || !isName(to))
          return;
        this.#host.say(`outside: mkdir ${to}`);
        fs.mkdirSync(this.#at(to));
        this.#host.folder.mkdir(to, false);
        break;
      default:
        if (node?.kind !== 'file') return;
        this.#host.say(`outside: chmod 640 ${there}`);
        fs.chmodSync(at, 0o640);
        this.#host.folder.nodes.set(there, { ...node, mode: 0o640 });
    }
    this.#host.changed(before);
  }

  #putOutside(name: string, mode: number, bytes: Buffer): void {
    const before = this.#host.folder.copy();
    const at = this.#at(name);
    if (this.#host.random.below(2) === 0) {
      this.#host.say(`outside: writes ${name} in place, ${bytes.length} bytes`);
      fs.writeFileSync(at, bytes, { mode });
    } else {
      this.#host.say(`outside: puts another file at ${name}, ${bytes.length} bytes`);
      const beside = path.join(this.#host.root, '..', 'beside');
      fs.writeFileSync(beside, bytes);
      fs.chmodSync(beside, mode);
      fs.renameSync(beside, at);
    }
    this.#host.folder.nodes.set(name, { kind: 'file', bytes, mode: fs.statSync(at).mode & 0o777 });
    this.#host.changed(before);
  }

  #at(name: string): string {
    return path.join(this.#host.root, name);
  }
}

/** Of the same length. */
function flipped(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte === 0x72 ? 0x73 : byte)));
}

function isName(path: string): boolean {
  return (
    path !== '' &&
    !path.includes('\0') &&
    path.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) < 256)
  );
}
