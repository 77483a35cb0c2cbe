import { allowedHostProblem, allowedOriginProblem } from '../core/allowed-names.ts';

/** The one table of options. Flags, environment names, help, docs/options.md and the check of a config file come from it. */

export const componentNames = [
  'files',
  'documents',
  'history',
  'search',
  'git',
  'checkpoints',
  'processes',
  'terminals',
  'deploy',
  'code',
  'workbench',
] as const;
export type ComponentName = (typeof componentNames)[number];

interface OptionRow {
  /** An object is JSON, also in the environment and in a flag; what is in it is checked by the part that it is for. */
  type: 'text' | 'integer' | 'switch' | 'list' | 'choice' | 'object';
  /** undefined: not set. */
  default: string | number | boolean | readonly string[] | Readonly<Record<string, unknown>> | undefined;
  choices?: readonly string[];
  min?: number;
  max?: number;
  unit?: 'ms' | 's' | 'bytes' | 'count' | 'port';
  /** Environment names besides OUTRIGGER_<KEY>. */
  env?: readonly string[];
  /** What is wrong with one of a list. */
  problem?: (part: string) => string | undefined;
  /** Never shown. */
  secret?: boolean;
  /** What changes for the reader, and when to touch it. */
  text: string;
}

const MB = 1024 * 1024;

