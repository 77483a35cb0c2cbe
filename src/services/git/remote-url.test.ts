import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdsSecret, parseRemoteUrl } from './remote-url.ts';

test('an address is read as git would, and what could run a program is refused', () => {
  const table: [string, string][] = [
    ['https://example.org/team/r.git', 'https example.org'],
    ['http://127.0.0.1:8080/r', 'http 127.0.0.1:8080'],
    ['https://Example.ORG:443/r', 'https Example.ORG:443'],
    ['https://ann:p:w@Example.org:0443?r@x', 'https Example.org:0443'],
    ['https://ann@example.org:#r', 'https example.org:'],
    ['https://ex%41mple.org/r', 'https exAmple.org'],
    ['https://bücher.example/r', 'https bücher.example'],
    ['https://[::1]/r', 'https [::1]'],
    ['https://ann@[::ABCD]:443/r', 'https [::ABCD]:443'],
    ['ssh://git@example.org:2222/r', 'ssh example.org:2222'],
    ['git@example.org:team/r.git', 'ssh example.org'],
    ['example.org:r', 'ssh example.org'],
    ['file:///srv/r.git', 'file /srv/r.git'],
    ['file:///srv/a%20b', 'file /srv/a%20b'],
    ['', 'refused'],
    ['/srv/r.git', 'refused'],
    ['./r', 'refused'],
    ['C:/r', 'refused'],
    ['file://host/r', 'refused'],
    ['git://example.org/r', 'refused'],
    ['ext::sh', 'refused'],
    ['::sh', 'refused'],
    ['transport::https://example.org', 'refused'],
    ['-x', 'refused'],
    ['ssh://-x/r', 'refused'],
    ['ssh://-oX=y@example.org/r', 'refused'],
    ['git@-example:r', 'refused'],
    ['-u@example.org:r', 'refused'],
    ['git@example.org:-r', 'refused'],
    ['https:///r', 'refused'],
    ['https://a b/r', 'refused'],
    ['https://example.org/\n', 'refused'],
    ['https://example.org%0ahost=good.example/r', 'refused'],
    ['https://example.org%00/r', 'refused'],
    ['https://example.org%40good.example/r', 'refused'],
    ['https://example.org:x/r', 'refused'],
    [`https://example.org/${'x'.repeat(2000)}`, 'refused'],
    ['https://good.example\\@evil.example/r', 'refused'],
    ['HTTPS://example.org/r', 'refused'],
  ];
  for (const [url, expected] of table) {
    const read = parseRemoteUrl(url);
    const told = read.kind === 'network' ? `${read.protocol} ${read.host}` : read.kind === 'file' ? `file ${read.path}` : 'refused';
    assert.equal(told, expected, url);
  }
});

test('a password in an address is found, and so is a token that stands for the user', () => {
  for (const url of ['https://ann:pw@example.org/r', 'https://token@example.org/r', 'ssh://git:pw@example.org/r', 'http://:x@h/r'])
    assert.ok(holdsSecret(url), url);
  for (const url of ['https://example.org/r@v1', 'https://example.org/?a=b@c', 'ssh://git@example.org/r', 'git@example.org:r'])
    assert.ok(!holdsSecret(url), url);
});
