import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Direct, PATIENCE_MS } from '../../www/js/p2p/direct.js';

const NOW = 1_700_000_000_000;

/** Ana at her laptop; ben's devices and her other ones as they come. */
function desk() {
  const state = { devices: new Map(), links: new Map(), hopeless: new Set(), sent: [], wanted: [], stamps: 0 };
  const key = ({ peer, device }) => `${peer}/${device}`;
  const direct = new Direct('ana', {
    devices: (peer) => (state.devices.get(peer) ?? []).map((device) => ({ peer, device })),
    way: (remote) => state.links.get(key(remote)) ?? null,
    hopeless: (remote) => state.hopeless.has(key(remote)),
    want: (remote) => state.wanted.push(key(remote)),
    send: (remote, frame) => state.sent.push(`${key(remote)} ${frame.id}`),
    stamp: () => new Date(NOW + (state.stamps += 1)).toISOString(),
  });
  const remote = (name) => ({ peer: name.split('/')[0], device: name.split('/')[1] });
  return {
    state, direct,
    live: (peer, ...devices) => state.devices.set(peer, devices),
    up: (name, way = 'direct') => {
      state.links.set(name, way);
      direct.up(remote(name));
    },
    down: (name) => state.links.delete(name),
    ack: (name, ids, now = NOW) => direct.acked(remote(name), ids, state.links.get(name) ?? 'direct', now),
    refuse: (name, id, now = NOW) => direct.refused(remote(name), id, now),
    write: (id, more = {}) => watch(direct.deliver({ id, to: 'Ben', message: id, reached: false, ...more }, NOW)),
  };
}

/** A promise that tells what became of it so far. */
function watch(promise) {
  const seen = { value: undefined, missed: undefined };
  void promise.then((value) => {
    seen.value = value;
    void value?.missed.then((missed) => {
      seen.missed = missed;
    });
  });
  return seen;
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a message to someone who is not there goes to the mailbox at once', async () => {
  const { write } = desk();
  const one = write('1');
  await settled();
  assert.equal(one.value, null);
});

test('a linked device gets the message, and its acknowledgement says which way it went', async () => {
  const { state, live, up, ack, write } = desk();
  live('ben', 'p');
  up('ben/p', 'relayed');
  const one = write('1');
  await settled();
  assert.deepEqual(state.sent, ['ben/p 1']);
  assert.equal(one.value, undefined);
  ack('ben/p', ['1']);
  await settled();
  assert.equal(one.value.way, 'relayed');
  assert.equal(one.missed, false);
});

test('a live device without a link is wanted, and gets everything in order once it is linked', async () => {
  const { state, live, up, write } = desk();
  live('ben', 'p');
  for (const id of ['1', '2', '3']) write(id);
  assert.deepEqual(state.sent, []);
  assert.deepEqual(new Set(state.wanted), new Set(['ben/p']));
  up('ben/p');
  assert.deepEqual(state.sent, ['ben/p 1', 'ben/p 2', 'ben/p 3']);
});

test('without an acknowledgement the mailbox takes it after five seconds, not before', async () => {
  const { direct, live, up, write } = desk();
  live('ben', 'p');
  up('ben/p');
  const one = write('1');
  direct.tick(NOW + PATIENCE_MS - 1);
  await settled();
  assert.equal(one.value, undefined);
  direct.tick(NOW + PATIENCE_MS);
  await settled();
  assert.equal(one.value, null);
});

test('where a link was tried in vain nobody waits for one', async () => {
  const { state, live, write } = desk();
  live('ben', 'p');
  state.hopeless.add('ben/p');
  const one = write('1');
  await settled();
  assert.equal(one.value, null);
});

test('what was not acknowledged goes out again on the next link, what was does not', async () => {
  const { state, live, up, down, ack, write } = desk();
  live('ben', 'p');
  up('ben/p');
  for (const id of ['1', '2', '3']) write(id);
  ack('ben/p', ['2']);
  down('ben/p');
  state.sent.length = 0;
  up('ben/p');
  assert.deepEqual(state.sent, ['ben/p 1', 'ben/p 3']);
});