export const options = {
  root: { type: 'text', default: '.', env: ['WORKSPACE_PATH'], text: 'The folder to serve.' },
  host: {
    type: 'text',
    default: '127.0.0.1',
    text: 'Address to listen on. Anything but loopback shows the sidecar to the network: put TLS before it.',
  },
  port: {
    type: 'integer',
    default: 3000,
    min: 0,
    max: 65_535,
    unit: 'port',
    env: ['API_PORT'],
    text: 'Main port; 0 takes any free one. When it is not given and 3000 is taken, the next free one is used.',
  },
  wsPort: {
    type: 'integer',
    default: undefined,
    min: 0,
    max: 65_535,
    unit: 'port',
    env: ['WS_PORT'],
    text: 'A second port for document and JSON sockets alone, as seed clients expect it. Without it one port serves all.',
  },
  runnerPort: {
    type: 'integer',
    default: undefined,
    min: 0,
    max: 65_535,
    unit: 'port',
    text: 'A port for the runner API of KubeCodeRun (docs/code-api.md); 0 takes any free one. Without it nothing listens for that.',
  },
  runnerLanguage: {
    type: 'text',
    default: undefined,
    text: 'The one language of the runner API, by code or alias. Without it each request names its own.',
  },
  e2bPort: {
    type: 'integer',
    default: undefined,
    min: 0,
    max: 65_535,
    unit: 'port',
    text: "A port for the wire of E2B's sandboxes (docs/e2b.md), 49983 there; 0 takes any free one. Without it nothing listens for that.",
  },
  components: {
    type: 'list',
    default: componentNames,
    choices: componentNames,
    text: 'Which parts run. A part that is left out opens no port, no watch and no file, and its modules are not loaded. `files` is always there.',
  },
  operationModules: {
    type: 'list',
    default: [],
    text: "Files with operations of your own, beside ours: modules whose default export has `table` and `implementations` (docs/protocol.md). They run in the sidecar's process.",
  },
  readOnly: { type: 'switch', default: false, text: 'Nobody may write through this sidecar, whatever their token says.' },
  state: {
    type: 'text',
    default: undefined,
    text: 'Folder for what the sidecar remembers. By default one below $XDG_STATE_HOME/outrigger. Each workspace needs its own; never inside one.',
  },

  token: {
    type: 'text',
    default: undefined,
    secret: true,
    text: 'The token that gives full access. By default one is made and kept with the state. Only by environment or file.',
  },
  tokenFile: { type: 'text', default: undefined, text: 'A file that holds the token, e.g. a mounted secret.' },
  owner: { type: 'text', default: 'owner', text: 'How the holder of the main token is called in presence and history.' },
  allowedHosts: {
    type: 'list',
    default: [],
    problem: allowedHostProblem,
    text: 'Further names by which the sidecar may be addressed; `.example.com` for all below. Set it behind a proxy that keeps the Host header.',
  },
  allowedOrigins: {
    type: 'list',
    default: [],
    problem: allowedOriginProblem,
    text: 'Origins of pages, besides our own, that may call the sidecar with a token.',
  },
  'anonymous.platxa': {
    type: 'choice',
    default: 'none',
    choices: ['none', 'read', 'write', 'execute'],
    text: 'What callers without a token may do through the shapes of the Platxa sidecar. Only for networks that you trust.',
  },
  'anonymous.runner': {
    type: 'choice',
    default: 'none',
    choices: ['none', 'read', 'write', 'execute'],
    text: 'What callers without a token may do through the runner API: `execute` lets them run code. Only for networks that you trust.',
  },
  'anonymous.e2b': {
    type: 'choice',
    default: 'none',
    choices: ['none', 'read', 'write', 'execute'],
    text: "What callers without a token may do through the wire of E2B, as its SDK's debug mode sends none: `execute` lets them run programs. Only for machines that you trust.",
  },
  tls: {
    type: 'choice',
    default: 'none',
    choices: ['none', 'terminated'],
    text: '`terminated`: something before the sidecar speaks TLS; cookies are marked Secure and no warning is printed.',
  },

  'watch.ignore': {
    type: 'list',
    default: ['**/.git', '**/node_modules', '**/__pycache__', '**/.venv'],
    text: 'Globs that are not watched, and so not searched unless asked for. Explicit reads still work.',
  },
  'watch.settleMs': {
    type: 'integer',
    default: 50,
    min: 5,
    max: 5000,
    unit: 'ms',
    text: 'How long a file that is written in place must stand still before it is announced.',
  },
  'watch.engine': {
    type: 'choice',
    default: 'auto',
    choices: ['auto', 'poll'],
    text: '`poll` for volumes that give no events; found out by itself for network file systems.',
  },
  'watch.pollMs': { type: 'integer', default: 1000, min: 50, max: 60_000, unit: 'ms', text: 'How often a polled folder is looked at.' },
  'changes.keep': {
    type: 'integer',
    default: 100_000,
    min: 100,
    max: 10_000_000,
    unit: 'count',
    text: 'Changes that a cursor can reach back; older cursors are answered with resync.',
  },
  umask: {
    type: 'choice',
    default: undefined,
    choices: ['0002', '0007', '0022', '0027', '0077'],
    text: 'Permission bits that new files and folders do not get; 0002 lets the group write, so that another user’s program in the same pod can. Without it that of the process.',
  },
  durability: {
    type: 'choice',
    default: 'none',
    choices: ['none', 'file', 'full'],
    text: 'What a write waits for: nothing (kill -9 loses nothing, a power cut may), the content synced, or its folder too.',
  },

  'documents.maxBytes': {
    type: 'integer',
    default: 4 * MB,
    min: 1024,
    max: 64 * MB,
    unit: 'bytes',
    text: 'Largest file that can be edited together.',
  },
  'documents.maxOpen': { type: 'integer', default: 1000, min: 1, max: 100_000, unit: 'count', text: 'Documents open at once.' },
  'documents.saveIdleMs': {
    type: 'integer',
    default: 300,
    min: 0,
    max: 60_000,
    unit: 'ms',
    text: 'A document is saved when nobody typed for so long.',
  },
  'documents.saveMaxMs': {
    type: 'integer',
    default: 2000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    text: 'A document is saved after this even while people type; while git changes files for a call, at its end.',
  },
  'documents.unloadMs': {
    type: 'integer',
    default: 10_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    text: 'A document that nobody is in is put away after this.',
  },
  'documents.textName': { type: 'text', default: 'content', text: 'Name of the Y.Text that holds the file.' },

  'search.ripgrep': {
    type: 'text',
    default: undefined,
    text: 'The program ripgrep; by default the one that came along, else `rg` on PATH.',
  },
  'search.index': {
    type: 'switch',
    default: true,
    text: 'Keep an index of all text, so that a search reads only files that may match. Without it, and with less memory than it takes (docs/search.md), each search reads all.',
  },

  'git.init': { type: 'switch', default: false, text: 'Make a repository where there is none when something is to be committed.' },
  'git.timeoutMs': {
    type: 'integer',
    default: 30_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    text: 'Longest a git command may take that neither commits, changes the work tree nor talks to another machine.',
  },
  'git.name': {
    type: 'text',
    default: 'Outrigger',
    text: 'Author of commits where neither the call nor the repository nor the user names one.',
  },
  'git.email': { type: 'text', default: 'outrigger@localhost', text: 'Address that goes with git.name.' },
  'git.networkTimeoutMs': {
    type: 'integer',
    default: 600_000,
    min: 100,
    max: 86_400_000,
    unit: 'ms',
    text: 'Longest a clone, fetch, pull or push may take, a commit with its hooks, and a command that changes the work tree, which its call does not end.',
  },
  'git.fileRemotes': {
    type: 'switch',
    default: false,
    text: 'Addresses of files (file://) outside of the workspace may be cloned, fetched from and pushed to. Those inside always may.',
  },
  'git.coAuthors': {
    type: 'switch',
    default: false,
    text: 'Commits name, as co-authors, the people and agents who edited the committed files here since the last commit.',
  },
  'git.autoCommit': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 86_400,
    unit: 's',
    text: 'Commit everything when nothing has changed for so long; 0 leaves it to people. Never in the middle of a merge or a rebase, and never while somebody has staged files.',
  },

  'checkpoints.keep': {
    type: 'integer',
    default: 500,
    min: 2,
    max: 100_000,
    unit: 'count',
    text: 'Checkpoints that are kept; the oldest go first. A run has two.',
  },
  'checkpoints.keepDays': {
    type: 'integer',
    default: 30,
    min: 1,
    max: 3650,
    unit: 'count',
    text: 'Days after which a checkpoint is dropped. Its objects stay until git tidies them away.',
  },
  'checkpoints.maxFileBytes': {
    type: 'integer',
    default: 10 * MB,
    min: 1024,
    max: 1024 * MB,
    unit: 'bytes',
    text: 'Larger files are named in a checkpoint, not stored: they are neither restored nor reverted.',
  },

  'history.maxBytes': {
    type: 'integer',
    default: 64 * MB,
    min: MB,
    max: 16 * 1024 * MB,
    unit: 'bytes',
    text: 'What texts of files as they were may take in the state, compressed; the oldest go first.',
  },
  'history.maxFileBytes': {
    type: 'integer',
    default: MB,
    min: 1024,
    max: 16 * MB,
    unit: 'bytes',
    text: 'Of larger files no texts are kept: their changes are listed, but can be neither read nor taken back.',
  },
  'history.keepDays': {
    type: 'integer',
    default: 30,
    min: 1,
    max: 3650,
    unit: 'count',
    text: 'Days after which the text of a change is dropped.',
  },

  'processes.max': {
    type: 'integer',
    default: 64,
    min: 1,
    max: 10_000,
    unit: 'count',
    text: 'Processes and terminals that may run at a time.',
  },
  'processes.keep': {
    type: 'integer',
    default: 100,
    min: 0,
    max: 10_000,
    unit: 'count',
    text: 'Processes that ended and are remembered, with their output. The oldest go first.',
  },
  'processes.headBytes': {
    type: 'integer',
    default: 256 * 1024,
    min: 0,
    max: 1024 * MB,
    unit: 'bytes',
    text: 'Of the start of each output stream of a process, so much is kept.',
  },
  'processes.tailBytes': {
    type: 'integer',
    default: 4 * MB,
    min: 4096,
    max: 4096 * MB,
    unit: 'bytes',
    text: 'Of the end of each output stream of a process, so much is kept. What lies between is counted.',
  },

  'terminals.shell': {
    type: 'text',
    default: undefined,
    text: 'What a terminal starts when no program is named. By default $SHELL, else bash, else sh.',
  },
  'terminals.scrollback': {
    type: 'integer',
    default: 2000,
    min: 0,
    max: 10_000,
    unit: 'count',
    text: 'Lines above the screen of a terminal that whoever looks at it later can still see.',
  },

  'processes.agents': {
    type: 'object',
    default: {},
    text: 'Exec agents of other containers, by the name that `host` of a process takes: `{"app": {"socket": "/run/outrigger/exec.sock", "tokenFile": "/run/outrigger/token", "root": "/workspace"}}`, `root` being where that container sees this folder (docs/exec-agent.md).',
  },

  'deploy.profiles': {
    type: 'object',
    default: {},
    text: 'What can be deployed, by name: argv with typed parameters (docs/deploy.md). `odoo` and `odoo-install` are there already; one of the same name takes their place.',
  },
  'deploy.keep': { type: 'integer', default: 100, min: 1, max: 10_000, unit: 'count', text: 'Deployments that are remembered.' },
  'code.folder': {
    type: 'text',
    default: undefined,
    text: 'Folder for the files of code runs, in which each workspace makes one of its own, and never inside one; by default below the state, and for root below the temporary folder, where other users can get to it.',
  },
  'code.isolation': {
    type: 'choice',
    default: 'namespaces',
    choices: ['namespaces', 'landlock', 'seccomp', 'none'],
    text: 'The highest rung of isolation to use; what the machine does not give is not used, and code.isolation says so.',
  },
  'code.rollout': {
    type: 'object',
    default: {},
    text: 'Languages by code that are not simply on: `off`, or `canary` (for the owner alone).',
  },
  'code.atOnce': { type: 'integer', default: 8, min: 1, max: 1000, unit: 'count', text: 'Code runs at a time; more wait their turn.' },
  'code.queue': { type: 'integer', default: 200, min: 0, max: 100_000, unit: 'count', text: 'Code runs that may wait; more are refused.' },
  'code.maxWallMs': {
    type: 'integer',
    default: 120_000,
    min: 100,
    max: 86_400_000,
    unit: 'ms',
    text: 'Longest time limit that a run may ask for, before the multiplier of its language.',
  },
  'code.maxMemoryBytes': {
    type: 'integer',
    default: 2048 * MB,
    min: 16 * MB,
    max: 1024 * 1024 * MB,
    unit: 'bytes',
    text: 'Most memory that a run may ask for, before the multiplier of its language.',
  },
  'code.maxOutputBytes': {
    type: 'integer',
    default: 16 * MB,
    min: 1024,
    max: 1024 * MB,
    unit: 'bytes',
    text: 'Most of stdout, and of stderr, that a run may ask for.',
  },
  'code.maxDiskBytes': {
    type: 'integer',
    default: 1024 * MB,
    min: 1024 * 1024,
    max: 1024 * 1024 * MB,
    unit: 'bytes',
    text: 'Most that a run may ask to write.',
  },
  'code.fileBytes': {
    type: 'integer',
    default: 64 * MB,
    min: 1024,
    max: 1024 * 1024 * MB,
    unit: 'bytes',
    text: 'Largest file that a session takes or gives back.',
  },
  'code.sessionFiles': { type: 'integer', default: 50, min: 1, max: 10_000, unit: 'count', text: 'Files in one session.' },
  'code.sessionBytes': {
    type: 'integer',
    default: 1024 * MB,
    min: 1024 * 1024,
    max: 1024 * 1024 * MB,
    unit: 'bytes',
    text: 'Most that the files of one session may take on the disk, beside its kept variables: at that, nothing more is written or taken.',
  },
  'code.producedFiles': { type: 'integer', default: 10, min: 0, max: 10_000, unit: 'count', text: 'Files that one run may give back.' },
  'code.sessions': { type: 'integer', default: 1000, min: 1, max: 100_000, unit: 'count', text: 'Sessions that are kept.' },
  'code.sessionMs': {
    type: 'integer',
    default: 24 * 60 * 60 * 1000,
    min: 1000,
    max: 365 * 86_400_000,
    unit: 'ms',
    text: 'How long a session is kept after its last use.',
  },
  'code.stateBytes': {
    type: 'integer',
    default: 50 * MB,
    min: 1024,
    max: 1024 * MB,
    unit: 'bytes',
    text: 'Most that the kept variables of a session may take.',
  },
  'code.cacheBytes': {
    type: 'integer',
    default: 512 * MB,
    min: 0,
    max: 1024 * 1024 * MB,
    unit: 'bytes',
    text: 'What was compiled is kept, up to so much, and not compiled again for the same caller; 0: each run compiles.',
  },
  'code.warm': {
    type: 'integer',
    default: 2,
    min: 0,
    max: 100,
    unit: 'count',
    text: 'Interpreters of Node, and twice as many of Python, that wait for the next run, each in its sandbox and for one run alone, while runs come; 0: none.',
  },
  'code.live': {
    type: 'integer',
    default: 20,
    min: 1,
    max: 1000,
    unit: 'count',
    text: 'Interpreters that live on with their variables in sessions; one more ends the one that was used longest ago.',
  },
  'code.compilerSeed': {
    type: 'switch',
    default: true,
    text: 'Compilers of Java and Go are given what they can keep of an earlier compilation, made once of our own programs; off: they begin anew each time.',
  },
  'code.transform': {
    type: 'switch',
    default: true,
    text: 'TypeScript of code runs is made JavaScript by the sidecar; off: by the Node that runs it.',
  },
  'odoo.command': { type: 'text', default: 'odoo', text: 'The program of the profiles `odoo` and `odoo-install`.' },
  'odoo.config': { type: 'text', default: '/etc/odoo/odoo.conf', text: 'What odoo is given as its `-c`.' },
  'odoo.timeoutMs': {
    type: 'integer',
    default: 60_000,
    min: 100,
    max: 86_400_000,
    unit: 'ms',
    text: 'Longest an update or installation of a module may take.',
  },
  'odoo.host': { type: 'text', default: 'local', text: 'Where odoo runs: `local`, or the name of an exec agent (`processes.agents`).' },
  'odoo.rollback': {
    type: 'switch',
    default: false,
    text: 'A deployment that fails is followed by one of what was deployed last with success: the files become what they were then.',
  },

  'link.config': {
    type: 'text',
    default: undefined,
    text: 'The config file of a link to a hub (docs/link.md), e.g. `config.json`: the hub then finds this sidecar, gives it tasks, and calls what the file allows.',
  },

  'log.level': {
    type: 'choice',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    text: 'What is logged, to stderr.',
  },
  'log.names': {
    type: 'choice',
    default: 'outrigger',
    choices: ['outrigger', 'platxa'],
    text: 'Field names of log lines; `platxa` as that platform collects them.',
  },

  'limits.inputBytes': {
    type: 'integer',
    default: 16 * MB,
    min: 1024,
    max: 1024 * MB,
    unit: 'bytes',
    text: 'Longest JSON body of one call.',
  },
  'limits.outputBytes': {
    type: 'integer',
    default: 16 * MB,
    min: 1024,
    max: 1024 * MB,
    unit: 'bytes',
    text: 'Longest JSON answer of one call, or one streamed item.',
  },
  'limits.uploadBytes': {
    type: 'integer',
    default: 10 * 1024 * MB,
    min: 1024,
    max: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
    text: 'Longest upload of one file.',
  },
  'limits.callsPerCaller': { type: 'integer', default: 256, min: 1, max: 100_000, unit: 'count', text: 'Calls in flight of one token.' },
  'limits.connections': { type: 'integer', default: 10_000, min: 1, max: 1_000_000, unit: 'count', text: 'Sockets open at once.' },
  'limits.frameBytes': {
    type: 'integer',
    default: MB,
    min: 1024,
    max: 64 * MB,
    unit: 'bytes',
    text: 'Longest message of an RPC or JSON socket.',
  },
  'limits.documentFrameBytes': {
    type: 'integer',
    default: 32 * MB,
    min: MB,
    max: 256 * MB,
    unit: 'bytes',
    text: 'Longest message of a document socket.',
  },
  'limits.jsonMessagesPerS': {
    type: 'integer',
    default: 100,
    min: 1,
    max: 100_000,
    unit: 'count',
    text: 'Messages a second of one JSON socket of the Platxa shapes.',
  },
  'limits.requestsPerMinute': {
    type: 'integer',
    default: 12_000,
    min: 1,
    max: 10_000_000,
    unit: 'count',
    text: 'HTTP requests a minute from one address.',
  },
  'limits.heartbeatMs': {
    type: 'integer',
    default: 30_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    text: 'How often sockets are asked for a sign of life; one that gave none for twice as long is cut.',
  },
  stopGraceMs: {
    type: 'integer',
    default: 10_000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    text: 'How long calls in flight may take after SIGTERM before they are ended. Keep it below the pod’s grace period.',
  },
} as const satisfies Record<string, OptionRow>;

