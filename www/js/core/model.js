/**
 * What the page knows, and how an event of the live stream changes it. Nothing here waits, draws or
 * asks the network: `applyEvent` changes the model and returns what has to be done about it.
 *
 * @typedef {import('../types.js').LiveEvent} LiveEvent
 * @typedef {import('../types.js').Channel} ChannelInfo
 * @typedef {import('../types.js').Presence} Presence
 * @typedef {import('../types.js').StoredMessage} StoredMessage
 * @typedef {import('../types.js').DirectMessage} DirectMessage
 * @typedef {import('./log.js').Log} Log
 * @typedef {import('./directs.js').DirectTalk} DirectTalk
 *
 * @typedef {object} ChannelState
 * @property {string} name
 * @property {boolean} private
 * @property {boolean} joined
 * @property {number} membersCount
 * @property {number} read           The read marker.
 * @property {number|null} divider   The last `seq` that was read when the new ones came.
 * @property {Log} log
 * @property {Set<string>|null} members  Folded ids; null until asked for.
 * @property {boolean} loadingOlder
 * @property {Post[]} posts          Came over links; the log doesn't have them yet.
 *
 * @typedef {{id: string, from: string, message: string, timestamp: string, until: number}} Post
 *
 * @typedef {{last: string, offers: number}} TalkFiles   When the newest was offered; how many wait for the person's word.
 *
 * @typedef {object} Model
 * @property {string} me
 * @property {string[]} roles
 * @property {Map<string, ChannelState>} channels
 * @property {Map<string, DirectTalk>} talks    By folded peer id.
 * @property {Map<string, Presence>} peers      By folded id.
 * @property {number} comings                   How many events have told of somebody's presence.
 * @property {Map<string, number>} cameAs       By folded id, which of them was the last about that peer.
 * @property {Map<string, TalkFiles>} files     By folded peer id, what its talk has of files.
 * @property {boolean} ready                    Whether the first snapshot has come.
 *
 * @typedef {{do: 'reload'}|{do: 'channels'}|{do: 'fetch-newer', channel: string}|{do: 'members', channel: string}
 *   |{do: 'own-message', id: string}|{do: 'arrived', channel: string, message: StoredMessage}
 *   |{do: 'store-direct', message: DirectMessage}|{do: 'delivered', id: string, to: string}
 *   |{do: 'left', channel: string}} Effect
 */

import { append, emptyLog } from './log.js';
import { fold, samePeer } from './names.js';
import { unseen } from './directs.js';

/**
 * @param {string} me
 * @param {string[]} [roles]
 * @returns {Model}
 */
export function createModel(me, roles = []) {
  return {
    me, roles, channels: new Map(), talks: new Map(), peers: new Map(), comings: 0, cameAs: new Map(), files: new Map(), ready: false,
  };
}

/**
 * Takes a full channel list (`scope=all`).
 * @param {Model} model
 * @param {ChannelInfo[]} channels
 */
export function applyChannels(model, channels) {
  const names = new Set(channels.map((info) => info.channel));
  for (const name of model.channels.keys()) if (!names.has(name)) model.channels.delete(name);
  for (const info of channels) {
    const state = channelState(model, info.channel);
    state.private = info.private;
    state.joined = info.joined;
    state.membersCount = info.members_count;
    state.log.head = Math.max(state.log.head, info.head_seq);
    state.read = Math.max(state.read, info.read_seq);
  }
  model.ready = true;
}

/**
 * @param {Model} model
 * @param {string} name
 * @returns {ChannelState}
 */
export function channelState(model, name) {
  let state = model.channels.get(name);
  if (!state) {
    state = {
      name, private: false, joined: false, membersCount: 0, read: 0, divider: null, log: emptyLog(), members: null,
      loadingOlder: false, posts: [],
    };
    model.channels.set(name, state);
  }
  return state;
}

/** @param {ChannelState} channel */
export function unreadOf(channel) {
  return channel.joined ? Math.max(0, channel.log.head - channel.read) : 0;
}

/** @param {Model} model */
export function totalUnread(model) {
  let total = 0;
  for (const channel of model.channels.values()) total += unreadOf(channel);
  for (const talk of model.talks.values()) total += unseen(talk).length;
  for (const { offers } of model.files.values()) total += offers;
  return total;
}

/**
 * @param {Model} model
 * @param {string} channel
 * @param {number} seq
 */
export function markRead(model, channel, seq) {
  const state = channelState(model, channel);
  state.read = Math.max(state.read, seq);
}

/**
 * Takes a message of a channel: from the stream, or from the answer to sending it.
 * @param {Model} model
 * @param {string} channel
 * @param {StoredMessage} message
 * @returns {Effect[]}
 */
export function takeMessage(model, channel, message) {
  const state = channelState(model, channel);
  const before = state.log.head;
  const how = append(state.log, message);
  const mine = samePeer(message.from, model.me);
  // One's own message needs no reading, unless something unread stands before it.
  if (mine && state.read === message.seq - 1) state.read = message.seq;
  /** @type {Effect[]} */
  const effects = [];
  if (mine) effects.push({ do: 'own-message', id: message.id });
  if (how === 'gap') effects.push({ do: 'fetch-newer', channel });
  if (!mine && message.seq > before) effects.push({ do: 'arrived', channel, message });
  return effects;
}

