import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChannels, applyEvent, createModel, liveDevices, setMembers, setPresences, spelling, takePost, tidyPosts, totalUnread, unreadOf } from '../../www/js/core/model.js';
import { mergePage } from '../../www/js/core/log.js';
import { channelRows } from '../../www/js/core/timeline.js';

const info = (channel, more = {}) => ({
  channel, private: false, joined: true, members_count: 2, head_seq: 0, read_seq: 0, unread: 0, ...more,
});
const said = (channel, seq, from = 'bob', id = `${from}-${seq}`) => ({
  type: 'message', channel, seq, id, from, message: 'hi', timestamp: '2025-11-05T10:30:00.000Z',
});
const model = (...channels) => {
  const made = createModel('Alice');
  applyChannels(made, channels);
  return made;
};

test('unread is what stands between the marker and the head', () => {
  const one = model(info('general', { head_seq: 9, read_seq: 4 }), info('other', { joined: false, head_seq: 7 }));
  assert.equal(unreadOf(one.channels.get('general')), 5);
  assert.equal(totalUnread(one), 5);
});

test('a message of another raises unread and is announced once', () => {
  const one = model(info('general'));
  assert.deepEqual(applyEvent(one, said('general', 1)).map((effect) => effect.do), ['arrived']);
  assert.deepEqual(applyEvent(one, said('general', 1)), []);
  assert.equal(unreadOf(one.channels.get('general')), 1);
});

test('an own message from another device is read already and settles the outbox', () => {
  const one = model(info('general'));
  assert.deepEqual(applyEvent(one, said('general', 1, 'alice', 'x')), [{ do: 'own-message', id: 'x' }]);
  assert.equal(unreadOf(one.channels.get('general')), 0);
});

test('an own message behind unread ones leaves them unread', () => {
  const one = model(info('general', { head_seq: 3, read_seq: 1 }));
  applyEvent(one, said('general', 4, 'alice'));
  assert.equal(unreadOf(one.channels.get('general')), 3);
});

test('a gap asks for the messages between', () => {
  const one = model(info('general'));
  mergePage(one.channels.get('general').log, [], 0);
  const effects = applyEvent(one, said('general', 3));
  assert.ok(effects.some((effect) => effect.do === 'fetch-newer' && effect.channel === 'general'));
});

test('a message in an unknown channel asks for the list of channels', () => {
  assert.equal(applyEvent(model(), said('new', 1))[0].do, 'channels');
});

test('the read marker of another device counts, and never goes back', () => {
  const one = model(info('general', { head_seq: 5 }));
  applyEvent(one, { type: 'read', channel: 'general', read_seq: 5 });
  applyEvent(one, { type: 'read', channel: 'general', read_seq: 2 });
  assert.equal(unreadOf(one.channels.get('general')), 0);
  applyChannels(one, [info('general', { head_seq: 5, read_seq: 1 })]);
  assert.equal(unreadOf(one.channels.get('general')), 0);
});

test('leaving a public channel keeps it in the list, leaving a private one removes it', () => {
  const one = model(info('open'), info('secret', { private: true }));
  const gone = (channel) => ({ type: 'membership', channel, peer_id: 'ALICE', joined: false, members_count: 1 });
  assert.deepEqual(applyEvent(one, gone('open')), [{ do: 'left', channel: 'open' }]);
  applyEvent(one, gone('secret'));
  assert.equal(one.channels.get('open').joined, false);
  assert.equal(one.channels.has('secret'), false);
});

test('members come and go by events, in any spelling', () => {
  const one = model(info('general'));
  setMembers(one, 'general', [{ peer_id: 'Bob', active: true, online: true, last_seen: null }], 0);
  applyEvent(one, { type: 'membership', channel: 'general', peer_id: 'bob', joined: false, members_count: 0 });
  assert.equal(one.channels.get('general').members.size, 0);
  const news = applyEvent(one, { type: 'membership', channel: 'general', peer_id: 'Carol', joined: true, members_count: 1 });
  assert.deepEqual(news, [{ do: 'members', channel: 'general' }]);
});

test('a reset reloads, and an event of tomorrow is no error', () => {
  assert.deepEqual(applyEvent(model(), { type: 'reset', reason: 'restarted' }), [{ do: 'reload' }]);
  assert.deepEqual(applyEvent(model(), { type: 'something_new' }), []);
});

test('presence tells which devices are there, and how a name is written', () => {
  const one = model();
  applyEvent(one, { type: 'presence', peer_id: 'Bob', active: true, online: true, last_seen: null, devices: ['d1'] });
  assert.deepEqual(liveDevices(one, 'BOB'), ['d1']);
  assert.equal(spelling(one, 'bob'), 'Bob');
  applyEvent(one, { type: 'presence', peer_id: 'Bob', active: true, online: false, last_seen: null });
  assert.deepEqual(liveDevices(one, 'bob'), []);
  assert.deepEqual([liveDevices(one, 'nobody'), spelling(one, 'nobody')], [[], 'nobody']);
});

test('an answer that was written before the news came does not undo the news', () => {
  const one = model(info('general'));
  const bob = (devices) => ({ peer_id: 'Bob', active: true, online: devices.length > 0, last_seen: null, devices });
  const asked = one.comings;
  applyEvent(one, { type: 'presence', ...bob(['d1']) });
  setPresences(one, [bob([])], asked);
  setMembers(one, 'general', [bob([])], asked);
  assert.deepEqual(liveDevices(one, 'bob'), ['d1']);
  setPresences(one, [bob(['d2'])], one.comings);
  assert.deepEqual(liveDevices(one, 'bob'), ['d2']);
});

test('a post of a member stands at the end until the log has it, and not for ever', () => {
  const one = model(info('general', { head_seq: 1 }));
  const state = one.channels.get('general');
  mergePage(state.log, [{ seq: 1, id: 'a', from: 'bob', message: 'first', timestamp: '2025-11-05T10:30:00.000Z' }], 1);
  const post = (id, from = 'Bob') => ({ id, from, message: id, timestamp: '2025-11-05T10:30:01.000Z' });
  takePost(one, 'general', post('early'), 0);
  setMembers(one, 'general', [{ peer_id: 'bob', active: true, online: true, last_seen: null }], 0);
  takePost(one, 'general', post('stranger', 'mallory'), 0);
  takePost(one, 'general', post('b'), 0);
  takePost(one, 'general', post('b'), 0);
  takePost(one, 'general', post('c'), 10_000);
  takePost(one, 'elsewhere', post('d'), 0);
  const shown = () => channelRows(state, [], 'alice').filter((row) => row.kind === 'message').map((row) => `${row.id} ${row.state}`);
  assert.deepEqual(shown(), ['a received', 'b post', 'c post']);
  applyEvent(one, { ...said('general', 2, 'bob', 'b') });
  assert.deepEqual(shown(), ['a received', 'b received', 'c post']);
  assert.equal(tidyPosts(one, 20_000), true);
  assert.deepEqual(state.posts.map(({ id }) => id), ['c']);
  assert.equal(tidyPosts(one, 20_000), false);
  assert.equal(tidyPosts(one, 40_000), true);
  assert.deepEqual(shown(), ['a received', 'b received']);
});
