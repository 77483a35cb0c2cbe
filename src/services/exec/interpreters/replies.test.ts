import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Facts } from './marks.ts';
import { Replies } from './replies.ts';

const mark = (facts: object): string => `\u001etoken${JSON.stringify(facts)}\u001e`;

/** What of the two replies has come. */
async function heard({ done, kept }: Replies): Promise<(Facts | undefined)[]> {
  const none = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
  return Promise.all([done, kept].map((reply) => Promise.race([reply, none])));
}

test('each reply is heard when it has come on both streams, in whatever order', async () => {
  const replies = new Replies('token');
  assert.deepEqual(replies.take('stderr', `oh${mark({ done: 0 })}`), ['oh']);
  assert.deepEqual(await heard(replies), [undefined, undefined]);
  assert.deepEqual(replies.take('stdout', `a${mark({ display: { m: 'b' } })}c${mark({ done: 3 })}`), ['a', { display: { m: 'b' } }, 'c']);
  assert.deepEqual([await heard(replies), replies.isKept], [[{ done: 3 }, undefined], false]);
  replies.take('stdout', mark({ done: 0, state: 'AA==', lost: ['x'] }));
  assert.deepEqual([await heard(replies), replies.isKept], [[{ done: 3 }, undefined], false]);
  replies.take('stderr', mark({ done: 0 }));
  assert.deepEqual([await heard(replies), replies.isKept], [[{ done: 3 }, { done: 0, state: 'AA==', lost: ['x'] }], true]);
});

test('both may come in one piece, or in pieces of one character', async () => {
  for (const size of [1, 7, 1000]) {
    const replies = new Replies('token');
    let seen = '';
    const all = `out${mark({ done: 0 })}noise${mark({ done: 0, state: 'AA==' })}more`;
    for (let at = 0; at < all.length; at += size) seen += replies.take('stdout', all.slice(at, at + size)).join('');
    replies.take('stderr', mark({ done: 0 }) + mark({ done: 0 }));
    assert.deepEqual([seen, await heard(replies)], ['out', [{ done: 0 }, { done: 0, state: 'AA==' }]]);
  }
});

test('no reply is waited for when no more comes, and one that came stays', async () => {
  const replies = new Replies('token');
  for (const stream of ['stdout', 'stderr'] as const) replies.take(stream, mark({ done: 1 }));
  replies.end();
  assert.deepEqual([await replies.done, await replies.kept], [{ done: 1 }, undefined]);
});

test('what comes on a stream where the code is done is none of the code, also what is held at the end', () => {
  const replies = new Replies('token');
  assert.deepEqual(replies.take('stdout', `a${mark({ done: 0 })}b${mark({ display: {} })}\u001etok`), ['a']);
  assert.equal(replies.rest('stdout'), '');
  replies.take('stderr', 'c\u001etok');
  assert.equal(replies.rest('stderr'), '\u001etok');
  const cut = new Replies('token');
  cut.take('stdout', '\u001etoken{"done"');
  assert.equal(cut.rest('stdout'), '');
});

test('a reply may come in pieces that are cut anywhere; of one whose interpreter ends in the middle nothing is heard, nor is it output', async () => {
  const told = JSON.stringify({ done: 0, state: 'AAAA', lost: ['ä'] });
  const pieces = mark({ part: told.slice(0, 9), by: '1' }) + mark({ part: told.slice(9), by: '1', last: true });
  for (let size = 1; size <= pieces.length; size++) {
    const replies = new Replies('token');
    for (let at = 0; at < pieces.length; at += size) replies.take('stdout', pieces.slice(at, at + size));
    replies.take('stderr', mark({ done: 0 }));
    assert.deepEqual(await heard(replies), [{ done: 0, state: 'AAAA', lost: ['ä'] }, undefined]);
  }
  for (const end of [mark({ part: told.slice(0, 9) }).length, mark({ part: told.slice(0, 9) }).length + 12]) {
    const cut = new Replies('token');
    const all = mark({ part: told.slice(0, 9) }) + mark({ part: told.slice(9), last: true });
    assert.deepEqual(cut.take('stdout', `a${all.slice(0, end)}`), ['a']);
    cut.end();
    assert.deepEqual([cut.rest('stdout'), await heard(cut)], ['', [undefined, undefined]]);
  }
});
