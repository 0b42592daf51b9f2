import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox, verdictOf } from '../../www/js/core/outbox.js';

const item = (id, target = 'general', created = 1) => ({ id, kind: 'channel', target, text: id, created, state: 'pending' });

function boxWith(answers) {
  const log = { sent: [], tried: [], saved: new Map(), later: 0, signin: 0 };
  const box = new Outbox({
    send: async (one) => {
      log.tried.push(one.id);
      return answers.shift() ?? { verdict: 'sent', answer: {} };
    },
    save: async (one) => void log.saved.set(one.id, one.state),
    remove: async (one) => void log.saved.delete(one.id),
    sent: async (one) => void log.sent.push(one.id),
    changed: () => undefined,
    retryLater: () => { log.later += 1; },
    signin: () => { log.signin += 1; },
  });
  return { box, log };
}

test('a sent message leaves the outbox and the disk', async () => {
  const { box, log } = boxWith([]);
  await box.add(item('a'));
  assert.deepEqual(log.sent, ['a']);
  assert.equal(box.size, 0);
  assert.equal(log.saved.size, 0);
});

test('without an answer the message stays, and the next attempt has the same id', async () => {
  const { box, log } = boxWith([{ verdict: 'retry' }]);
  await box.add(item('a'));
  assert.equal(box.get('a').state, 'pending');
  assert.equal(log.saved.get('a'), 'pending');
  assert.equal(log.later, 1);
  await box.flush();
  assert.deepEqual(log.tried, ['a', 'a']);
  assert.deepEqual(log.sent, ['a']);
});

test('messages of one conversation keep their order over a failed attempt', async () => {
  const { box, log } = boxWith([{ verdict: 'retry' }, { verdict: 'retry' }]);
  await box.add(item('a', 'general', 1));
  await box.add(item('b', 'general', 2));
  await box.flush();
  assert.deepEqual(log.sent, ['a', 'b']);
});

test('a refusal is shown, kept, and sent again only when asked', async () => {
  const { box, log } = boxWith([{ verdict: 'refused', code: 'not_a_member', reason: 'no' }]);
  await box.add(item('a'));
  assert.equal(box.get('a').state, 'failed');
  await box.flush();
  assert.deepEqual(log.tried, ['a']);
  await box.retry('a');
  assert.deepEqual(log.sent, ['a']);
});

test('a refused message does not hold up the next one', async () => {
  const { box, log } = boxWith([{ verdict: 'refused', code: 'x', reason: '' }]);
  await box.add(item('a'));
  await box.add(item('b'));
  assert.deepEqual(log.sent, ['b']);
});

test('an ended session asks for signing in and loses nothing', async () => {
  const { box, log } = boxWith([{ verdict: 'signin' }]);
  await box.add(item('a'));
  assert.equal(log.signin, 1);
  assert.equal(log.saved.get('a'), 'pending');
});

test('what an earlier page left goes out oldest first, once', async () => {
  const { box, log } = boxWith([]);
  box.restore([item('b', 'general', 2), item('a', 'general', 1)]);
  await Promise.all([box.flush(), box.flush()]);
  assert.deepEqual(log.sent, ['a', 'b']);
});

test('an event that proves the arrival settles the message', async () => {
  const { box } = boxWith([{ verdict: 'retry' }]);
  await box.add(item('a'));
  box.settle('a');
  assert.equal(box.size, 0);
});

test('statuses mean what the person would want', () => {
  assert.deepEqual([200, 0, 503, 429, 408, 401, 403, 404, 409, 413].map((status) => verdictOf(status)),
    ['sent', 'retry', 'retry', 'retry', 'retry', 'signin', 'refused', 'refused', 'refused', 'refused']);
  assert.equal(verdictOf(429, 'mailbox_full'), 'refused');
});
