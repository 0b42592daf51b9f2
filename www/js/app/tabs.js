/**
 * Two tabs of one account in one browser share what is kept: one tells the other what it changed. Without
 * BroadcastChannel each tab still gets everything from the tracker, only later.
 *
 * @typedef {import('../core/directs.js').DirectRecord} DirectRecord
 * @typedef {import('../core/outbox.js').OutItem} OutItem
 */

import { fold } from '../core/names.js';

export class Tabs {
  /** @type {BroadcastChannel|null} */
  #channel = null;

  /**
   * @param {string} account
   * @param {{direct: (records: DirectRecord[]) => void, settled: (id: string) => void, written: (item: OutItem) => void}} hooks
   */
  constructor(account, hooks) {
    if (!('BroadcastChannel' in window)) return;
    this.#channel = new BroadcastChannel(`hybrid-chat:${fold(account)}`);
    this.#channel.onmessage = ({ data }) => {
      if (data.direct) hooks.direct(data.direct);
      if (data.settled) hooks.settled(data.settled);
      if (data.written) hooks.written(data.written);
    };
  }

  /** @param {DirectRecord[]} records */
  direct(records) {
    if (records.length > 0) this.#channel?.postMessage({ direct: records });
  }

  /**
   * A direct message was written, or its state has changed, here: one tab sends for all.
   * @param {OutItem} item
   */
  written(item) {
    this.#channel?.postMessage({ written: item });
  }

  /** @param {string} id */
  settled(id) {
    this.#channel?.postMessage({ settled: id });
  }
}
