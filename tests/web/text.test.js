import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerpt, parts, safeHref, safeNext } from '../../www/js/core/text.js';
import { byteLength, hueOf, initials, isChannelName, isPeerId, messageId, tidyChannelName } from '../../www/js/core/names.js';
import { backoff } from '../../www/js/core/backoff.js';
import { hashOf, placeOf } from '../../www/js/core/route.js';

test('web addresses become links without the punctuation around them', () => {
  assert.deepEqual(parts('see (https://example.org/a_(b)), or http://x.vn.'), [
    { kind: 'text', text: 'see (' },
    { kind: 'link', text: 'https://example.org/a_(b)', href: 'https://example.org/a_(b)' },
    { kind: 'text', text: '), or ' },
    { kind: 'link', text: 'http://x.vn', href: 'http://x.vn/' },
    { kind: 'text', text: '.' },
  ]);
});

test('nothing but http and https is a link', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'vbscript:x', 'https://']) {
    assert.ok(parts(text).every((part) => part.kind === 'text'), text);
    assert.equal(safeHref(text), null);
  }
});

test('markup is text', () => {
  const text = '<img src=x onerror=alert(1)> & <script>alert(2)</script>';
  assert.deepEqual(parts(text), [{ kind: 'text', text }]);
});

test('code keeps every blank', () => {
  assert.deepEqual(parts('do\n```\n  if x:\n\ty()\n```\nnow `a  b`'), [
    { kind: 'text', text: 'do' },
    { kind: 'block', text: '  if x:\n\ty()' },
    { kind: 'text', text: 'now ' },
    { kind: 'code', text: 'a  b' },
  ]);
});

test('the parts of a text without code are the text', () => {
  for (const text of ['', ' ', 'a\n\n b ', '`', '``', '```', 'http://', '`open https://a.b/c`d', 'x https://a.b y\n']) {
    const joined = parts(text).map((part) => (part.kind === 'code' ? `\`${part.text}\`` : part.text)).join('');
    assert.equal(joined, text);
  }
});

test('after signing in one only goes to a path of this site', () => {
  assert.equal(safeNext('/#/c/general'), '/#/c/general');
  for (const bad of [null, '', 'https://evil', '//evil', '/\\evil', '/a\\b', '/\n/evil', 'javascript:x']) assert.equal(safeNext(bad), '/');
});

test('an excerpt is one line and does not cut a letter in half', () => {
  assert.equal(excerpt('a\n  b', 10), 'a b');
  assert.equal(excerpt('😀😀😀', 2), '😀…');
});

test('names follow the rules of the services', () => {
  assert.ok(isPeerId('an.nguyen@x:1+2_-'));
  for (const bad of ['', 'a b', 'ăn', 'a'.repeat(65), 'a/b']) assert.equal(isPeerId(bad), false);
  assert.equal(tidyChannelName('  # lo\u031b\u0301p 10A '), 'lớp-10A');
  assert.ok(isChannelName('lớp-10A'));
  for (const bad of ['', 'a b', '#a', 'a/b', 'ớ'.repeat(65), '😀']) assert.equal(isChannelName(bad), false);
});

test('bytes are counted as UTF-8', () => {
  assert.equal(byteLength('lớp'), 5);
});

test('message ids are of the allowed set, sort by time and differ', () => {
  const early = messageId(1_700_000_000_000);
  const late = messageId(1_800_000_000_000);
  assert.match(early, /^[0-9a-f-]{33}$/);
  assert.ok(early < late);
  assert.notEqual(messageId(5), messageId(5));
});

test('a face has its letters and one of eight colours', () => {
  assert.equal(initials('an.nguyen'), 'AN');
  assert.equal(initials('bob'), 'BO');
  assert.equal(hueOf('Bob'), hueOf('bob'));
  assert.ok(hueOf('x') >= 0 && hueOf('x') < 8);
});

test('waiting grows, is jittered, and ends at ten seconds', () => {
  assert.equal(backoff(0, 1), 500);
  assert.equal(backoff(0, 0), 250);
  assert.equal(backoff(50, 1), 10_000);
});

test('a place survives the address bar', () => {
  for (const place of [{ kind: 'channel', name: 'lớp-10A' }, { kind: 'direct', name: 'a@b:c+d' }]) {
    assert.deepEqual(placeOf(hashOf(place)), place);
  }
  for (const bad of ['', '#', '#/x/y', '#/c/', '#/c/%E0%A4%A']) assert.equal(placeOf(bad), null);
});
