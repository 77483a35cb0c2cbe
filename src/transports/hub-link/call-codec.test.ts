import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameError } from '../../core/peer-frame.ts';
import { nodeBase64 } from '../../net/base64.ts';
import { createCallCodec } from './call-codec.ts';

test('a chunk that can not be read is no end of its stream, and says whose it was', () => {
  const codec = createCallCodec(nodeBase64);
  for (const fields of ['"bytes":null', '"items":1', '"data":"QUFB"', '"end":false'])
    assert.throws(
      () => codec.decode(`{"type":"chunk","protocol_version":1,"id":"7",${fields}}`),
      (error) => error instanceof FrameError && error.id === '7',
      fields,
    );
  assert.deepEqual(codec.decode('{"type":"chunk","protocol_version":1,"id":"7","end":true}'), { kind: 'end', id: '7' });
});
