import type { Client } from '../../client/client.ts';
import type { HubOperations } from '../../contract/hub-operations.ts';
import type { WorkbenchClient } from '../client-port.ts';

/** What the page uses of the client of a hub. Failures are errors with a `reason` of the error table. */
export interface HubClient extends Pick<Client<HubOperations>, 'call' | 'stream'> {
  readonly connection: WorkbenchClient['connection'];
}
