/**
 * Texts that come over links: checked, put on disk many at a time, then acknowledged.
 *
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Way} Way
 * @typedef {import('./types.js').Frame} Frame
 * @typedef {import('./types.js').RefuseCode} RefuseCode
 * @typedef {import('../core/directs.js').DirectRecord} DirectRecord
 *
 * @typedef {object} InboxHooks
 * @property {(records: DirectRecord[]) => Promise<boolean>} keep   Whether they are on disk.
 * @property {(remote: Remote, frame: Frame) => void} answer
 * @property {(peer: string) => string} spelling      A peer id as its owner writes it.
 */

import { recordOf } from '../core/directs.js';
import { byteLength, fold, isPeerId, MESSAGE_BYTES, samePeer } from '../core/names.js';
import { ACK_IDS } from './frames.js';

/** A sender's clock may be so far off before its messages are filed under this device's time. */
export const CLOCK_MS = 2 * 60_000;
/** Texts that may wait for the disk. */
const WAITING = 4096;

export class Inbox {
  /** @type {{remote: Remote, record: DirectRecord}[]} */
  #waiting = [];
  #running = false;
  #filed = 0;
  #me;
  #hooks;

  /**
   * @param {string} me
   * @param {InboxHooks} hooks
   */
  constructor(me, hooks) {
    this.#me = me;
    this.#hooks = hooks;
  }

  /**
   * @param {Remote} remote
   * @param {Way} way
   * @param {Frame} frame
   * @param {number} now
   */
  take(remote, way, frame, now) {
    const { id, message } = frame;
    if (!isMessageId(id) || typeof message !== 'string') return;
    const code = this.#waiting.length >= WAITING ? 'unstorable' : this.#refusal(remote, frame);
    if (code) return this.#hooks.answer(remote, { t: 'refuse', id, code });
    const mine = samePeer(remote.peer, this.#me);
    const text = {
      id, message, from: mine ? this.#me : this.#hooks.spelling(remote.peer), to: mine ? this.#hooks.spelling(fold(frame.to)) : this.#me,
      timestamp: this.#timeOf(frame.timestamp, now),
    };
    this.#waiting.push({ remote, record: recordOf(text, this.#me, mine ? 'copy' : way) });
    if (!this.#running) void this.#run();
    return undefined;
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   * @returns {RefuseCode|null}
   */
  #refusal(remote, { to, message }) {
    const bytes = byteLength(message);
    if (bytes === 0 || bytes > MESSAGE_BYTES) return 'too_large';
    if (typeof to !== 'string' || !isPeerId(to)) return 'not_for_me';
    return samePeer(remote.peer, this.#me) || samePeer(to, this.#me) ? null : 'not_for_me';
  }

  /**
   * The sender's time, if its clock can be right; else this device's, different for each message.
   * @param {unknown} timestamp
   * @param {number} now
   */
  #timeOf(timestamp, now) {
    const time = typeof timestamp === 'string' ? Date.parse(timestamp) : NaN;
    if (Math.abs(time - now) <= CLOCK_MS) return new Date(time).toISOString();
    this.#filed = Math.max(now, this.#filed + 1);
    return new Date(this.#filed).toISOString();
  }

  /** While one batch is being written, the next one gathers. */
  async #run() {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, ACK_IDS);
      const stored = await this.#hooks.keep(batch.map(({ record }) => record));
      /** @type {Map<Remote, string[]>} */
      const ids = new Map();
      for (const { remote, record } of batch) ids.set(remote, [...(ids.get(remote) ?? []), record.id]);
      for (const [remote, those] of ids) {
        if (stored) this.#hooks.answer(remote, { t: 'ack', ids: those });
        else for (const id of those) this.#hooks.answer(remote, { t: 'refuse', id, code: 'unstorable' });
      }
    }
    this.#running = false;
  }
}

/** @param {unknown} id */
export function isMessageId(id) {
  return typeof id === 'string' && /^[A-Za-z0-9\-_.:]{1,64}$/.test(id);
}
