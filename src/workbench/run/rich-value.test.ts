import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameHeightOf, framePage, pictureUrl, richValue } from './rich-value.ts';

test('of a bundle the richest form is shown', () => {
  assert.equal(richValue({ 'text/plain': 'Figure', 'image/png': 'aGk=\n' })?.kind, 'picture');
  assert.equal(richValue({ 'text/plain': 'a b', 'text/html': '<table></table>' })?.kind, 'html');
  assert.deepEqual(richValue({ 'application/json': '{"a":1}' }), { kind: 'json', mime: 'application/json', text: '{\n  "a": 1\n}' });
  assert.equal(richValue({ 'application/json': '{broken' })?.text, '{broken');
  assert.match(richValue({ 'audio/ogg': 'x' })?.text ?? '', /audio\/ogg: it can't be shown/);
  assert.equal(richValue({}), undefined);
});

test('an SVG becomes the address of a picture, as text or as base64', () => {
  const svg = richValue({ 'image/svg+xml': '<svg onload="alert(1)"/>' });
  assert.equal(svg === undefined ? '' : pictureUrl(svg), 'data:image/svg+xml;charset=utf-8,%3Csvg%20onload%3D%22alert(1)%22%2F%3E');
  // A program may have cut a sign in two.
  assert.match(pictureUrl({ kind: 'svg', mime: 'image/svg+xml', text: '<svg>\ud83d</svg>' }), /%3Csvg%3E%EF%BF%BD%3C%2Fsvg%3E$/);
  assert.equal(pictureUrl({ kind: 'svg', mime: 'image/svg+xml', text: 'PHN2\nZy8+' }), 'data:image/svg+xml;base64,PHN2Zy8+');
  assert.equal(pictureUrl({ kind: 'picture', mime: 'image/png', text: 'aGk=' }), 'data:image/png;base64,aGk=');
});

test('a page around HTML fetches nothing, and says so before the HTML can say otherwise', () => {
  const page = framePage('<p>hi</p>', true);
  assert.ok(page.indexOf("default-src 'none'") < page.indexOf('<p>hi</p>'));
  assert.match(page, /color-scheme:dark/);
  assert.ok(frameHeightOf('<tr>'.repeat(1000)) <= 360);
  assert.ok(frameHeightOf('') >= 64);
});
