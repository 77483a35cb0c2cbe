import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../test/kit/scratch-folder.ts';
import { HubFolder, readHub } from './hub-folder.ts';

test('a hub starts, and its token is found, though what says where it listens was cut', () =>
  withScratchFolder('hub', (folder) => {
    const hub = new HubFolder(folder);
    const token = hub.token();
    hub.announce('http://127.0.0.1:1');
    assert.deepEqual(readHub(folder), { url: 'http://127.0.0.1:1', token });
    for (const left of ['{"url":"http', '\0'.repeat(40), '[]', '7', 'null', '']) {
      fs.writeFileSync(path.join(folder, 'listening.json'), left);
      assert.deepEqual(readHub(folder), { url: undefined, token }, left);
      assert.equal(new HubFolder(folder).token(), token);
    }
    hub.announce('http://127.0.0.1:2');
    assert.equal(readHub(folder).url, 'http://127.0.0.1:2');
    hub.leave();
    assert.deepEqual(readHub(folder), { url: undefined, token });
  }));
