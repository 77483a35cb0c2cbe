import type { LoadedConfig } from '../config/load.ts';
import { type LinkConfig, loadLinkConfig } from '../config/link-config.ts';
import type { OptionKey } from '../config/options.ts';
import { RotatingFile } from '../services/state/rotating-file.ts';
import { posixWords } from '../services/tasks/posix-words.ts';
import { createLog } from '../sidecar/log.ts';
import { agentLog } from '../sidecar/plug-link.ts';
import { startWithOperations } from '../sidecar/operation-modules.ts';
import type { Sidecar } from '../sidecar/sidecar.ts';
import { UnavailableError } from '../sidecar/unavailable.ts';
import type { LinkStatus } from '../transports/hub-link/link.ts';
import { exitCodes } from './exit-codes.ts';
import { checkHub } from './link-check.ts';
import type { Terminal } from './terminal.ts';

const signals: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  ...(process.platform === 'win32' ? (['SIGBREAK'] as const) : []),
];
const LOG_FILE_BYTES = 10 * 1024 * 1024;
const LOG_FILES_KEPT = 5;

type Flags = Partial<Record<OptionKey, string>>;

/**
 * Serves the folder that the config file names, on loopback alone, to the hub that it names, until a signal says stop, the hub wants us
 * started anew, or it refuses our token. Gives the exit code: 78 where it refuses us for good. `configOf` gives the options of a sidecar over a
 * folder, the flags of the command line before the ones that are given. Throws LinkConfigError where the file is broken.
 */
export async function runLink(file: string, configOf: (root: string, more: Flags) => LoadedConfig, terminal: Terminal): Promise<number> {
  const link = loadLinkConfig(file, posixWords);
  const { config, surroundings } = configOf(link.root, {
    host: '127.0.0.1',
    port: '0',
    'link.config': link.file,
    'log.level': link.logLevel,
  });
  const logFile = openLogFile(link, terminal);
  const write = createLog(config, (line) => {
    logFile?.write(line);
    return terminal.log(line);
  });
  // Here all lines are of one agent, also those of the sidecar that serves it.
  const log = agentLog(write, link.agentId);
  const over = Promise.withResolvers<number>();
  let stopAsked = false;
  const stop = (): void => {
    stopAsked = true;
    over.resolve(exitCodes.ok);
  };
  for (const signal of signals) process.on(signal, stop);
  let sidecar: Sidecar | undefined;
  try {
    ({ sidecar } = await startWithOperations({ config, surroundings, log }));
    sidecar.ready.catch(over.reject);
    if (!stopAsked) {
      if (sidecar.link === undefined)
        throw new UnavailableError(`${link.root} is read-only or served by another sidecar, so no task can be done there. Stop that one.`);
      const look = (status: LinkStatus): void => {
        if (status.state === 'refused') over.resolve(exitCodes.config);
      };
      sidecar.link.onStatus(look);
      look(sidecar.link.status());
      // Whatever keeps this program running starts it again.
      sidecar.link.onRestart(stop);
      printBanner(link, sidecar, terminal);
    }
    return await over.promise;
  } finally {
    try {
      await sidecar?.stop();
      logFile?.close();
    } finally {
      // Not before: a second signal would end the program amid the stop.
      for (const signal of signals) process.off(signal, stop);
    }
  }
}

/** Tries each step to the hub and changes nothing here. Gives the exit code: 69 where it can't be reached, else as `runLink`. */
export async function checkLink(file: string, terminal: Terminal): Promise<number> {
  return await checkHub(loadLinkConfig(file, posixWords), terminal);
}

function openLogFile({ logFile: file }: LinkConfig, terminal: Terminal): RotatingFile | undefined {
  if (file === undefined) return undefined;
  return new RotatingFile({
    file,
    maxBytes: LOG_FILE_BYTES,
    keep: LOG_FILES_KEPT,
    onProblem: (error) => terminal.err(`outrigger: log_file ${file} can't be written: ${error.message}\n`),
  });
}

function printBanner({ agentId, url, root }: LinkConfig, sidecar: Sidecar, terminal: Terminal): void {
  if (!terminal.interactive) return;
  terminal.err(`\n  ${terminal.bold('Outrigger')} links ${root} as ${agentId} to ${url}\n  Local    ${sidecar.url}      Stop   Ctrl-C\n\n`);
}
