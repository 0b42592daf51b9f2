import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../www/js/p2p/clock.js';
import { labelOf } from '../../www/js/p2p/device.js';
import { serversOf } from '../../www/js/p2p/ice.js';
import { Inbox } from '../../www/js/p2p/inbox.js';
import { leaseStep } from '../../www/js/p2p/leader.js';
import { Trust } from '../../www/js/p2p/trust.js';
import { wayOf } from '../../www/js/p2p/way.js';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const ben = { peer: 'ben', device: 'b1' };
const ownPhone = { peer: 'ana', device: 'a2' };
const text = (id, more = {}) => ({ t: 'text', id, to: 'ana', message: `text ${id}`, timestamp: '2026-01-01T12:00:00.000Z', ...more });
const turn = () => new Promise((resolve) => setImmediate(resolve));

function tray(keep = async () => true) {
  const log = { kept: [], said: [] };
  const inbox = new Inbox('ana', {
    keep: async (records) => {
      log.kept.push(records);
      return keep(records);
    },
    answer: (remote, frame) => log.said.push([remote.device, frame]),
    spelling: (peer) => ({ ben: 'Ben', cara: 'Cara' })[peer] ?? peer,
  });
  return { inbox, log };
}

test('a text is acknowledged once it is on disk, with the way that it came', async () => {
  let stored = (_done) => undefined;
  const { inbox, log } = tray(() => new Promise((resolve) => { stored = resolve; }));
  inbox.take(ben, 'relayed', text('1'), NOW);
  await turn();
  assert.deepEqual(log.said, []);
  stored(true);
  await turn();
  assert.deepEqual(log.said, [['b1', { t: 'ack', ids: ['1'] }]]);
  const [record] = log.kept[0];
  assert.deepEqual([record.key, record.from, record.to, record.way, record.seen], ['ben|1', 'Ben', 'ana', 'relayed', false]);
});

test('texts that come while the disk is busy are written and acknowledged together', async () => {
  const waiting = [];
  const { inbox, log } = tray(() => new Promise((resolve) => waiting.push(resolve)));
  for (let n = 0; n < 300; n += 1) inbox.take(ben, 'direct', text(`m${n}`), NOW);
  for (let batch = 0; batch < 3; batch += 1) {
    await turn();
    waiting.shift()(true);
  }
  await turn();
  assert.deepEqual(log.kept.map((records) => records.length), [1, 256, 43]);
  assert.deepEqual(log.said.flatMap(([, frame]) => frame.ids), Array.from({ length: 300 }, (_, n) => `m${n}`));
});

test('a copy from an own device belongs to the talk with its receiver', async () => {
  const { inbox, log } = tray();
  inbox.take(ownPhone, 'direct', text('1', { to: 'cara' }), NOW);
  await turn();
  const [record] = log.kept[0];
  assert.deepEqual([record.peer, record.from, record.to, record.delivery, record.way], ['cara', 'ana', 'Cara', 'copy', undefined]);
  assert.deepEqual(log.said, [['a2', { t: 'ack', ids: ['1'] }]]);
});

test('what can not be taken is refused with the reason, or ignored where there is nothing to name', async () => {
  const { inbox, log } = tray();
  const refused = [
    [text('1', { to: 'cara' }), 'not_for_me'], [text('1', { to: 7 }), 'not_for_me'], [text('1', { to: 'no name' }), 'not_for_me'],
    [text('1', { message: '' }), 'too_large'], [text('1', { message: 'é'.repeat(8193) }), 'too_large'],
  ];
  for (const [frame] of refused) inbox.take(ben, 'direct', frame, NOW);
  for (const frame of [text(''), text('x'.repeat(65)), text(7), text('a b'), text('1', { message: {} })]) inbox.take(ben, 'direct', frame, NOW);
  await turn();
  assert.deepEqual(log.said.map(([, frame]) => frame.code), refused.map(([, code]) => code));
  assert.equal(log.kept.length, 0);
});

test('a disk that is full is told to the sender', async () => {
  const { inbox, log } = tray(async () => false);
  inbox.take(ben, 'direct', text('1'), NOW);
  await turn();
  assert.deepEqual(log.said, [['b1', { t: 'refuse', id: '1', code: 'unstorable' }]]);
});

test('a sender whose clock is wrong is filed under this time, in the order of arrival', async () => {
  const { inbox, log } = tray();
  for (const timestamp of ['2026-01-01T12:02:01.000Z', '1970-01-01T00:00:00Z', 'noon', undefined]) {
    inbox.take(ben, 'direct', text(String(timestamp).replace(/[^A-Za-z0-9]/g, ''), { timestamp }), NOW);
  }
  inbox.take(ben, 'direct', text('right', { timestamp: '2026-01-01T18:58:30+07:00' }), NOW);
  await turn();
  await turn();
  assert.deepEqual(log.kept.flat().map((record) => record.timestamp), [
    '2026-01-01T12:00:00.000Z', '2026-01-01T12:00:00.001Z', '2026-01-01T12:00:00.002Z', '2026-01-01T12:00:00.003Z', '2026-01-01T11:58:30.000Z',
  ]);
});

