/**
 * A conversation as the rows that a reader sees: day lines, the line before new messages, and messages
 * grouped by their sender. A view turns rows into nodes; a row whose `sig` has not changed keeps its node.
 *
 * @typedef {import('./outbox.js').OutItem} OutItem
 * @typedef {import('./directs.js').DirectTalk} DirectTalk
 * @typedef {import('./model.js').ChannelState} ChannelState
 *
 * @typedef {'sent'|'pending'|'failed'|'queued'|'delivered'|'unknown'|'received'} MessageState
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
 * @typedef {MessageRow|DayRow|NewRow|StartRow} Row
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
  entries.push(...waiting.filter((item) => !arrived.has(item.id)).map((item) => waitingEntry(item, me)));
  return rows(entries, atStart(log));
}

/**
 * @param {DirectTalk} talk
 * @param {OutItem[]} waiting
 * @param {string} me
 * @returns {Row[]}
 */
export function talkRows(talk, waiting, me) {
  const stored = new Set(talk.records.map((record) => record.key));
  let fresh = false;
  /** @type {Entry[]} */
  const entries = talk.records.map((one) => {
    fresh ||= one.key === talk.divider;
    const mine = samePeer(one.from, me);
    return {
      key: one.key, id: one.id, from: one.from, mine, text: one.message, time: Date.parse(one.timestamp),
      state: mine ? (one.delivery ?? 'queued') : 'received', fresh,
    };
  });
  const unsent = waiting.filter((item) => !stored.has(directKey(me, item.id)));
  entries.push(...unsent.map((item) => waitingEntry(item, me)));
  return rows(entries, true);
}

/**
 * @param {OutItem} item
 * @param {string} me
 * @returns {Entry}
 */
function waitingEntry(item, me) {
  const { id, text, created, state, code, reason } = item;
  return { key: directKey(me, id), id, from: me, mine: true, text, time: created, state, code, reason, fresh: false };
}

/**
 * @param {Entry[]} entries in order
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
    const { fresh, ...shown } = entry;
    let head = !last || !samePeer(last.from, entry.from) || entry.time - last.time > GROUP_MS;
    const today = dayOf(entry.time);
    if (today !== day) {
      out.push({ kind: 'day', key: `day ${today}`, sig: today, time: entry.time });
      day = today;
      head = true;
    }
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
