// Behind a proxy that puts each server below a path of its own and takes that path away: pages, calls, documents and downloads stay below it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import type { HubOperations } from '../../src/contract/hub-operations.ts';
import { noBrowser, openFile, pageToken, withPages, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { withHub } from '../kit/hub.ts';
import { withPathProxy } from '../kit/path-proxy.ts';

test('a workbench below a path of a host works, beside another on that host', { skip: noBrowser }, () =>
  withWorkbench({ 'notes.md': 'Notes\n' }, ({ url, root }) =>
    withPathProxy({ alice: url, bob: url }, (host) =>
      withPages(async (open) => {
        const page = await open(host, { at: `${host}/alice/?token=wrong-token-0123456789` });
        const asked: string[] = [];
        page.on('request', (request) => asked.push(new URL(request.url()).pathname));
        page.on('websocket', (socket) => asked.push(new URL(socket.url()).pathname));
        await page.getByRole('textbox', { name: 'Token' }).fill(pageToken);
        await page.keyboard.press('Enter');
        await page.locator('[data-known=true]').waitFor();
        assert.equal(page.url(), `${host}/alice/`);

        await openFile(page, 'notes.md');
        await page.locator('.cm-content').click();
        await page.keyboard.press('Control+End');
        await page.keyboard.type('written below a path');
        await eventually(() => assert.equal(fs.readFileSync(path.join(root, 'notes.md'), 'utf8'), 'Notes\nwritten below a path'));
        assert.deepEqual(
          asked.filter((pathname) => !pathname.startsWith('/alice/')),
          [],
        );
        assert.deepEqual(
          ['/alice/rpc', '/alice/ws/doc/notes.md'].filter((pathname) => !asked.includes(pathname)),
          [],
        );

        // The cookie is that of the path it was given below: another server on this host never sees it.
        const status = (below: string): Promise<number> =>
          page.evaluate(async (at) => (await fetch(at)).status, `${host}/${below}/api/files/notes.md`);
        assert.deepEqual([await status('alice'), await status('bob')], [200, 401]);

        await page.reload();
        await page.locator('[data-known=true]').waitFor();
      }),
    ),
  ),
);

test('so does the page of a hub, whose command for other machines names the path', { skip: noBrowser }, () =>
  withHub(({ url, hub }) =>
    withPathProxy({ fleet: url }, (host) =>
      withPages(async (open) => {
        const page = await open(host, { at: `${host}/fleet/?token=${hub.token}` });
        await page.locator('[data-known=true]').waitFor();
        assert.equal(page.url(), `${host}/fleet/`);
        await page.getByText('No agents yet.').waitFor();
        await page.getByRole('banner').getByRole('button', { name: 'Enrol an agent' }).click();
        await page.getByRole('textbox', { name: 'Agent id' }).fill('far-01');
        await page.keyboard.press('Enter');
        const command = await page.getByTestId('enrol-command').innerText();
        assert.ok(command.startsWith(`outrigger link --hub ${host}/fleet --enrol `), command);
      }),
    ),
  ),
);

test('behind a proxy that keeps the Host header to itself both pages say what to do', { skip: noBrowser }, () =>
  withWorkbench({}, ({ url }) =>
    withHub(({ url: hubUrl }) =>
      withPathProxy(
        { alice: url, fleet: hubUrl },
        (host) =>
          withPages(
            async (open) => {
              for (const below of ['alice', 'fleet']) {
                const page = await open(host, { at: `${host}/${below}/` });
                await page.getByText(`Pages of "${host}" may not call`).waitFor();
                await page.getByText('let the proxy before it pass on the `Host` header').waitFor();
              }
            },
            { expected: /^Refused to apply style/ },
          ),
        { ownHost: true },
      ),
    ),
  ),
);

test('a client takes the path with the address', () =>
  withHub(({ url, hub }) =>
    withPathProxy({ fleet: url }, async (host) => {
      const client = createClient<HubOperations>({ url: `${host}/fleet/`, token: hub.token });
      try {
        await client.connection.whenLive({ patient: false });
        assert.ok(await client.call('hub.info', {}));
      } finally {
        client.close();
      }
    }),
  ));