test('no two stamps are the same, and an answer comes after what it answers', () => {
  let now = NOW;
  const clock = new Clock(() => now);
  const stamps = [clock.stamp(), clock.stamp()];
  now -= 60_000;
  stamps.push(clock.stamp());
  clock.passed('2026-01-01T12:00:30.000Z');
  stamps.push(clock.stamp());
  assert.deepEqual(stamps, [...stamps].sort());
  assert.equal(new Set(stamps).size, 4);
  assert.equal(stamps[3], '2026-01-01T12:00:30.001Z');
  // Somebody's clock is a year ahead: nobody follows it.
  clock.passed('2027-01-01T12:00:00.000Z');
  assert.ok(clock.stamp() < '2026-01-01T12:01');
});

test('a lease is renewed by its owner, respected while it lasts, and taken when it is over', () => {
  assert.equal(leaseStep(null, 'me', NOW), 'take');
  assert.equal(leaseStep({ id: 'me', until: NOW - 1 }, 'me', NOW), 'renew');
  assert.equal(leaseStep({ id: 'other', until: NOW + 1 }, 'me', NOW), 'wait');
  assert.equal(leaseStep({ id: 'other', until: NOW }, 'me', NOW), 'take');
  assert.equal(leaseStep({ id: 'other', until: NOW + 3_600_000 }, 'me', NOW), 'take');
});

test('the way is read from the pair that is in use', async () => {
  const stats = (...reports) => ({ getStats: async () => new Map(reports.map((report) => [report.id, report])) });
  const ends = [{ id: 'h', candidateType: 'host' }, { id: 'p', candidateType: 'prflx' }, { id: 'r', candidateType: 'relay' }];
  const pair = (id, local, remote, more = {}) => ({ id, type: 'candidate-pair', localCandidateId: local, remoteCandidateId: remote, ...more });
  const transport = (id) => ({ id: 't', type: 'transport', selectedCandidatePairId: id });
  assert.equal(await wayOf(stats(transport('1'), pair('1', 'h', 'p'), pair('2', 'r', 'h'), ...ends)), 'direct');
  assert.equal(await wayOf(stats(transport('2'), pair('1', 'h', 'p'), pair('2', 'h', 'r'), ...ends)), 'relayed');
  assert.equal(await wayOf(stats(transport('2'), pair('2', 'r', 'h'), ...ends)), 'relayed');
  // Firefox has no transport report.
  assert.equal(await wayOf(stats(pair('1', 'r', 'h', { state: 'failed', nominated: true }), pair('2', 'h', 'h', { selected: true }), ...ends)), 'direct');
  await assert.rejects(wayOf(stats(pair('1', 'h', 'h', { state: 'in-progress' }), ...ends)));
});

test('the STUN server is on the host that the page came from', () => {
  assert.deepEqual(serversOf({ stun_port: 3478, stun: [], turn: null }, '192.168.1.20'), [{ urls: ['stun:192.168.1.20:3478'] }]);
  assert.deepEqual(serversOf({ stun_port: null, stun: [], turn: null }, 'chat.lan'), []);
  const turn = { urls: ['turn:t:1'], username: 'u', credential: 'c', expires_at: '' };
  assert.deepEqual(serversOf({ stun_port: null, stun: ['stun:s:1'], turn }, '[::1]'), [
    { urls: ['stun:s:1'] }, { urls: ['turn:t:1'], username: 'u', credential: 'c' },
  ]);
});

test('a device is called by its browser and system', () => {
  const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36';
  assert.equal(labelOf(chrome), 'Chrome on Linux');
  assert.equal(labelOf(chrome, ['Chromium', 'Not/A)Brand']), 'Chromium on Linux');
  assert.equal(labelOf(`${chrome} Edg/148.0`), 'Edge on Linux');
  assert.equal(labelOf('Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0'), 'Firefox on Android');
  assert.equal(labelOf('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1'), 'Safari on iPhone');
  assert.equal(labelOf('curl/8'), 'Browser');
});

test('the first device of a partner is taken as it is, every later one is told', async () => {
  const told = [];
  const trust = new Trust(null, (known) => told.push(known.key));
  assert.equal((await trust.meet('Ben', 'b1', 'key', 1)).notice, false);
  const second = await trust.meet('ben', 'b2', 'key2', 2);
  assert.equal(second.notice, true);
  await trust.mark(second, { notice: false, verified: true });
  const again = await trust.meet('BEN', 'b2', 'key2', 3);
  assert.deepEqual([again.notice, again.verified, again.met], [false, true, 2]);
  assert.deepEqual(trust.of('bEN').map(({ device }) => device), ['b1', 'b2']);
  assert.deepEqual(told, ['ben|b1', 'ben|b2', 'ben|b2']);
  await trust.forget('ben', 'b2');
  assert.equal(trust.find('ben', 'b2'), undefined);
});
