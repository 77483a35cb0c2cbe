import path from 'node:path';
import { type LoadedConfig, processEnvironment } from '../config/load.ts';
import { Processes } from '../services/processes/processes.ts';
import { examine } from '../sidecar/doctor.ts';
import { connectTo, findSidecar } from './connect.ts';
import { exitCodes } from './exit-codes.ts';
import { columns, type Terminal } from './terminal.ts';

/** Prints what this machine has, and how the sidecar of the folder is when one runs. Exit code 1 when something is lost. */
export async function runDoctor({ config, surroundings }: LoadedConfig, terminal: Terminal, json: boolean): Promise<number> {
  const root = path.resolve(config.root);
  const tools = await examine(new Processes({ env: processEnvironment() }), root);
  const target = findSidecar(root, surroundings, config.state);
  const client = target === undefined ? undefined : connectTo(target);
  const health = await client?.call('system.health', {}).catch(() => undefined);
  const isolation = await client?.call('code.isolation', {}).catch(() => undefined);
  client?.close();
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
    if (health === undefined) terminal.out(`\nNo sidecar runs on ${root}.\n`);
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
