import { type Client, type ClientOptions, type ConnectionState, createClient } from '../../src/client/client.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { FakeTable } from './fake-operations.ts';
import { fakeToken } from './fake-sidecar.ts';

/** Tries again at once. */
const soon = { baseMs: 5, maxMs: 20 };

/** A client of a fake sidecar, closed afterwards; `states` are those of its connection so far. */
export async function withClient(
  url: string,
  run: (client: Client<FakeTable>, states: ConnectionState[]) => Promise<void>,
  options: Partial<ClientOptions> = {},
): Promise<void> {
  const client = createClient<FakeTable>({ url, token: fakeToken, backoff: soon, ...options });
  const states: ConnectionState[] = [];
  client.connection.on('state', (state) => states.push(state));
  try {
    await run(client, states);
  } finally {
    client.close();
  }
}

/** Why it failed, by its name. */
export async function reason(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof OutriggerError ? error.reason : String(error)),
  );
}
