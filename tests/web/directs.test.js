import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeRecord, place, recordOf, talkWith, undelivered, unseen } from '../../www/js/core/directs.js';
import { talkRows } from '../../www/js/core/timeline.js';

const direct = (id, from, to, at = id) => ({ id, from, to, message: `text ${id}`, timestamp: `2025-11-05T10:30:0${at}.000Z` });

test('the other side is the peer, whoever wrote, in any spelling', () => {
  assert.equal(recordOf(direct('1', 'Bob', 'alice'), 'Alice').peer, 'bob');
  assert.equal(recordOf(direct('1', 'ALICE', 'Bob'), 'alice').peer, 'bob');
  assert.equal(recordOf(direct('1', 'alice', 'alice'), 'alice').peer, 'alice');
});

test('a message that comes twice is there once and stays seen', () => {
  const talks = new Map();
  assert.equal(place(talks, { ...recordOf(direct('1', 'bob', 'alice'), 'alice'), seen: true }), true);
  assert.equal(place(talks, recordOf(direct('1', 'bob', 'alice'), 'alice')), false);
  assert.equal(talkWith(talks, 'bob').records.length, 1);
  assert.equal(unseen(talkWith(talks, 'bob')).length, 0);
});

test('the same id from two senders is two messages', () => {
  const talks = new Map();
  place(talks, recordOf(direct('1', 'bob', 'alice'), 'alice'));
  place(talks, recordOf(direct('1', 'alice', 'bob'), 'alice'));
  assert.equal(talkWith(talks, 'Bob').records.length, 2);
});

test('records stand in order of time, whenever they come', () => {
  const talks = new Map();
  for (const id of ['3', '1', '2']) place(talks, recordOf(direct(id, 'bob', 'alice'), 'alice'));
  assert.deepEqual(talkWith(talks, 'bob').records.map((one) => one.id), ['1', '2', '3']);
});

test('delivered never becomes queued again', () => {
  const mine = recordOf(direct('1', 'alice', 'bob'), 'alice', 'delivered');
  assert.equal(mergeRecord(mine, recordOf(direct('1', 'alice', 'bob'), 'alice', 'queued')).delivery, 'delivered');
  const queued = recordOf(direct('2', 'alice', 'bob'), 'alice', 'queued');
  assert.equal(mergeRecord(queued, { ...queued, delivery: 'delivered' }).delivery, 'delivered');
});

test('a queued message that the tracker has forgotten is told as expired', () => {
  const queued = recordOf(direct('1', 'alice', 'bob'), 'alice', 'queued');
  assert.equal(mergeRecord(queued, { ...queued, delivery: 'unknown' }).delivery, 'unknown');
});

test('only own messages that wait are asked about', () => {
  const talks = new Map();
  place(talks, recordOf(direct('1', 'alice', 'bob'), 'alice', 'queued'));
  place(talks, recordOf(direct('2', 'alice', 'bob'), 'alice', 'delivered'));
  place(talks, recordOf(direct('3', 'bob', 'alice'), 'alice'));
  assert.deepEqual(undelivered(talks).map((one) => one.id), ['1']);
});

test('a message in the outbox and in the record shows once, with its true state', () => {
  const talks = new Map();
  place(talks, recordOf(direct('1', 'alice', 'bob'), 'alice', 'queued'));
  const waiting = ['1', '2'].map((id) => ({ id, kind: 'direct', target: 'bob', text: id, created: 0, state: 'pending' }));
  const rows = talkRows(talkWith(talks, 'bob'), waiting, 'alice').filter((row) => row.kind === 'message');
  assert.deepEqual(rows.map((row) => row.state), ['queued', 'pending']);
});

test('a message that went straight across and by the server too is not called direct', () => {
  const mine = (delivery) => recordOf(direct('1', 'alice', 'bob'), 'alice', delivery);
  for (const linked of ['direct', 'relayed']) {
    for (const mailed of ['queued', 'delivered', 'unknown']) {
      assert.equal(mergeRecord(mine(linked), mine(mailed)).delivery, 'delivered');
      assert.equal(mergeRecord(mine(mailed), mine(linked)).delivery, 'delivered');
    }
    assert.equal(mergeRecord(mine('copy'), mine(linked)).delivery, linked);
  }
  assert.equal(mergeRecord(mine('copy'), mine('queued')).delivery, 'queued');
  assert.equal(mergeRecord(mine('delivered'), mine('copy')).delivery, 'delivered');
  const got = (way) => recordOf(direct('1', 'bob', 'alice'), 'alice', way);
  assert.equal(got(undefined).way, 'mailbox');
  assert.equal(mergeRecord(got('direct'), got('mailbox')).way, 'mailbox');
  assert.equal(mergeRecord(got('mailbox'), got('direct')).way, 'mailbox');
  assert.equal(mergeRecord(got('direct'), got('direct')).way, 'direct');
});
