import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ItemImages } from './item-images.ts';

test('images become content of their own up to so many bytes; what is no image, or can not be shown, stays as it is', () => {
  const images = new ItemImages(20);
  const taken = (data: unknown): unknown => (images.take({ type: 'display', data }, 'data') as { data: unknown }).data;
  assert.deepEqual(taken({ 'image/png': 'iVBO\nRw==\n', 'text/plain': 'Figure 1' }), {
    'image/png': 'image 1 of this answer',
    'text/plain': 'Figure 1',
  });
  const others = { 'image/png': 'no base64!!!', 'image/svg+xml': '<svg/>', 'image/jpeg': '', 'text/html': 'aGk=' };
  assert.deepEqual(taken(others), others);
  assert.match(String((taken({ 'image/png': 'A'.repeat(16) }) as Record<string, string>)['image/png']), /^left out: with 16 bytes/);
  assert.deepEqual(taken({ 'image/jpeg': 'A'.repeat(12) }), { 'image/jpeg': 'image 2 of this answer' });
  assert.deepEqual(images.take({ type: 'output', text: 'x' }, 'data'), { type: 'output', text: 'x' });
  assert.deepEqual(
    images.content.map(({ mimeType, data }) => [mimeType, data]),
    [
      ['image/png', 'iVBORw=='],
      ['image/jpeg', 'A'.repeat(12)],
    ],
  );
});
