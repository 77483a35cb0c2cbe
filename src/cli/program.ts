import fs from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { LinkConfigError } from '../config/link-config.ts';
import { ConfigError, didYouMean, loadConfig, type LoadedConfig, processEnvironment, readSurroundings } from '../config/load.ts';
import { type OptionKey, optionKeys } from '../config/options.ts';
import type { AccessLevel } from '../contract/access.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { SidecarDependencies } from '../sidecar/sidecar.ts';
import { UnavailableError } from '../sidecar/unavailable.ts';
import { version } from '../sidecar/version.ts';
import { exitCodeOf, UsageError } from './command-error.ts';
import { exitCodes } from './exit-codes.ts';
import { folderProblem, requireFolder } from './local-paths.ts';
import { makeOptions, withOptions } from './option-flags.ts';
import type { HeadlessSidecar } from './stdio.ts';
import { leaveUnread, processTerminal, type Terminal } from './terminal.ts';

type Flags = Partial<Record<OptionKey, string | boolean>>;

const dirText =
  'the folder whose sidecar is meant; else the nearest that is served, from the current one upwards. Paths are relative to that folder';

/** The command line. Sets the exit code; never calls exit while somebody may still read what is written. */
export async function main(argv: readonly string[]): Promise<void> {
  const terminal = processTerminal(readSurroundings(processEnvironment()).noColor);
  try {
    const root = program(terminal);
    const words = helpSpelledOut(argv, root);
    checkCommand(
      words,
      root.commands.map((command) => command.name()),
    );
    await root.parseAsync([...words], { from: 'user' });
  } catch (error) {
    process.exitCode = report(error, terminal);
  }
  leaveUnread();
}

/** `help a b` and `a help b` are `a b --help`. Throws UsageError where there is no such command. */
function helpSpelledOut(argv: readonly string[], root: Command): readonly string[] {
  const [first = '', second = ''] = argv;
  const isGroup = root.commands.some((command) => command.name() === first && command.commands.length > 0);
  if (first !== 'help' && !(isGroup && second === 'help')) return argv;
  const words = argv.filter((word) => !['help', '-h', '--help'].includes(word));
  let at = root;
  for (const [depth, word] of words.entries()) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) throw noCommand(words.slice(0, depth), word, at);
    at = next;
  }
  return [...words, '--help'];
}

function noCommand(before: readonly string[], word: string, at: Command): UsageError {
  const names = at.commands.map((command) => command.name());
  const instead =
    didYouMean(word, names) ||
    ` \`${['outrigger', ...before, '--help'].join(' ')}\` lists ${before.length === 0 ? 'the commands' : 'them'}.`;
  return new UsageError(`${[...before, word].join(' ')} is no command.${instead}`);
}

/** What is no command is a folder to serve: only one that is there, or that is written as a path, can be meant. Throws UsageError. */
function checkCommand([word = '']: readonly string[], commands: readonly string[]): void {
  if (word === '' || word === 'help' || word.startsWith('-') || commands.includes(word)) return;
  if (/[./\\]/.test(word) || fs.existsSync(word)) return;
  throw new UsageError(
    `${word} is neither a command nor a folder.${didYouMean(word, commands) || ' `outrigger --help` lists the commands.'}`,
  );
}

