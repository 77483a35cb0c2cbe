// A sidecar for tests that kill it: says `ready URL` on stdout, stops on SIGTERM and when its parent is gone.
import { loadConfig } from '../../src/config/load.ts';
import { createLog } from '../../src/sidecar/log.ts';
import { type Faults, startSidecar } from '../../src/sidecar/sidecar.ts';
import { serveUntilEnded } from './serve-until.ts';

const { root, state, port, flags, faults } = JSON.parse(process.argv[2] ?? '{}') as {
  root: string;
  state: string;
  port: number;
  flags?: Record<string, string>;
  faults?: Faults;
};
const { config, surroundings } = loadConfig({
  env: { OUTRIGGER_TOKEN: process.env['OUTRIGGER_TOKEN'] },
  flags: { root, state, port: String(port), ...flags },
});
const sidecar = await startSidecar({
  config,
  surroundings,
  log: createLog(config, (line) => void process.stderr.write(line)),
  ...(faults === undefined ? {} : { faults }),
});
await serveUntilEnded(sidecar);
