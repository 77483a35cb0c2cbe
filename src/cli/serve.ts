import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { type LoadedConfig, processEnvironment } from '../config/load.ts';
import { isLoopback } from '../core/loopback.ts';
import { createLog } from '../sidecar/log.ts';
import { howToBuild, nativeProgram } from '../services/processes/native-program.ts';
import { giveBackWhenIdle } from '../services/watch/give-back.ts';
import type { Sample } from './sample.ts';
import { startWithOperations } from '../sidecar/operation-modules.ts';
import type { Sidecar } from '../sidecar/sidecar.ts';
import { workbenchFolder } from '../sidecar/workbench-folder.ts';
import type { Terminal } from './terminal.ts';

const signals: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  ...(process.platform === 'win32' ? (['SIGBREAK'] as const) : []),
];

/** Serves until a signal, or the end of the launcher, says stop. */
export async function serveFolder(loaded: LoadedConfig, terminal: Terminal, sample?: Sample): Promise<void> {
  const { config, sources, surroundings } = loaded;
  const startedAt = performance.now();
  // A person reads the lines below, not JSON; with a level asked for, or without a terminal, the log is there.
  const quiet = terminal.interactive && sources['log.level'].from === 'default';
  const log = createLog(quiet ? { ...config, 'log.level': 'warn' } : config, (line) => terminal.log(line));

  let sidecar: Sidecar | undefined;
  let endGivingBack: (() => void) | undefined;
  let stopAsked = false;
  const stopped = Promise.withResolvers<void>();
  // May come several times: a terminal sends Ctrl-C to the whole group, and the launcher passes it on as well.
  const stop = (): void => {
    stopAsked = true;
    if (sidecar === undefined) return;
    sidecar.stop().then(stopped.resolve, stopped.reject);
  };
  for (const signal of signals) process.on(signal, stop);
  if (process.connected === true) {
    process.once('disconnect', stop);
    process.channel?.unref();
  }
  try {
    ({ sidecar } = await startWithOperations({
      config,
      surroundings,
      log,
      workbench: workbenchFolder(),
      anyPort: sources.port.from === 'default',
    }));
    if (stopAsked) stop();
    else {
      printBanner(sidecar, loaded, terminal, performance.now() - startedAt, sample !== undefined);
      sidecar.ready.catch(stopped.reject);
    }
    endGivingBack = giveBackWhenIdle();
    await stopped.promise;
  } finally {
    endGivingBack?.();
    try {
      await sidecar?.stop();
      sample?.remove();
    } finally {
      for (const signal of signals) process.off(signal, stop);
      process.off('disconnect', stop);
    }
  }
}

function printBanner(sidecar: Sidecar, { config, sources }: LoadedConfig, terminal: Terminal, ms: number, sample: boolean): void {
  const command = processEnvironment()['npm_lifecycle_event'] === 'start' ? 'npm start --' : 'outrigger serve';
  const root = path.resolve(config.root);
  const where = sample ? `a scratch copy of the sample project (${root})` : root;
  const lines = [
    '',
    `  ${terminal.bold('Outrigger')} serves ${where}`,
    `  ready in ${Math.round(ms)} ms`,
    '',
    sidecar.tokenWasGiven
      ? `  ${terminal.bold('Open')}     ${sidecar.url}   with the token that you set`
      : `  ${terminal.bold('Open')}     ${sidecar.url}/?token=${sidecar.token}`,
    ...(sidecar.socketUrl === undefined ? [] : [`  Sockets  ${sidecar.socketUrl}`]),
    ...(sidecar.runnerUrl === undefined ? [] : [`  Runner   ${sidecar.runnerUrl}`]),
    ...(sidecar.e2bUrl === undefined ? [] : [`  E2B      ${sidecar.e2bUrl}`]),
    `  API      ${sidecar.url}/openapi.json   (Authorization: Bearer <token>)`,
    `  Another folder   ${command} /path      Stop   Ctrl-C`,
    '',
  ];
  if (sidecar.readOnly !== undefined) lines.push(`  ${terminal.bold('Read-only')}  Nobody can write here: ${sidecar.readOnly}`, '');
  else if (!mayWrite(root))
    lines.push(
      `  ${terminal.bold('Warning')}  ${root} can't be written by the user who runs this: nothing that is edited here can be saved.`,
      '',
    );
  const asked = sources.port.from === 'default' ? config.port : undefined;
  if (asked !== undefined && !sidecar.url.endsWith(`:${asked}`)) lines.splice(3, 0, `  port ${asked} is taken, so another one was chosen`);
  if (!isLoopback(config.host) && config.tls === 'none') {
    lines.push(`  ${terminal.bold('Warning')}  ${config.host} is reachable from the network over plain HTTP: the token travels in clear.`);
    lines.push('           Put TLS before it and set --tls terminated.', '');
  }
  if (sidecar.readOnly === undefined && config.components.includes('code') && config['code.isolation'] !== 'none') {
    if (nativeProgram('outrigger-launcher') === undefined)
      lines.push(`  ${terminal.bold('Warning')}  nothing holds the code that runs here: there is no launcher, ${howToBuild()}.`, '');
  }
  for (const [anonymous, where] of [
    [config['anonymous.platxa'], 'the Platxa shapes'],
    [sidecar.runnerUrl === undefined ? 'none' : config['anonymous.runner'], 'the runner API'],
    [sidecar.e2bUrl === undefined ? 'none' : config['anonymous.e2b'], 'the wire of E2B'],
  ]) {
    if (anonymous === 'none') continue;
    lines.push(
      `  ${terminal.bold('Warning')}  callers without a token have ${anonymous} access through ${where}${isLoopback(config.host) ? '' : ', from the network too'}.`,
      '',
    );
  }
  terminal.err(`${lines.join('\n')}\n`);
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
