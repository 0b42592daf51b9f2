/**
 * Two tabs of one account in one browser share what is kept: one tells the other what it changed. Without
 * BroadcastChannel each tab still gets everything from the tracker, only later.
 *
 * @typedef {import('../core/directs.js').DirectRecord} DirectRecord
 */

import { fold } from '../core/names.js';

export class Tabs {
  /** @type {BroadcastChannel|null} */
  #channel = null;

  /**
   * @param {string} account
   * @param {{direct: (record: DirectRecord) => void, settled: (id: string) => void}} hooks
   */
  constructor(account, hooks) {
    if (!('BroadcastChannel' in window)) return;
    this.#channel = new BroadcastChannel(`hybrid-chat:${fold(account)}`);
    this.#channel.onmessage = ({ data }) => {
      if (data.direct) hooks.direct(data.direct);
      if (data.settled) hooks.settled(data.settled);
    };
  }

  /** @param {DirectRecord} record */
  direct(record) {
    this.#channel?.postMessage({ direct: record });
  }

  /** @param {string} id */
  settled(id) {
    this.#channel?.postMessage({ settled: id });
  }
}
