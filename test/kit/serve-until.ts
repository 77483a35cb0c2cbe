// For tests: a sidecar in a process of its own, which ends by SIGTERM, and with the test that started it.
import type { startSidecar } from '../../src/sidecar/sidecar.ts';

/** Says `ready` and where, once it is. */
export async function serveUntilEnded(sidecar: Pick<Awaited<ReturnType<typeof startSidecar>>, 'stop' | 'ready' | 'url'>): Promise<void> {
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
}
