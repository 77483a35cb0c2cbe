import type { Page } from 'playwright-core';
import type { CodeItem, CodeOutcome, IsolationInfo, LanguageInfo } from '../../src/contract/code.ts';

/** What a scripted run answers: items one by one, then its outcome; 'never' waits until it is canceled. */
export interface ScriptedRun {
  items: CodeItem[];
  end: CodeOutcome | 'never' | { code: string; reason: string; message: string };
}

export const scriptedIsolation: IsolationInfo = {
  rung: 2,
  name: 'landlock',
  holds: ['files', 'network', 'processes', 'kernel', 'count', 'time', 'output'],
  open: ['memory', 'disk'],
};

export const scriptedRunId = 'aaaaaaaaaaaaaaaaaaaaa';
export const scriptedSession = 'bbbbbbbbbbbbbbbbbbbbb';

const common = {
  image: 'all',
  memoryMultiplier: 1,
  rollout: 'enabled' as const,
  missing: [],
  install: '',
  sample: '',
};
export const scriptedLanguages: LanguageInfo[] = [
  {
    ...common,
    code: 'py',
    name: 'Python',
    aliases: ['python'],
    extension: 'py',
    file: 'code.py',
    compiled: false,
    timeMultiplier: 1,
    keepsState: true,
  },
  { ...common, code: 'c', name: 'C', aliases: [], extension: 'c', file: 'code.c', compiled: true, timeMultiplier: 1.5, keepsState: false },
  {
    ...common,
    code: 'rs',
    name: 'Rust',
    aliases: ['rust'],
    extension: 'rs',
    file: 'main.rs',
    compiled: true,
    timeMultiplier: 3,
    keepsState: false,
    missing: ['rustc'],
    install: 'apt-get install rustc',
  },
  {
    ...common,
    code: 'php',
    name: 'PHP',
    aliases: [],
    extension: 'php',
    file: 'code.php',
    compiled: false,
    timeMultiplier: 1,
    keepsState: false,
    rollout: 'off',
  },
];

/** An outcome of a run that went well, with what is other than usual. */
export function scriptedOutcome(more: Partial<CodeOutcome> = {}): CodeOutcome {
  const mib = 1024 * 1024;
  return {
    run: scriptedRunId,
    session: scriptedSession,
    language: 'py',
    reason: 'exit',
    exitCode: 0,
    compile: null,
    program: scriptedStage(),
    files: [],
    omittedFiles: 0,
    limits: {
      wallMs: 30_000,
      cpuMs: 30_000,
      memoryBytes: 512 * mib,
      processes: 64,
      outputBytes: mib,
      fileBytes: 10 * mib,
      diskBytes: 100 * mib,
    },
    notes: [],
    isolation: scriptedIsolation,
    used: { compileCache: 'none', interpreter: 'cold', transform: 'none', compilerSeed: false, restored: false },
    queuedMs: 0,
    wallMs: 1_420,
    state: null,
    ...more,
  };
}

export function scriptedStage(more: Partial<NonNullable<CodeOutcome['program']>> = {}): NonNullable<CodeOutcome['program']> {
  return {
    reason: 'exit',
    exitCode: 0,
    signal: null,
    wallMs: 1_400,
    cpuMs: 310,
    memoryBytes: 84 * 1024 * 1024,
    outputBytes: { stdout: 100, stderr: 0 },
    omittedBytes: { stdout: 0, stderr: 0 },
    limit: null,
    problem: null,
    ...more,
  };
}

/**
 * Answers this page's questions about code from a script, and passes all others on to the sidecar: for what no real run can be made to
 * show on every machine, as a queue, or figures of a library that is not installed.
 */
export async function scriptCode(
  page: Page,
  next: (input: { code: string; session?: string }) => ScriptedRun,
): Promise<{ asked: object[] }> {
  const asked: object[] = [];
  await page.routeWebSocket(/\/rpc/, (socket) => {
    const server = socket.connectToServer();
    let running: { id: string; end: CodeOutcome } | undefined;
    const answer = (id: string, result: object): void => socket.send(JSON.stringify({ id, ok: true, result }));
    server.onMessage((message) => socket.send(message));
    socket.onMessage((message) => {
      const frame = JSON.parse(String(message)) as {
        id: string;
        method?: string;
        params?: { code: string; session?: string };
        cancel?: boolean;
      };
      if (frame.method === 'code.languages') return answer(frame.id, { languages: scriptedLanguages });
      if (frame.method === 'code.isolation')
        return answer(frame.id, {
          isolation: scriptedIsolation,
          evidence: [
            { protection: 'network', held: true, by: 'seccomp', tried: 'connect() to the sidecar was refused with EACCES' },
            { protection: 'memory', held: false, by: 'a watcher of the tree', tried: '/sys/fs/cgroup is read-only here' },
          ],
          rungs: [
            { rung: 3, name: 'namespaces', works: false, why: 'unshare() was refused with EPERM' },
            { rung: 2, name: 'landlock', works: true, why: '' },
          ],
          paths: { workdir: '/mnt/data' },
        });
      if (frame.method === 'code.run' && frame.params !== undefined) {
        asked.push(frame.params);
        const { items, end } = next(frame.params);
        if (items.length > 0) socket.send(JSON.stringify({ id: frame.id, items }));
        if (end === 'never')
          running = {
            id: frame.id,
            end: scriptedOutcome({ reason: 'canceled', exitCode: null, program: scriptedStage({ reason: 'canceled', exitCode: null }) }),
          };
        else if ('message' in end) socket.send(JSON.stringify({ id: frame.id, ok: false, error: { ...end, requestId: 'r' } }));
        else answer(frame.id, end);
        return;
      }
      if (frame.method === 'code.cancel') {
        if (running !== undefined) answer(running.id, running.end);
        running = undefined;
        return answer(frame.id, {});
      }
      server.send(message);
    });
  });
  await page.reload();
  await page.locator('[data-known=true]').waitFor();
  return { asked };
}