function report(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof ConfigError) {
    for (const problem of error.problems) terminal.err(`outrigger: ${problem}\n`);
    terminal.err('`outrigger config` shows every option, its value and where that came from.\n');
    return exitCodes.config;
  }
  if (error instanceof LinkConfigError) {
    for (const problem of error.problems) terminal.err(`outrigger: ${problem}\n`);
    return exitCodes.failure;
  }
  if (error instanceof UnavailableError) {
    terminal.err(`outrigger: ${error.message}\n`);
    return exitCodes.unavailable;
  }
  if (error instanceof OutriggerError) {
    terminal.err(`outrigger: ${error.message}\n${error.hint === '' ? '' : `${terminal.dim(error.hint)}\n`}`);
    return exitCodeOf(error);
  }
  terminal.err(`outrigger: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return exitCodes.failure;
}

function program(terminal: Terminal): Command {
  const root = new Command('outrigger')
    .description('One process beside one folder that makes it live: watched, served, edited together, versioned.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      getOutHelpWidth: () => terminal.width,
      getErrHelpWidth: () => terminal.width,
      outputError: withoutToken('OUTRIGGER_TOKEN or --token-file'),
    })
    .showHelpAfterError('(--help says more)')
    .addHelpText('after', '\nWithout a command, a folder is served: the one that is named, else $WORKSPACE_PATH, else the current one.')
    .enablePositionalOptions()
    .hook('preSubcommand', (_root, command) => makeOptions(command));

  const serve = withOptions(
    root
      .command('serve', { isDefault: true })
      .description('Serve a folder.')
      .argument('[folder]', 'the folder; else $WORKSPACE_PATH, else the current one'),
  );
  serve.action(async (folder: string | undefined) => {
    const { serveFolder } = await import('./serve.ts');
    await serveFolder(servable(configOf(serve, folder)), terminal);
  });

  const start = withOptions(
    root.command('start').description('Serve a folder, or a scratch copy of the sample project.').argument('[folder]'),
  );
  start.action(async (folder: string | undefined) => {
    const { serveFolder } = await import('./serve.ts');
    const given = folder ?? processEnvironment()['WORKSPACE_PATH'];
    if (given !== undefined && given !== '') return serveFolder(servable(configOf(start, given)), terminal);
    // What is wrong with an option is told before there is a copy that nobody would remove.
    configOf(start, undefined);
    const { copySample } = await import('./sample.ts');
    const sample = await copySample();
    return serveFolder(configOf(start, sample.folder, { state: sample.state }), terminal, sample);
  });

  const config = withOptions(
    root.command('config').description('Each option, its value and where that came from.').argument('[folder]').option('--json', 'as JSON'),
  );
  config.action(async (folder: string | undefined) => {
    const { explainConfig } = await import('../config/explain.ts');
    const { columns } = await import('./terminal.ts');
    const loaded = configOf(config, folder);
    const rows = explainConfig(loaded);
    if (config.opts()['json'] === true) terminal.out(`${JSON.stringify(rows, null, 2)}\n`);
    else terminal.out(columns(rows.map((row) => [row.key, JSON.stringify(row.value), terminal.dim(row.source)])));
    const problem = folderProblem(loaded.config.root);
    if (problem !== undefined) terminal.err(`outrigger: ${problem}\n`);
  });

  const doctor = withOptions(
    root
      .command('doctor')
      .description('Tools found, bundled or missing, what is lost, and how to install them.')
      .argument('[folder]')
      .option('--json', 'as JSON'),
  );
  doctor.action(async (folder: string | undefined) => {
    const { runDoctor } = await import('./doctor.ts');
    process.exitCode = await runDoctor(servable(configOf(doctor, folder)), terminal, doctor.opts()['json'] === true);
  });

  const languages = root
    .command('languages')
    .description('The languages that code can be run in, and how to install what is missing.')
    .option('--count', 'how many there are')
    .option('--json', 'as JSON');
  languages.action(async (form: { count?: boolean; json?: boolean }) => {
    const { showLanguages } = await import('./languages.ts');
    showLanguages(form, terminal);
  });

  const stdio = withOptions(
    root
      .command('stdio')
      .description('Serve a folder to the program that started this one, over stdin and stdout, for reading alone.')
      .argument('[folder]')
      .option('--root <folder>', 'the folder, too'),
  );
  stdio.action(async (folder: string | undefined) => {
    const root = stdio.opts()['root'] as string | undefined;
    if (folder !== undefined && root !== undefined) throw new UsageError('Name the folder once: as an argument, or with --root.');
    const loaded = servable(configOf(stdio, folder ?? root));
    // First of all: under the guard this program starts again, with the same descriptors.
    const { underGuard } = await import('./guard.ts');
    const guard = await underGuard({ loaded, env: processEnvironment() });
    const { serveStdioFolder } = await import('./stdio.ts');
    const { startWithOperations } = await import('../sidecar/operation-modules.ts');
    const start = async (dependencies: SidecarDependencies): Promise<HeadlessSidecar> =>
      (await startWithOperations({ ...dependencies, headless: true, passive: true })).sidecar;
    await serveStdioFolder(loaded, terminal, start, guard);
  });

  const mcp = withOptions(
    root
      .command('mcp')
      .description('Serve a folder to a client of the Model Context Protocol, over stdin and stdout.')
      .argument('[folder]')
      .addOption(
        new Option('--access <level>', 'the most that the client may do').choices(['read', 'write', 'execute']).default('execute'),
      ),
  );
  mcp.action(async (folder: string | undefined) => {
    const { serveMcpFolder } = await import('./mcp.ts');
    await serveMcpFolder(servable(configOf(mcp, folder)), terminal, mcp.opts()['access'] as AccessLevel);
  });

  addHubCommands(root, terminal);

  const link = withOptions(
    root
      .command('link')
      .description('Serve a folder to a hub: dial it, take its tasks, and bring results back.')
      .argument('[config]', 'the config file of the link, or its folder', 'config.json')
      .option('--check', 'only try whether the hub takes us, and say each step')
      .option('--enrol <token>', 'with --hub: make this machine an agent first, and write the config file')
      .option('--hub <url>', 'with --enrol: the address of the hub')
      .option('--agent <id>', 'with --enrol: the id of the agent; by default the name of this machine'),
    { port: { text: 'Main port; 0 takes any free one.', default: '0' } },
  );
  link.action(async (file: string) => {
    const { enrol, hub, agent } = link.opts<{ enrol?: string; hub?: string; agent?: string }>();
    if (enrol !== undefined || hub !== undefined) {
      if (enrol === undefined || hub === undefined) throw new UsageError('--enrol and --hub need each other.');
      const { enrolLink } = await import('./link-enrol.ts');
      await enrolLink(file, { enrol, hub, ...(agent === undefined ? {} : { agent }) }, terminal);
    } else if (agent !== undefined) throw new UsageError('--agent is for a new agent, which needs --enrol.');
    const { checkLink, runLink } = await import('./link.ts');
    process.exitCode =
      link.opts()['check'] === true
        ? await checkLink(file, terminal)
        : await runLink(file, (root, more) => configOf(link, root, more), terminal);
  });

  const init = root
    .command('init')
    .description('Write a project around a sidecar that builds and runs.')
    .argument('<folder>')
    .option('--force', 'also where files stand already');
  init.action(async (folder: string) => {
    const { writeProject } = await import('./init.ts');
    writeProject(folder, init.opts()['force'] === true, terminal);
  });
  const initLink = init
    .command('link')
    .description('Write a folder for a link to a hub: an example of its config, and what starts it for good.')
    .argument('<folder>')
    .option('--force', 'also where files stand already');
  initLink.action(async (folder: string) => {
    const { writeLinkFolder } = await import('./init.ts');
    writeLinkFolder(folder, initLink.opts()['force'] === true, terminal);
  });

  const token = remote(
    root.command('token').description('Print the token of a folder, make a new one, or make and end scoped ones.').argument('[folder]'),
  )
    .option('--dir <folder>', 'the folder, too')
    .option('--rotate', 'replace it; everybody who used the old one is cut')
    .option('--create <name>', 'make a token of its own, with --access, --paths, --expires')
    .addOption(new Option('--access <level>', 'of the new token; read when left out').choices(['read', 'write', 'execute', 'admin']))
    .option('--paths <paths>', 'limit it to these, comma-separated')
    .addOption(new Option('--expires <seconds>', 'let it end by itself').argParser(seconds))
    .option('--list', 'show the tokens that were made')
    .option('--revoke <id>', 'end one at once');
  token.action(async (folder: string | undefined) => {
    const { runToken } = await import('./remote.ts');
    await runToken(folder, token.opts(), terminal);
  });

  const call = remote(
    root
      .command('call')
      .description('Call an operation of a running sidecar.')
      .argument('[operation]', 'its name; --list prints all')
      .argument('[input]', 'JSON; "-" reads it from stdin', '{}'),
  )
    .option('--list', 'print all operations, with the access that each needs')
    .option('--json', 'print the answer as one line of JSON')
    .option('--dir <folder>', dirText)
    .option('--via <hub>', 'over this hub; its token comes from $OUTRIGGER_HUB_TOKEN')
    .option('--agent <id>', 'with --via: the agent that is meant');
  call.action(async (operation: string | undefined, input: string) => {
    const { listOperations, runCall } = await import('./remote.ts');
    if (call.opts()['list'] === true) return listOperations(call.opts(), terminal);
    if (operation === undefined) throw new UsageError('Which operation? `outrigger call --list` prints all.');
    await runCall(operation, input, call.opts(), terminal);
  });

  const short = (name: string, text: string, args: string): Command =>
    remote(root.command(`${name} ${args}`).description(text))
      .option('--dir <folder>', dirText)
      .option('--json', 'as JSON lines');
  const ls = short('ls', 'List a folder of the workspace.', '[path]').option('-R, --recursive', 'all below it, too');
  ls.action(async (wirePath: string | undefined) => (await import('./remote.ts')).runList(wirePath ?? '', ls.opts(), terminal));
  const cat = short('cat', 'Print a file of the workspace, unsaved edits included.', '<path>');
  cat.action(async (wirePath: string) => (await import('./remote.ts')).runCat(wirePath, cat.opts(), terminal));
  const put = short('put', 'Write stdin, or a local file, to a file of the workspace.', '<path> [file]').option(
    '--if-match <etag>',
    'only if the file has this ETag',
  );
  put.action(async (wirePath: string, file: string | undefined) =>
    (await import('./remote.ts')).runPut(wirePath, file, put.opts(), terminal),
  );
  const watch = short('watch', 'Print changes as they happen.', '').option('--cursor <cursor>', 'begin after this');
  watch.action(async () => (await import('./remote.ts')).runWatch(watch.opts(), terminal));
  return root;
}

/** The hub, and what is asked of it. */
function addHubCommands(root: Command, terminal: Terminal): void {
  const hub = root
    .command('hub')
    .description('Serve a hub: agents dial it, take tasks, and bring results back.')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port; 0 takes any free one', '4000')
    .option('--state <folder>', 'where tasks, agents and the token are kept')
    .option('--allowed-hosts <a,b>', 'names by which it is reached, beside its own')
    .option('--allowed-origins <a,b>', 'pages of other origins that may use it')
    .option('--heartbeat-ms <ms>', 'how often agents say that they are there; at least twice in a lease', '30000')
    .option('--lease-ms <ms>', 'how long a task stays with an agent that says nothing; 3000 at least', '60000')
    .option('--accept-ms <ms>', 'how long an agent may take to accept a task', '60000')
    .option('--keep-days <n>', 'how long tasks that succeeded or were cancelled are kept; 0: for ever', '30')
    .option('--keep-failed-days <n>', 'how long tasks that failed or are dead are kept; 0: for ever', '90')
    .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error']))
    .configureOutput({ outputError: withoutToken('OUTRIGGER_HUB_TOKEN') });
  hub.action(async () => {
    const [word] = hub.args;
    if (word !== undefined) throw noCommand(['hub'], word, hub);
    await (await import('./hub.ts')).serveHub(hub.opts(), terminal);
  });
  const asking = (name: string, text: string): Command =>
    hub
      .command(name)
      .description(text)
      .option('--url <url>', 'a hub elsewhere; its token comes from $OUTRIGGER_HUB_TOKEN')
      .option('--json', 'as one line of JSON');
  const flagsOf = <T extends object>(command: Command): T => ({
    ...(hub.opts()['state'] === undefined ? {} : { state: hub.opts()['state'] as string }),
    ...command.opts<T>(),
  });
  const enrol = asking('enrol [agent]', 'Print a token with which one agent can make itself known.').addOption(
    new Option('--expires <seconds>', 'how long it may be used').argParser(seconds),
  );
  enrol.action(async (agent: string | undefined) => (await import('./hub.ts')).enrolAgent(agent, flagsOf(enrol), terminal));
  const register = asking('register <agent>', 'Make an agent known and print its secret.');
  register.action(async (agent: string) => (await import('./hub.ts')).registerAgent(agent, flagsOf(register), terminal));
  const add = asking('add <description>', 'Queue a task and print its id.')
    .option('--agent <id>', 'for this agent alone')
    .option('--needs <a,b>', 'capabilities that an agent must have')
    .addOption(new Option('--priority <priority>').choices(['urgent', 'high', 'normal', 'low']))
    .option('--wait', 'stay until it is over');
  add.action(async (description: string) => (await import('./hub.ts')).addTask(description, flagsOf(add), terminal));
  const show = asking('show', 'Show agents and tasks.');
  show.action(async () => (await import('./hub.ts')).showFleet(flagsOf(show), terminal));
  // What is none of its commands reaches its own action, which tells what was meant. Commands that were made later would take more words, too.
  hub.allowExcessArguments();
}

function remote(command: Command): Command {
  return command
    .option('--url <url>', 'a sidecar elsewhere; its token comes from $OUTRIGGER_TOKEN or --token-file')
    .option('--token-file <file>', 'a file that holds the token')
    .option('--state <folder>', 'where the state of the folder lies, when it was moved')
    .exitOverride();
}

/** A secret is no option: every user of the machine can read the arguments of a program. */
function withoutToken(instead: string): (text: string, write: (text: string) => void) => void {
  return (text, write) =>
    write(
      /^error: unknown option '--token[='\s]/.test(text)
        ? `error: a token is no option, since every user of the machine can read the command line: set ${instead}\n`
        : text,
    );
}

function seconds(text: string): string {
  if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`--expires: ${JSON.stringify(text)} is no number of seconds.`);
  return text;
}

/** Throws UnavailableError where the folder is not there. */
function servable(loaded: LoadedConfig): LoadedConfig {
  requireFolder(loaded.config.root);
  return loaded;
}

function configOf(command: Command, folder: string | undefined, more: Flags = {}): LoadedConfig {
  const given = command.opts() as Flags & { config?: string };
  const flags: Flags = { ...more };
  for (const key of optionKeys) if (given[key] !== undefined) flags[key] = given[key];
  if (folder !== undefined) flags.root = folder;
  return loadConfig({ env: processEnvironment(), flags, file: given.config });
}
