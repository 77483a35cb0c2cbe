import { render } from 'preact';
import { createClient } from '../../client/client.ts';
import type { HubOperations } from '../../contract/hub-operations.ts';
import { pageAddress } from '../page-address.ts';
import { memoryKeep } from '../shell/keep.ts';
import { Fleet } from './fleet.ts';
import { FleetApp } from './fleet-app.tsx';
import { FleetContext } from './use-fleet.ts';

const hubAddress = pageAddress();
/** A second is what the header tells; clocks that are nearer agree. */
const CLOCKS_AGREE_MS = 2000;

const fleet = new Fleet({
  client: createClient<HubOperations>({ url: hubAddress, server: 'hub' }),
  keep: memoryKeep(() => localStorage),
  now: Date.now,
  clockAhead: async () => {
    const { headers } = await fetch('./healthz', { cache: 'no-store' });
    const ahead = Date.parse(headers.get('date') ?? '') - Date.now();
    return Math.abs(ahead) > CLOCKS_AGREE_MS ? ahead : 0;
  },
  hubAddress,
  address: {
    read: () => location.search,
    write: (search, push) => {
      const url = `${location.pathname}${search}`;
      if (push) history.pushState(null, '', url);
      else history.replaceState(null, '', url);
    },
  },
});

/** Of a page that was hidden for less all news are there. */
const HIDDEN_MS = 20_000;
let hiddenAt = 0;
document.addEventListener('visibilitychange', () => {
  if (document.hidden) hiddenAt = Date.now();
  else if (Date.now() - hiddenAt > HIDDEN_MS) fleet.refresh();
});
addEventListener('storage', (event) => fleet.theme.stored(event));
addEventListener('popstate', () => fleet.addressChanged());
fleet.start();
const place = document.getElementById('app') as HTMLElement;
// What stood there until now.
place.replaceChildren();
render(
  <FleetContext.Provider value={fleet}>
    <FleetApp />
  </FleetContext.Provider>,
  place,
);
