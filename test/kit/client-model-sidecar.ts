// A sidecar for the model of the client, with its operations: as `serve-process.ts`.
import { loadConfig } from '../../src/config/load.ts';
import { createLog } from '../../src/sidecar/log.ts';
import { startWithOperations } from '../../src/sidecar/operation-modules.ts';
import { modelImplementations, modelTable } from './client-model-operations.ts';
import { serveUntilEnded } from './serve-until.ts';

const { root, state, port, flags } = JSON.parse(process.argv[2] ?? '{}') as {
  root: string;
  state: string;
  port: number;
  flags?: Record<string, string>;
};
const { config, surroundings } = loadConfig({
  env: { OUTRIGGER_TOKEN: process.env['OUTRIGGER_TOKEN'] },
  flags: { root, state, port: String(port), ...flags },
});
const { sidecar } = await startWithOperations({ config, surroundings, log: createLog(config, (line) => void process.stderr.write(line)) }, [
  { table: modelTable, implementations: modelImplementations(`${root}-notes`) },
]);
await serveUntilEnded(sidecar);
