import { render } from 'preact';
import { createClient } from '../client/client.ts';
import type { Operations } from '../contract/operations.ts';
import { editorPane } from './documents/document-pane.tsx';
import { documentLinks } from './documents/document-link.ts';
import { App } from './shell/app.tsx';
import { pageAddress } from './page-address.ts';
import { memoryKeep } from './shell/keep.ts';
import { WorkbenchContext } from './use-workbench.ts';
import { Workbench } from './workbench.ts';

const address = pageAddress();
/** What the server of the page says of this file of it. */
const askForFile = async (): Promise<number> => (await fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' })).status;
const workbench = new Workbench({
  client: createClient<Operations>({ url: address }),
  openLink: documentLinks(address.replace(/^http/, 'ws'), async () => (await askForFile()) < 500),
  keep: memoryKeep(() => localStorage),
  tabKeep: memoryKeep(() => sessionStorage),
  address,
  now: Date.now,
  hasFiles: async () => (await askForFile()) !== 404,
  resolveColor: (color) => resolveColor(`var(--presence-${color})`),
});

/** Custom properties hold `light-dark()` unresolved: an element tells what it comes to. */
function resolveColor(value: string): string {
  const probe = document.createElement('i');
  probe.style.color = value;
  probe.hidden = true;
  document.body.append(probe);
  const [red = 0, green = 0, blue = 0] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(Number);
  probe.remove();
  return `#${[red, green, blue].map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}

workbench.watchWidth((query) => matchMedia(query));
addEventListener('storage', (event) => {
  workbench.layout.theme.stored(event);
  workbench.layout.preferences.stored(event);
  workbench.nameStored(event);
});
// The browser asks before it throws away what could not be sent or saved, or is being uploaded.
addEventListener('beforeunload', (event) => {
  if (workbench.documents.hasUnkept || workbench.files.uploading.value !== undefined) event.preventDefault();
});
workbench.start();
void editorPane.load().catch(() => undefined);
const place = document.getElementById('app') as HTMLElement;
// What stood there until now.
place.replaceChildren();
render(
  <WorkbenchContext.Provider value={workbench}>
    <App />
  </WorkbenchContext.Provider>,
  place,
);