export type OptionKey = keyof typeof options;

type ValueOf<Row extends OptionRow> = Row['type'] extends 'integer'
  ? number
  : Row['type'] extends 'switch'
    ? boolean
    : Row['type'] extends 'list'
      ? readonly string[]
      : Row['type'] extends 'object'
        ? Readonly<Record<string, unknown>>
        : Row extends { choices: readonly (infer Choice)[] }
          ? Choice
          : string;

/** Every option with its value; those without a default may be missing. */
export type Config = {
  readonly [Key in OptionKey]: (typeof options)[Key]['default'] extends undefined
    ? ValueOf<(typeof options)[Key]> | undefined
    : ValueOf<(typeof options)[Key]>;
};

export const optionKeys = Object.keys(options) as OptionKey[];

export function optionRow(key: OptionKey): OptionRow {
  return options[key];
}

/** `documents.maxBytes` → `OUTRIGGER_DOCUMENTS_MAX_BYTES`. */
export function envName(key: OptionKey): string {
  return `OUTRIGGER_${kebab(key).replaceAll('-', '_').toUpperCase()}`;
}

/** `documents.maxBytes` → `documents-max-bytes`. */
export function flagName(key: OptionKey): string {
  return kebab(key);
}

function kebab(key: string): string {
  return key.replaceAll('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
