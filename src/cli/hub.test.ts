import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withHub } from '../../test/kit/hub.ts';
import { withHubClient } from './hub.ts';

test('who asks a hub with a token that does not hold is told where its own is taken from', () =>
  withHub(async ({ url }) => {
    const before = process.env['OUTRIGGER_HUB_TOKEN'];
    process.env['OUTRIGGER_HUB_TOKEN'] = 'a-token-of-another-hub';
    try {
      const asked = withHubClient({ url }, (client) => client.call('hub.info', {}));
      await assert.rejects(asked, { reason: 'BAD_TOKEN', hint: /OUTRIGGER_HUB_TOKEN/ });
    } finally {
      if (before === undefined) delete process.env['OUTRIGGER_HUB_TOKEN'];
      else process.env['OUTRIGGER_HUB_TOKEN'] = before;
    }
  }));