test('one device is enough for delivered; the other one gets it by the mailbox if it must', async () => {
  const { direct, live, up, ack, write } = desk();
  live('ben', 'laptop', 'phone');
  up('ben/laptop');
  const one = write('1');
  ack('ben/laptop', ['1'], NOW + 10);
  await settled();
  assert.equal(one.value.way, 'direct');
  assert.equal(one.missed, undefined);
  direct.tick(NOW + PATIENCE_MS);
  await settled();
  assert.equal(one.missed, true);
});

test('the other device that acknowledges in time, or goes away, needs no mailbox', async () => {
  const { direct, live, up, ack, write } = desk();
  live('ben', 'laptop', 'phone');
  up('ben/laptop');
  up('ben/phone');
  const [one, two] = [write('1'), write('2')];
  ack('ben/laptop', ['1', '2'], NOW + 10);
  ack('ben/phone', ['1'], NOW + 20);
  live('ben', 'laptop');
  direct.tick(NOW + 30);
  await settled();
  assert.deepEqual([one.missed, two.missed], [false, false]);
});

test('a device that refuses is as good as absent', async () => {
  const { live, up, refuse, write } = desk();
  live('ben', 'p');
  up('ben/p');
  const one = write('1');
  refuse('ben/p', '1');
  await settled();
  assert.equal(one.value, null);
});

test('a foreign acknowledgement counts for nothing', async () => {
  const { live, up, ack, write } = desk();
  live('ben', 'p');
  up('ben/p');
  up('mallory/m');
  const one = write('1');
  ack('mallory/m', ['1']);
  ack('ben/p', ['other']);
  await settled();
  assert.equal(one.value, undefined);
});

test('own other devices get copies, with no mailbox behind them', async () => {
  const { state, direct, live, up, ack, write } = desk();
  live('ben', 'p');
  live('ana', 'phone');
  up('ben/p');
  const one = write('1');
  ack('ben/p', ['1']);
  await settled();
  assert.equal(one.missed, false);
  up('ana/phone');
  assert.deepEqual(state.sent, ['ben/p 1', 'ana/phone 1']);
  ack('ana/phone', ['1']);
  up('ana/phone');
  assert.equal(state.sent.length, 2);
  write('2');
  direct.tick(NOW + 60_000);
  state.sent.length = 0;
  up('ana/phone');
  assert.deepEqual(state.sent, []);
});

test('a message that a device has from an earlier page is only offered to the others', async () => {
  const { state, direct, live, up, write } = desk();
  const alone = write('0', { reached: true });
  await settled();
  assert.deepEqual([alone.value.way, alone.missed], [null, false]);
  live('ben', 'p');
  up('ben/p');
  const one = write('1', { reached: true });
  await settled();
  assert.equal(one.value.way, null);
  assert.deepEqual(state.sent, ['ben/p 1']);
  direct.tick(NOW + PATIENCE_MS);
  await settled();
  assert.equal(one.missed, true);
});

test('every message has a time of its own', () => {
  const { state, live, up, write } = desk();
  live('ben', 'p');
  up('ben/p');
  for (const id of ['1', '2', '3']) write(id);
  assert.equal(state.stamps, 3);
});

test('when one falls back to the mailbox, what was written after it goes the same way, and nothing overtakes it', async () => {
  const { direct, live, up, ack, write } = desk();
  live('ben', 'p', 'q');
  up('ben/p');
  const [first, second, third] = [write('1'), write('2'), write('3')];
  ack('ben/p', ['2']);
  direct.tick(NOW + PATIENCE_MS);
  await settled();
  assert.deepEqual([first.value, second.value.way, third.value], [null, 'direct', null]);
  assert.equal(direct.mailing('BEN'), true);
  direct.mailed('Ben', '1');
  assert.equal(direct.mailing('ben'), true);
  direct.mailed('Ben', '3');
  assert.equal(direct.mailing('ben'), false);
});
