import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { OptionKey } from '../../src/config/options.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { ownFolderOf } from '../../src/services/exec/own-folder.ts';
import { createLog } from '../../src/sidecar/log.ts';
import { type Sidecar, type SidecarDependencies, startSidecar } from '../../src/sidecar/sidecar.ts';
import { eventually } from './eventually.ts';

const STOP_MS = 10_000;

export interface RunningSidecar {
  /** `http://127.0.0.1:<port>` */
  url: string;
  port: number;
  token: string;
  /** The workspace. */
  root: string;
  stateFolder: string;
  /** Of the main token; closed at the end. */
  client: Client<Operations>;
  /** A client of another token; closed at the end. */
  clientOf(token: string): Client<Operations>;
  sidecar: Sidecar;
  /** A file of the workspace, as it stands on disk. */
  file(name: string): string;
  put(name: string, content?: string | Buffer): void;
  /** Lines of the log so far. */
  log: readonly Record<string, unknown>[];
}

export interface SidecarSetup {
  /** Options by key, as on the command line. */
  config?: Partial<Record<OptionKey, string | boolean | readonly string[]>>;
  /** The folder that is served; it stays. Without it a new one. */
  workspace?: string;
  /** Before the start, in the empty workspace. */
  prepare?: (root: string) => void | Promise<void>;
  dependencies?: Partial<Pick<SidecarDependencies, 'operations' | 'workbench' | 'now'>>;
  /** Leave what happens in the log of errors alone; else an error there fails the test. */
  mayLogErrors?: boolean;
}

/**
 * A real sidecar on a fresh folder, at a free port of loopback. Afterwards it is stopped, and the test fails when that takes
 * longer than 10 s, when temporary files or open descriptors of the folder are left, or when something failed inside.
 */
export async function withSidecar(run: (running: RunningSidecar) => Promise<void>, setup: SidecarSetup = {}): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-sidecar-'));
  const root = setup.workspace ?? path.join(folder, 'work');
  const stateFolder = path.join(folder, 'state');
  fs.mkdirSync(root, { recursive: true });
  const log: Record<string, unknown>[] = [];
  const clients: Client<Operations>[] = [];
  let sidecar: Sidecar | undefined;
  try {
    await setup.prepare?.(root);
    const { config, surroundings } = loadConfig({
      env: {},
      flags: { root, port: '0', state: stateFolder, 'log.level': 'info', ...setup.config },
    });
    sidecar = await startSidecar({
      config,
      surroundings,
      log: createLog(config, (line) => void log.push(JSON.parse(line) as Record<string, unknown>)),
      ...setup.dependencies,
    });
    const { url, token } = sidecar;
    await sidecar.ready;
    const clientOf = (of: string): Client<Operations> => {
      const client = createClient<Operations>({ url, token: of });
      clients.push(client);
      return client;
    };
    await run({
      url,
      port: Number(new URL(url).port),
      token,
      root,
      stateFolder,
      client: clientOf(token),
      clientOf,
      sidecar,
      file: (name) => fs.readFileSync(path.join(root, name), 'utf8'),
      put: (name, content = `${name}\n`) => {
        fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
        fs.writeFileSync(path.join(root, name), content);
      },
      log,
    });
    for (const client of clients) client.close();
    await stopsInTime(sidecar);
    assert.deepEqual(temporaries(root), [], 'temporary files are left in the workspace');
    // Closing may be under way in the thread pool still.
    await eventually(() => assert.deepEqual(openBelow(folder), [], 'descriptors are left open'), 1000);
    if (setup.mayLogErrors !== true) {
      assert.deepEqual(
        log.filter(({ level }) => level === 'error'),
        [],
        'something failed inside',
      );
    }
  } finally {
    for (const client of clients) client.close();
    await sidecar?.stop();
    for (const one of [folder, ownFolderOf(stateFolder, os.tmpdir())]) fs.rmSync(one, { recursive: true, force: true });
  }
}

async function stopsInTime(sidecar: Sidecar): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`The sidecar did not stop within ${STOP_MS} ms.`)), STOP_MS);
  });
  try {
    await Promise.race([sidecar.stop(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Below a folder; no link is followed, which a recursive `readdir` does. */
function temporaries(folder: string): string[] {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) return temporaries(at);
    return /^\.outrigger-.*\.tmp$/.test(entry.name) ? [at] : [];
  });
}

/** Files below `folder` that this process holds open; none where there is no /proc. */
function openBelow(folder: string): string[] {
  let descriptors: string[];
  try {
    descriptors = fs.readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
  return descriptors.flatMap((descriptor) => {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${descriptor}`);
      return target.startsWith(`${folder}/`) ? [target] : [];
    } catch {
      // The one that read the list is closed again.
      return [];
    }
  });
}

/** One sidecar for all tests of a `describe`, in which it is called. Gives it while they run. */
export function sharedSidecar(setup: SidecarSetup = {}): () => RunningSidecar {
  const started = startedOnce(setup);
  let running: RunningSidecar | undefined;
  before(async () => {
    running = await started();
  });
  return () => {
    assert.ok(running !== undefined);
    return running;
  };
}

/**
 * One sidecar for those tests of a file, or of a `describe`, that ask for it, each with a client of its own: for tests that start from nothing
 * but a sidecar, and leave nothing that another would find. The first one starts it.
 */
export function lentSidecar(setup: SidecarSetup = {}): (run: (running: RunningSidecar) => Promise<void>) => Promise<void> {
  const started = startedOnce(setup);
  return async (run) => {
    const running = await started();
    const client = running.clientOf(running.token);
    try {
      await run({ ...running, client });
    } finally {
      client.close();
    }
  };
}

/** Started when it is first asked for; stopped, and looked at as `withSidecar` does, after the last test of where it is called. */
function startedOnce(setup: SidecarSetup): () => Promise<RunningSidecar> {
  let starting: Promise<RunningSidecar> | undefined;
  let ended: Promise<void> | undefined;
  const over = Promise.withResolvers<void>();
  after(() => {
    over.resolve();
    return ended;
  });
  return () => {
    starting ??= new Promise((resolve, reject) => {
      ended = withSidecar((one) => {
        resolve(one);
        return over.promise;
      }, setup);
      ended.catch(reject);
    });
    return starting;
  };
}
