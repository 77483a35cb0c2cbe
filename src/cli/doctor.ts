import path from 'node:path';
import type { Client } from '../client/client.ts';
import { type LoadedConfig, processEnvironment } from '../config/load.ts';
import type { Output } from '../contract/operation.ts';
import type { Operations } from '../contract/operations.ts';
import { Processes } from '../services/processes/processes.ts';
import { examine } from '../sidecar/doctor.ts';
import { connectTo, explained, findSidecar, type FoundSidecar, withToken } from './connect.ts';
import { exitCodes } from './exit-codes.ts';
import { columns, type Terminal } from './terminal.ts';

/** Prints what this machine has, and how the sidecar of the folder is when one runs. Exit code 1 when something is lost. */
export async function runDoctor(loaded: LoadedConfig, terminal: Terminal, json: boolean): Promise<number> {
  const { config, surroundings } = loaded;
  const root = path.resolve(config.root);
  const tools = await examine(new Processes({ env: processEnvironment() }), root);
  const found = findSidecar(root, surroundings, config.state);
  const { health, isolation, why } = found === undefined ? {} : await ask(found, root, loaded);
  const lost = tools.filter((tool) => !tool.found);
  if (json) terminal.out(`${JSON.stringify({ node: process.version, tools, sidecar: health ?? null, isolation: isolation ?? null })}\n`);
  else {
    terminal.out(
      columns([
        ['node', process.version, ''],
        ...tools.map((tool) => [
          tool.tool,
          tool.found ? (tool.version ?? 'found') : 'missing',
          tool.found ? tool.source : `lost: ${tool.lost}; ${tool.install}`,
        ]),
      ]),
    );
    if (found === undefined) terminal.out(`\nNo sidecar runs on ${root}.\n`);
    else if (health === undefined) terminal.out(`\nThe sidecar on ${root} can't be asked. ${why}\n`);
    else
      terminal.out(
        `\nSidecar on ${root}: ${health.status}\n${columns(health.checks.map((check) => [check.ok ? 'ok' : '!!', check.name, check.text + (check.hint === undefined ? '' : ` (${check.hint})`)]))}`,
      );
    if (isolation !== undefined) {
      const { rung, name } = isolation.isolation;
      const rows = isolation.evidence.map(({ protection, held, by, tried }) => [held ? 'ok' : '!!', protection, `${by}: ${tried}`]);
      terminal.out(`\nCode runs: isolation ${name} (rung ${rung})\n${columns(rows)}`);
    }
  }
  return lost.length === 0 && health?.status !== 'degraded' ? exitCodes.ok : exitCodes.failure;
}

interface Answers {
  health?: Output<Operations['system.health']>;
  isolation?: Output<Operations['code.isolation']> | undefined;
  /** Why there is no health. */
  why?: string;
}

async function ask(found: FoundSidecar, root: string, loaded: LoadedConfig): Promise<Answers> {
  let client: Client<Operations> | undefined;
  try {
    client = connectTo(withToken(found, root, loaded));
    const health = await client.call('system.health', {});
    // The part may be off.
    return { health, isolation: await client.call('code.isolation', {}).catch(() => undefined) };
  } catch (error) {
    const { message, hint = '' } = explained(error, { url: found.url, isGiven: false, root, loaded }) as Error & { hint?: string };
    return { why: `${message} ${hint}`.trimEnd() };
  } finally {
    client?.close();
  }
}
