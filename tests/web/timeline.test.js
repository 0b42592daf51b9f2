import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyLog, mergePage } from '../../www/js/core/log.js';
import { channelRows, talkRows } from '../../www/js/core/timeline.js';

const start = new Date(2025, 10, 5, 10, 0, 0).getTime();
const message = (seq, from, minutes) => ({
  seq, id: `m${seq}`, from, message: 'x', timestamp: new Date(start + minutes * 60_000).toISOString(),
});
function channel(messages, divider = null) {
  const log = emptyLog();
  mergePage(log, messages, messages.at(-1)?.seq ?? 0);
  return { name: 'general', private: false, joined: true, membersCount: 1, read: 0, divider, log, members: null, loadingOlder: false, posts: [] };
}
const kinds = (rows) => rows.map((row) => (row.kind === 'message' ? (row.head ? 'head' : 'more') : row.kind));

test('messages of one sender within five minutes are one group', () => {
  const rows = channelRows(channel([message(1, 'bob', 0), message(2, 'bob', 2), message(3, 'bob', 9), message(4, 'amy', 9)]), [], 'me');
  assert.deepEqual(kinds(rows), ['start', 'day', 'head', 'more', 'head', 'head']);
});

test('a new day has its line', () => {
  const rows = channelRows(channel([message(8, 'bob', 0), message(9, 'bob', 24 * 60)]), [], 'me');
  assert.deepEqual(kinds(rows), ['day', 'head', 'day', 'head']);
});

test('the line before new messages stands after the last that was read', () => {
  const rows = channelRows(channel([message(1, 'bob', 0), message(2, 'bob', 1), message(3, 'bob', 1)], 1), [], 'me');
  assert.deepEqual(kinds(rows), ['start', 'day', 'head', 'new', 'head', 'more']);
});

test('a waiting message stands at the end until its own copy arrives', () => {
  const waiting = [{ id: 'm2', kind: 'channel', target: 'general', text: 'x', created: start, state: 'pending' }];
  const before = channelRows(channel([message(1, 'bob', 0)]), waiting, 'me');
  assert.equal(before.at(-1).state, 'pending');
  const after = channelRows(channel([message(1, 'bob', 0), message(2, 'Me', 0)]), waiting, 'me');
  assert.deepEqual(after.filter((row) => row.kind === 'message').map((row) => row.state), ['received', 'sent']);
});

test('the same message keeps its key from waiting to sent, so that its node stays in place', () => {
  const waiting = [{ id: 'm2', kind: 'channel', target: 'general', text: 'x', created: start, state: 'pending' }];
  const before = channelRows(channel([message(1, 'bob', 0)]), waiting, 'Me').at(-1);
  const after = channelRows(channel([message(1, 'bob', 0), message(2, 'me', 0)]), [], 'Me').at(-1);
  assert.equal(before.key, after.key);
  assert.notEqual(before.sig, after.sig);
});

test('what else happened stands between the messages by its time, and ends a group', () => {
  const at = (minute) => `2025-11-05T10:${minute}:00.000Z`;
  const record = (id, minute) => ({ key: `bob|${id}`, peer: 'bob', id, from: 'bob', to: 'me', message: id, timestamp: at(minute), seen: true });
  const talk = { peer: 'bob', records: [record('a', '30'), record('b', '31')], divider: null };
  const node = /** @type {any} */ ({});
  const extras = [{ key: 'late', timestamp: at('45'), node }, { key: 'between', timestamp: '2025-11-05T10:30:30.000Z', node }];
  const shown = talkRows(talk, [], 'me', extras).filter((row) => row.kind === 'message' || row.kind === 'extra');
  assert.deepEqual(shown.map((row) => row.key), ['bob|a', 'extra between', 'bob|b', 'extra late']);
  assert.equal(shown[2].head, true);
});
