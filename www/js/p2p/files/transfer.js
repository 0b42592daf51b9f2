/**
 * A transfer as it is kept: one record for each file that was offered, in this direction or that.
 *
 * @typedef {'out'|'in'} Direction
 * @typedef {'offered'|'accepted'|'done'|'declined'|'cancelled'|'failed'} Stage
 *   `offered` and `accepted` are under way; the others are the end.
 *
 * @typedef {object} Transfer
 * @property {string} key         `out|FILE` or `in|PEER|FILE`: two peers may offer the same file.
 * @property {Direction} dir
 * @property {string} file        The file's id.
 * @property {string} peer        The other side, folded.
 * @property {string} name        Safe to show.
 * @property {number} size
 * @property {string} mime
 * @property {string} timestamp   The offer's; one with another timestamp is a new one.
 * @property {string} at          When it happened, by this device's clock: its place in the talk.
 * @property {Stage} stage
 * @property {string} device      The other side's device that accepted, or that sends; empty when none did.
 * @property {string} reason      Why it ended, if not well.
 * @property {'me'|'them'|''} by  Who ended it.
 * @property {import('../types.js').Way|''} way   Of the link that it last went over.
 * @property {number} from        The byte that it went on from when it was last interrupted; 0 when it wasn't.
 * @property {string} total       Incoming and done: the digest over all digests.
 * @property {boolean} held       Incoming: pieces of it are on this device's disk.
 * @property {boolean} saved      Incoming: the person has saved it elsewhere.
 * @property {string[]} untold    Outgoing and ended: devices that were offered it and don't know yet that it is over.
 */

import { fold } from '../../core/names.js';

/** A sender's clock that is further off than this doesn't decide where a file stands in the talk. */
const CLOCK_SLACK = 2 * 60 * 1000;

/** @param {string} file */
export function outKey(file) {
  return `out|${file}`;
}

/**
 * @param {string} peer
 * @param {string} file
 */
export function inKey(peer, file) {
  return `in|${fold(peer)}|${file}`;
}

/**
 * @param {{file: string, peer: string, name: string, size: number, mime: string}} what
 * @param {string} timestamp
 * @returns {Transfer}
 */
export function newOutgoing(what, timestamp) {
  return { ...blank(what, timestamp), key: outKey(what.file), dir: 'out', at: timestamp };
}

/**
 * @param {{file: string, peer: string, name: string, size: number, mime: string}} what
 * @param {string} timestamp the sender's
 * @param {number} now
 * @returns {Transfer}
 */
export function newIncoming(what, timestamp, now) {
  const sent = Date.parse(timestamp);
  const at = new Date(Math.abs(sent - now) > CLOCK_SLACK ? now : sent).toISOString();
  return { ...blank(what, timestamp), key: inKey(what.peer, what.file), dir: 'in', at };
}

/**
 * @param {{file: string, peer: string, name: string, size: number, mime: string}} what
 * @param {string} timestamp
 */
function blank({ file, peer, name, size, mime }, timestamp) {
  return {
    file, peer: fold(peer), name, size, mime, timestamp, stage: /** @type {Stage} */ ('offered'), device: '', reason: '',
    by: /** @type {Transfer['by']} */ (''), way: /** @type {Transfer['way']} */ (''), from: 0, total: '', held: false, saved: false, untold: [],
  };
}

/** @param {Transfer|undefined} transfer */
export function underWay(transfer) {
  return transfer?.stage === 'offered' || transfer?.stage === 'accepted';
}
