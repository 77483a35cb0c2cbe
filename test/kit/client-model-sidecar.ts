// A sidecar for the model of the client, with its operations: as `serve-process.ts`.
import { loadConfig } from '../../src/config/load.ts';
import { createLog } from '../../src/sidecar/log.ts';
import { startWithOperations } from '../../src/sidecar/operation-modules.ts';
import { modelImplementations, modelTable } from './client-model-operations.ts';

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
const { sidecar } = await startWithOperations({ config, surroundings, log: createLog(config, (line) => process.stderr.write(line)) }, [
  { table: modelTable, implementations: modelImplementations(`${root}-notes`) },
]);
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, 500).unref();
process.once('SIGTERM', () => {
  sidecar.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
await sidecar.ready;
process.stdout.write(`ready ${sidecar.url}\n`);
