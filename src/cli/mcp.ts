import type { LoadedConfig } from '../config/load.ts';
import type { AccessLevel, Caller } from '../contract/access.ts';
import { startWithOperations } from '../sidecar/operation-modules.ts';
import { version } from '../sidecar/version.ts';
import { serveMcpStdio } from '../transports/mcp/stdio.ts';
import { finished, overOwnStreams } from './stdio.ts';
import type { Terminal } from './terminal.ts';

/** Serves a folder to an MCP client over stdin and stdout until the input ends, a signal comes, or the parent is gone. */
export async function serveMcpFolder(loaded: LoadedConfig, terminal: Terminal, access: AccessLevel): Promise<void> {
  await overOwnStreams(loaded, terminal, async ({ config, log, input, output, stop }) => {
    const { sidecar } = await startWithOperations({ config, surroundings: loaded.surroundings, log, headless: true });
    try {
      const caller: Caller = { id: 'mcp-host', name: 'host', kind: 'agent', access };
      const { dispatch, table, offers } = sidecar;
      const connection = serveMcpStdio(
        { dispatch, table, offers, caller, input, output },
        {
          version,
          readOnly: sidecar.readOnly,
          maxMessageBytes: config['limits.inputBytes'],
          onError: (error) => log('warn', 'mcp.failed', { error }),
        },
      );
      const onStop = (): void => void connection.close();
      if (stop.aborted) onStop();
      else stop.addEventListener('abort', onStop, { once: true });
      await connection.closed;
      return await finished(output, stop);
    } finally {
      await sidecar.stop();
    }
  });
}
