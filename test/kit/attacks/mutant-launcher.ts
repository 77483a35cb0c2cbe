// For tests: launchers that leave one thing out, each built from native/ when it is first asked for.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const native = path.join(import.meta.dirname, '../../../native');

/** The file of native/, what stands there, and what comes in its place. */
type Change = [file: string, from: string, to: string];

const ofAll = '#define NEW_NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)';
const leftAlone: Change = [
  'supervise.h',
  'return end_tree(work->program, &work->status, &work->has_ended);',
  'return work->has_ended ? 0 : end_tree(work->program, &work->status, &work->has_ended);',
];
const seesProcesses: Change[] = [
  ['namespaces.h', ofAll, ofAll.replace('CLONE_NEWPID | ', '')],
  // Its first process finds who started it by that.
  ['supervise.h', 'started_by != 0 && getpid() != 1 ? started_by : getppid()', 'getppid()'],
];

// What gets through is for the attacks to say: the probe would look twice at each limit that is not there.
const probesNothing: Change = ['try.h', 'for (; *argv != NULL; argv++) {\n    char *value', 'for (; 0; argv++) {\n    char *value'];

const mutations = {
  /** For cages that are made without parts of theirs. */
  asItIs: [],
  /** Who is to end is asked to, and may refuse. */
  pleads: [
    ['ending.h', '#define END_WITHIN_MS 5000', '#define END_WITHIN_MS 400'],
    ['ending.h', 'if (getpid() == 1) kill(-1, SIGKILL);', 'if (getpid() == 1) kill(-1, SIGTERM);'],
    [
      'ending.h',
      'for (int at = 0; at < count; at++) kill(pids[at], SIGKILL);',
      'for (int at = 0; at < count; at++) kill(pids[at], SIGTERM);',
    ],
  ],
  /** Nobody ends what a program leaves behind. */
  leavesAlone: [leftAlone],
  /** Nor does the kernel, with the namespace. */
  leavesAloneAndSeesProcesses: [leftAlone, ...seesProcesses],
  /** Nobody is heard who wants the end. */
  deaf: [
    [
      'supervise.h',
      "else if (orders[at] == 'r') is_done++;",
      "else if (orders[at] == 'r' || orders[at] == 'x') is_done += orders[at] == 'r';",
    ],
  ],
  leaksDescriptors: [
    ['inside.h', 'if (!cage->namespaces && !cage->stays) close_others(cage->pass);', ''],
    ['cage.h', 'if (cage.control >= 0) fcntl(cage.control, F_SETFD, FD_CLOEXEC);', ''],
  ],
  dumpsCores: [['inside.h', 'set_limit(RLIMIT_CORE, 0, "core")', 'set_limit(RLIMIT_CORE, RLIM_INFINITY, "core")']],
  /** What the program made keeps its modes, */
  keepsModes: [
    [
      'supervise.h',
      'owned->hands_over ? owned->was.st_uid : (uid_t)-1, nobody, owned->was.st_gid, 1}',
      'owned->hands_over ? owned->was.st_uid : (uid_t)-1, nobody, owned->was.st_gid, 0}',
    ],
  ],
  /** or those that shut us out, */
  keepsClosed: [['folders.h', '(stat.st_mode & 01777) | (is_folder ? 0700 : 0600)', 'stat.st_mode & 01777']],
  /** or its owner. */
  keepsOwner: [
    [
      'supervise.h',
      'owned->hands_over ? owned->was.st_uid : (uid_t)-1, nobody, owned->was.st_gid, 1}',
      '(uid_t)-1, nobody, owned->was.st_gid, 1}',
    ],
  ],
  /** The supervisor waits for the program alone. */
  waitsForOne: [
    ['ending.h', '(which = waitpid(-1, &one, WNOHANG)) > 0; count++', '(which = waitpid(program, &one, WNOHANG)) > 0; count++'],
  ],
  /** It takes its time between its own children and those of the program. */
  looksSlowly: [
    ['tree.h', '    closedir(tasks);\n', '    closedir(tasks);\n    if (at < 0) nanosleep(&(struct timespec){0, 50000000}, NULL);\n'],
  ],
  seesProcesses,
  sharesMemory: [['namespaces.h', ofAll, ofAll.replace('CLONE_NEWIPC | ', '')]],
  /** What is a folder in memory elsewhere is the system's own. */
  seesTemporary: [
    [
      'cage.h',
      '(struct mount_entry){(enum mount_kind)at, what, where}',
      '(struct mount_entry){at == MOUNT_MEMORY ? MOUNT_WRITE : (enum mount_kind)at, at == MOUNT_MEMORY ? where : what, where}',
    ],
  ],
} satisfies Record<string, Change[]>;

export type Mutation = keyof typeof mutations;

const built = new Map<string, Promise<string>>();

/** The launcher without it, in a folder of its own in `base`, which others may pass. */
export function mutantLauncher(base: string, name: Mutation): Promise<string> {
  const folder = path.join(base, `mutant-${name}`);
  const building = built.get(folder) ?? build(folder, mutations[name]);
  built.set(folder, building);
  return building;
}

async function build(folder: string, changes: Change[]): Promise<string> {
  fs.cpSync(native, path.join(folder, 'native'), { recursive: true });
  for (const [file, from, to] of [probesNothing, ...changes]) {
    const source = path.join(folder, 'native', file);
    const text = fs.readFileSync(source, 'utf8');
    assert.equal(text.split(from).length, 2, `${file} has this once, else nothing is left out: ${from}`);
    fs.writeFileSync(
      source,
      text.replace(from, () => to),
    );
  }
  const launcher = path.join(folder, 'launcher');
  await promisify(execFile)('cc', ['-static', path.join(folder, 'native/launcher.c'), '-o', launcher]);
  return launcher;
}
