/**
 * Direct messages as this browser keeps them. The tracker forgets a direct message's text once its
 * receiver has stored it, so the record here is the one copy: it is written to disk before it is acknowledged.
 *
 * @typedef {import('../types.js').DirectMessage} DirectMessage
 * @typedef {object} DirectRecord
 * @property {string} key         `sender|id`: an id is unique only for its sender.
 * @property {string} peer        The other side, folded.
 * @property {string} id
 * @property {string} from
 * @property {string} to
 * @property {string} message
 * @property {string} timestamp
 * @property {boolean} seen       The reader has had it on the screen (own ones always).
 * @property {OwnState} [delivery]  Own ones only.
 * @property {Arrival} [way]        Received ones only: how it came.
 *
 * How far an own message has come. `direct` and `relayed`: a device of the receiver has it over a link, and the server never
 * did; `delivered`: the receiver has it, and it has passed the server; `copy`: another device of one's own sent it.
 * @typedef {'copy'|'queued'|'unknown'|'delivered'|'relayed'|'direct'} OwnState
 * @typedef {'direct'|'relayed'|'mailbox'} Arrival
 *
 * @typedef {object} DirectTalk
 * @property {string} peer        The other side, in its own spelling.
 * @property {DirectRecord[]} records  In order of time.
 * @property {string|null} divider     Key of the first message that was new when the talk was opened.
 */

import { fold, samePeer } from './names.js';

/**
 * @param {string} from
 * @param {string} id
 */
export function directKey(from, id) {
  return `${fold(from)}|${id}`;
}

/**
 * The record of a message: by default of one that came from the tracker or was taken by it.
 * @param {DirectMessage} message
 * @param {string} me
 * @param {OwnState|Arrival} [how] an own one's state, or how a received one came
 * @returns {DirectRecord}
 */
export function recordOf(message, me, how) {
  const mine = samePeer(message.from, me);
  const { id, from, to, timestamp } = message;
  const peer = fold(mine && !samePeer(message.to, me) ? to : from);
  const record = { key: directKey(from, id), peer, id, from, to, message: message.message, timestamp, seen: mine };
  return mine
    ? { ...record, delivery: /** @type {OwnState} */ (how ?? 'queued') }
    : { ...record, way: /** @type {Arrival} */ (how ?? 'mailbox') };
}

/** How far a state is: a late answer never takes a message back. */
const RANK = { copy: 0, queued: 1, unknown: 2, relayed: 3, direct: 4, delivered: 5 };
/** The more others could see, the higher. */
const SEEN_BY = { direct: 0, relayed: 1, mailbox: 2 };

/**
 * @param {OwnState} old
 * @param {OwnState} fresh
 * @returns {OwnState}
 */
function mergeState(old, fresh) {
  const linked = [old, fresh].some((state) => state === 'direct' || state === 'relayed');
  // Of a message that went both ways nobody may say that the server never had it.
  if (linked && [old, fresh].some((state) => state === 'queued' || state === 'unknown')) return 'delivered';
  return RANK[fresh] > RANK[old] ? fresh : old;
}

/**
 * What to keep when a message comes a second time.
 * @param {DirectRecord|undefined} old
 * @param {DirectRecord} fresh
 * @returns {DirectRecord}
 */
export function mergeRecord(old, fresh) {
  if (!old) return fresh;
  const merged = { ...old, seen: old.seen || fresh.seen };
  if (old.delivery && fresh.delivery) merged.delivery = mergeState(old.delivery, fresh.delivery);
  if (old.way && fresh.way && SEEN_BY[fresh.way] > SEEN_BY[old.way]) merged.way = fresh.way;
  return merged;
}

/**
 * Puts a record into its talk, in order of time; a known one is replaced.
 * @param {Map<string, DirectTalk>} talks by folded peer id
 * @param {DirectRecord} record
 * @returns {boolean} whether it is new
 */
export function place(talks, record) {
  const talk = talkWith(talks, samePeer(record.peer, record.from) ? record.from : record.to);
  const known = talk.records.findIndex((one) => one.key === record.key);
  if (known >= 0) {
    talk.records[known] = mergeRecord(talk.records[known], record);
    return false;
  }
  let at = talk.records.length;
  while (at > 0 && isAfter(talk.records[at - 1], record)) at -= 1;
  talk.records.splice(at, 0, record);
  return true;
}

/**
 * @param {DirectRecord} one
 * @param {DirectRecord} other
 */
function isAfter(one, other) {
  return one.timestamp === other.timestamp ? one.id > other.id : one.timestamp > other.timestamp;
}

/**
 * The talk with a peer; an empty one when there was none.
 * @param {Map<string, DirectTalk>} talks
 * @param {string} peer
 * @returns {DirectTalk}
 */
export function talkWith(talks, peer) {
  const key = fold(peer);
  let talk = talks.get(key);
  if (!talk) {
    talk = { peer, records: [], divider: null };
    talks.set(key, talk);
  }
  return talk;
}

/** @param {DirectTalk} talk */
export function unseen(talk) {
  return talk.records.filter((record) => !record.seen);
}

/**
 * Own messages that the recipient had not fetched when last heard of.
 * @param {Map<string, DirectTalk>} talks
 */
export function undelivered(talks) {
  return [...talks.values()].flatMap((talk) => talk.records.filter((record) => record.delivery === 'queued'));
}
