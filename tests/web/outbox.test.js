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

/** A box whose sends end when the test says so. */
function slowBox(mine) {
  const log = { begun: [], sent: [], earlier: new Map(), later: 0 };
  const ends = new Map();
  const box = new Outbox({
    send: (one, earlier) => new Promise((resolve) => {
      log.begun.push(one.id);
      void earlier.then((ended) => log.earlier.set(one.id, ended));
      ends.set(one.id, resolve);
    }),
    save: async () => undefined,
    remove: async () => undefined,
    sent: async (one) => void log.sent.push(one.id),
    changed: () => undefined,
    retryLater: () => { log.later += 1; },
    signin: () => undefined,
    mine,
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    box, log, turn,
    end: (id, result = { verdict: 'sent', answer: {} }) => {
      ends.get(id)(result);
      return turn();
    },
  };
}
const direct = (id, created = 1) => ({ ...item(id, 'Bob', created), kind: 'direct' });

test('direct messages do not wait for one another, up to a window of them', async () => {
  const { box, log, end, turn } = slowBox();
  box.restore(Array.from({ length: 100 }, (_, n) => direct(`d${n}`, n)));
  void box.flush();
  await turn();
  assert.deepEqual(log.begun, Array.from({ length: 64 }, (_, n) => `d${n}`));
  await end('d5');
  assert.deepEqual(log.begun.slice(64), ['d64']);
  assert.deepEqual(log.sent, ['d5']);
});

test('each direct message learns when those before it are done, and whether all of them are', async () => {
  const { box, log, end, turn } = slowBox();
  box.restore([direct('a', 1), direct('b', 2), direct('c', 3)]);
  void box.flush();
  await turn();
  assert.deepEqual([...log.earlier], [['a', true]]);
  await end('b');
  assert.equal(log.earlier.has('c'), false);
  await end('a', { verdict: 'retry' });
  assert.equal(log.earlier.get('c'), false);
  // The one without an answer waits for the next attempt, although others go on arriving.
  await end('c');
  assert.deepEqual(log.begun, ['a', 'b', 'c']);
  assert.equal(log.later, 1);
  void box.flush();
  await turn();
  assert.deepEqual(log.begun, ['a', 'b', 'c', 'a']);
});

test('a message that one device has stays until the others have been seen to', async () => {
  const { box, log, end, turn } = slowBox();
  void box.add(direct('a'));
  await turn();
  let finish = (_result) => undefined;
  const rest = new Promise((resolve) => { finish = resolve; });
  await end('a', { verdict: 'sent', answer: {}, rest });
  assert.deepEqual(log.sent, ['a']);
  assert.equal(box.get('a').state, 'reached');
  void box.flush();
  await turn();
  assert.deepEqual(log.begun, ['a']);
  finish({ verdict: 'sent', answer: {} });
  await turn();
  assert.equal(box.size, 0);
});

test('what another tab sends is shown here and not sent', async () => {
  const { box, log, turn } = slowBox((one) => one.kind === 'channel');
  void box.add(direct('a'));
  void box.add(item('b'));
  await turn();
  assert.deepEqual(log.begun, ['b']);
  box.take({ ...direct('a'), state: 'failed', code: 'x' });
  assert.equal(box.get('a').state, 'failed');
});
