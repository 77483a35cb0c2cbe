import type { LoadedConfig } from '../config/load.ts';
import type { AccessLevel, Caller } from '../contract/access.ts';
import { createLog } from '../sidecar/log.ts';
import { startSidecar } from '../sidecar/sidecar.ts';
import { version } from '../sidecar/version.ts';
import { serveMcpStdio } from '../transports/mcp/stdio.ts';
import { reserveStdout, watchParent } from './stdio.ts';
import type { Terminal } from './terminal.ts';

const signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];
const parentPollMs = 2000;

/** Serves a folder to an MCP client over stdin and stdout until the input ends, a signal comes, or the parent is gone. */
export async function serveMcpFolder(loaded: LoadedConfig, terminal: Terminal, access: AccessLevel): Promise<void> {
  const { config, sources, surroundings } = loaded;
  const reserved = reserveStdout(process.stdout, process.stderr);
  const log = createLog(config, (line) => terminal.err(line));
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of signals) process.on(signal, onSignal);
  const unwatch = watchParent(() => process.ppid, onSignal, parentPollMs);
  // No page, and no shared documents: nobody could reach them.
  const components =
    sources.components.from === 'default'
      ? config.components.filter((name) => name !== 'workbench' && name !== 'documents')
      : config.components;
  try {
    const sidecar = await startSidecar({ config: { ...config, components }, surroundings, log, headless: true });
    try {
      const caller: Caller = { id: 'mcp-host', name: 'host', kind: 'agent', access };
      const { dispatch, table, offers } = sidecar;
      const connection = serveMcpStdio(
        { dispatch, table, offers, caller, input: process.stdin, output: reserved.output },
        { version, maxMessageBytes: config['limits.frameBytes'] },
      );
      const onStop = (): void => void connection.close();
      if (stop.signal.aborted) onStop();
      else stop.signal.addEventListener('abort', onStop, { once: true });
      await connection.closed;
    } finally {
      await sidecar.stop();
    }
  } finally {
    unwatch();
    for (const signal of signals) process.off(signal, onSignal);
    process.stdin.destroy();
    reserved.release();
  }
}
