/**
 * A conversation as the rows that a reader sees: day lines, the line before new messages, and messages
 * grouped by their sender. A view turns rows into nodes; a row whose `sig` has not changed keeps its node.
 *
 * @typedef {import('./outbox.js').OutItem} OutItem
 * @typedef {import('./directs.js').DirectTalk} DirectTalk
 * @typedef {import('./model.js').ChannelState} ChannelState
 *
 * `sent` and `received` are a channel's, and of direct messages those whose way nobody noted; `post` came over a link, ahead of
 * the channel's log.
 * @typedef {'sent'|'received'|'post'|'pending'|'failed'|import('./directs.js').OwnState|'got-direct'|'got-relayed'|'got-mailbox'} MessageState
 * @typedef {object} MessageRow
 * @property {'message'} kind
 * @property {string} key
 * @property {string} sig
 * @property {string} id
 * @property {string} from
 * @property {boolean} mine
 * @property {boolean} head       First of a group: shows its sender and time.
 * @property {string} text
 * @property {number} time        Milliseconds since 1970.
 * @property {MessageState} state
 * @property {string} [code]
 * @property {string} [reason]
 * @typedef {{kind: 'day', key: string, sig: string, time: number}} DayRow
 * @typedef {{kind: 'new', key: string, sig: string}} NewRow
 * @typedef {{kind: 'start', key: string, sig: string}} StartRow
 * @typedef {{kind: 'extra', key: string, sig: string, time: number, node: HTMLElement}} ExtraRow
 * @typedef {MessageRow|DayRow|NewRow|StartRow|ExtraRow} Row
 *
 * @typedef {object} Extra        Something else that happened in a conversation, such as a file; its node is its owner's.
 * @property {string} key
 * @property {string} timestamp   RFC 3339
 * @property {HTMLElement} node   An `li`.
 *
 * @typedef {Omit<MessageRow, 'kind'|'sig'|'head'> & {fresh: boolean}} Entry
 */

import { atStart } from './log.js';
import { directKey } from './directs.js';
import { fold, samePeer } from './names.js';

/** Messages of one sender further apart than this start a new group. */
const GROUP_MS = 5 * 60 * 1000;

/**
 * @param {ChannelState} channel
 * @param {OutItem[]} waiting
 * @param {string} me
 * @returns {Row[]}
 */
export function channelRows(channel, waiting, me) {
  const { divider, log } = channel;
  const arrived = new Set(log.messages.filter((one) => samePeer(one.from, me)).map((one) => one.id));
  /** @type {Entry[]} */
  const entries = log.messages.map((one) => {
    const mine = samePeer(one.from, me);
    return {
      key: directKey(one.from, one.id), id: one.id, from: one.from, mine, text: one.message, time: Date.parse(one.timestamp),
      state: mine ? 'sent' : 'received', fresh: divider !== null && one.seq > divider,
    };
  });
  const logged = new Set(entries.map((entry) => entry.key));
  for (const { id, from, message, timestamp } of channel.posts) {
    const key = directKey(from, id);
    if (!logged.has(key)) entries.push({ key, id, from, mine: samePeer(from, me), text: message, time: Date.parse(timestamp), state: 'post', fresh: false });
  }
  entries.push(...waiting.filter((item) => !arrived.has(item.id)).map((item) => waitingEntry(item, me)));
  return rows(entries, atStart(log));
}

/**
 * @param {DirectTalk} talk
 * @param {OutItem[]} waiting
 * @param {string} me
 * @param {Extra[]} [extras]
 * @returns {Row[]}
 */
export function talkRows(talk, waiting, me, extras = []) {
  const stored = new Set(talk.records.map((record) => record.key));
  let fresh = false;
  /** @type {Entry[]} */
  const entries = talk.records.map((one) => {
    fresh ||= one.key === talk.divider;
    const mine = samePeer(one.from, me);
    return {
      key: one.key, id: one.id, from: one.from, mine, text: one.message, time: Date.parse(one.timestamp),
      state: mine ? (one.delivery ?? 'queued') : one.way ? `got-${one.way}` : 'received', fresh,
    };
  });
  const unsent = waiting.filter((item) => !stored.has(directKey(me, item.id)));
  entries.push(...unsent.map((item) => waitingEntry(item, me)));
  return rows(mergeExtras(entries, extras), true);
}

/**
 * @param {OutItem} item
 * @param {string} me
 * @returns {Entry}
 */
function waitingEntry(item, me) {
  const { id, text, created, code, reason } = item;
  const state = item.state === 'failed' ? 'failed' : 'pending';
  return { key: directKey(me, id), id, from: me, mine: true, text, time: created, state, code, reason, fresh: false };
}

/**
 * Extras go where their time puts them; messages keep their order.
 * @param {Entry[]} entries
 * @param {Extra[]} extras
 * @returns {(Entry|ExtraRow)[]}
 */
function mergeExtras(entries, extras) {
  if (extras.length === 0) return entries;
  /** @type {ExtraRow[]} */
  const rows = extras
    .map(({ key, timestamp, node }) => ({ kind: /** @type {const} */ ('extra'), key: `extra ${key}`, sig: '', time: Date.parse(timestamp), node }))
    .sort((one, other) => one.time - other.time);
  /** @type {(Entry|ExtraRow)[]} */
  const out = [];
  for (const entry of entries) {
    while (rows.length > 0 && rows[0].time < entry.time) out.push(/** @type {ExtraRow} */ (rows.shift()));
    out.push(entry);
  }
  return [...out, ...rows];
}

/**
 * @param {(Entry|ExtraRow)[]} entries in order
 * @param {boolean} complete whether the first one is the first of the conversation
 * @returns {Row[]}
 */
function rows(entries, complete) {
  /** @type {Row[]} */
  const out = complete ? [{ kind: 'start', key: 'start', sig: 'start' }] : [];
  /** @type {Entry|null} */
  let last = null;
  let day = '';
  let divided = false;
  for (const entry of entries) {
    const today = dayOf(entry.time);
    const dawn = today !== day;
    if (dawn) out.push({ kind: 'day', key: `day ${today}`, sig: today, time: entry.time });
    day = today;
    if ('kind' in entry) {
      out.push(entry);
      last = null;
      continue;
    }
    const { fresh, ...shown } = entry;
    let head = dawn || !last || !samePeer(last.from, entry.from) || entry.time - last.time > GROUP_MS;
    if (fresh && !divided) {
      out.push({ kind: 'new', key: 'new', sig: 'new' });
      divided = true;
      head = true;
    }
    const sig = [entry.state, head, fold(entry.from), entry.time, entry.code ?? ''].join('|');
    out.push({ kind: 'message', head, sig, ...shown });
    last = entry;
  }
  return out;
}

/**
 * The calendar day in the reader's zone.
 * @param {number} time
 */
function dayOf(time) {
  const date = new Date(time);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