/**
 * @param {Model} model
 * @param {LiveEvent} event
 * @returns {Effect[]}
 */
export function applyEvent(model, event) {
  switch (event.type) {
    case 'message': {
      const { channel, seq, id, from, message, timestamp } = event;
      // An unknown channel: someone added us, and the message was faster than the news of it.
      const news = model.channels.get(channel)?.joined ? [] : [/** @type {Effect} */ ({ do: 'channels' })];
      return [...news, ...takeMessage(model, channel, { seq, id, from, message, timestamp })];
    }
    case 'direct': {
      const { id, from, to, message, timestamp } = event;
      return [{ do: 'store-direct', message: { id, from, to, message, timestamp } }];
    }
    case 'delivered':
      return [{ do: 'delivered', id: event.id, to: event.to }];
    case 'presence':
      model.comings += 1;
      model.cameAs.set(fold(event.peer_id), model.comings);
      setPresence(model, event);
      return [];
    case 'membership':
      return applyMembership(model, event);
    case 'channel':
      return model.channels.has(event.channel) ? [] : [{ do: 'channels' }];
    case 'read':
      markRead(model, event.channel, event.read_seq);
      return [];
    case 'reset':
      return [{ do: 'reload' }];
    case 'hello':
    case 'heartbeat':
    case 'pong':
    case 'signal':
      return [];
    default:
      // A newer tracker may tell more than this page understands.
      return [];
  }
}

/**
 * @param {Model} model
 * @param {import('../types.js').MembershipEvent} event
 * @returns {Effect[]}
 */
function applyMembership(model, event) {
  const mine = samePeer(event.peer_id, model.me);
  const state = model.channels.get(event.channel);
  if (!state) return mine && !event.joined ? [] : [{ do: 'channels' }];
  state.membersCount = event.members_count;
  if (event.joined) state.members?.add(fold(event.peer_id));
  else state.members?.delete(fold(event.peer_id));
  if (!mine) return model.peers.has(fold(event.peer_id)) ? [] : [{ do: 'members', channel: event.channel }];
  if (event.joined) return state.joined ? [] : [{ do: 'channels' }];
  leave(model, event.channel);
  return [{ do: 'left', channel: event.channel }];
}

/**
 * @param {Model} model
 * @param {string} name
 */
export function leave(model, name) {
  const state = model.channels.get(name);
  if (!state) return;
  if (state.private) {
    model.channels.delete(name);
  } else {
    state.joined = false;
    state.divider = null;
  }
}

/**
 * @param {Model} model
 * @param {Presence} presence
 */
export function setPresence(model, presence) {
  const { peer_id, active, online, last_seen, devices = [] } = presence;
  model.peers.set(fold(peer_id), { peer_id, active, online, last_seen, devices });
}

/**
 * What an answer says of peers. It may have been written before events that came while it was under way: those know better.
 * @param {Model} model
 * @param {Presence[]} presences
 * @param {number} asked   `model.comings` when the question was asked
 */
export function setPresences(model, presences, asked) {
  for (const presence of presences) {
    if ((model.cameAs.get(fold(presence.peer_id)) ?? 0) <= asked) setPresence(model, presence);
  }
}

/**
 * A peer's devices that are live now.
 * @param {Model} model
 * @param {string} peer
 * @returns {string[]}
 */
export function liveDevices(model, peer) {
  return model.peers.get(fold(peer))?.devices ?? [];
}

/**
 * A peer id as its owner writes it.
 * @param {Model} model
 * @param {string} peer
 */
export function spelling(model, peer) {
  return model.peers.get(fold(peer))?.peer_id ?? peer;
}

/** A post that the log doesn't confirm goes away after so long. */
export const POST_MS = 30_000;
const POSTS = 100;

/**
 * Takes a message of a channel that came over a link, ahead of the log.
 * @param {Model} model
 * @param {string} channel
 * @param {Omit<Post, 'until'>} post
 * @param {number} now milliseconds since 1970
 */
export function takePost(model, channel, post, now) {
  const state = model.channels.get(channel);
  if (!state?.joined || !state.members?.has(fold(post.from))) return;
  if (state.posts.some((one) => one.id === post.id && samePeer(one.from, post.from))) return;
  state.posts = [...state.posts.slice(1 - POSTS), { ...post, until: now + POST_MS }];
}

/**
 * Lets go of posts that the log has, or never will have.
 * @param {Model} model
 * @param {number} now
 * @returns {boolean} whether there were any
 */
export function tidyPosts(model, now) {
  let gone = false;
  for (const state of model.channels.values()) {
    if (state.posts.length === 0) continue;
    const logged = new Set(state.log.messages.map((one) => `${fold(one.from)}|${one.id}`));
    const open = state.posts.filter((post) => post.until > now && !logged.has(`${fold(post.from)}|${post.id}`));
    gone ||= open.length < state.posts.length;
    state.posts = open;
  }
  return gone;
}

/**
 * @param {Model} model
 * @param {string} channel
 * @param {Presence[]} members
 * @param {number} asked   as in `setPresences`
 */
export function setMembers(model, channel, members, asked) {
  const state = channelState(model, channel);
  state.members = new Set(members.map((member) => fold(member.peer_id)));
  state.membersCount = members.length;
  setPresences(model, members, asked);
}
