/**
 * The transfers that this device knows: in memory, and kept by a store. Ended ones stay as history, the newest of them.
 *
 * @typedef {import('./transfer.js').Transfer} Transfer
 *
 * @typedef {object} PieceStore       Where records and pieces are kept; IndexedDB in a browser.
 * @property {() => Promise<Transfer[]>} transfers
 * @property {(transfer: Transfer) => Promise<void>} putTransfer
 * @property {(key: string) => Promise<void>} removeTransfer
 * @property {(key: string, n: number, bytes: Uint8Array<ArrayBuffer>, digest: Uint8Array) => Promise<void>} putPiece
 *   Resolves when it is on disk.
 * @property {(key: string) => Promise<Uint8Array[]>} verified   The digests of the pieces from the start that are there
 *   and fit; what comes after is removed.
 * @property {(key: string) => Promise<void>} dropPieces
 */

import { underWay } from './transfer.js';

/** Ended transfers that are kept. */
const HISTORY = 500;

export class Book {
  #store;
  #changed;
  /** @type {Map<string, Transfer>} */
  #all = new Map();

  /**
   * @param {PieceStore} store
   * @param {() => void} changed
   */
  constructor(store, changed) {
    this.#store = store;
    this.#changed = changed;
  }

  /** What an earlier page kept. */
  async restore() {
    for (const transfer of await this.#store.transfers()) if (!this.#all.has(transfer.key)) this.#all.set(transfer.key, transfer);
  }

  /** @param {string} key */
  get(key) {
    return this.#all.get(key);
  }

  all() {
    return [...this.#all.values()];
  }

  /**
   * Takes a new record, in the place of an older one of the same file.
   * @param {Transfer} transfer
   */
  add(transfer) {
    this.#all.set(transfer.key, transfer);
    this.#prune();
    return this.update(transfer, {});
  }

  /**
   * Changes a record. It counts at once; the store may take its time, or fail.
   * @param {Transfer} transfer one that was removed, or whose place another one has, stays out
   * @param {Partial<Transfer>} change
   * @returns {Promise<void>} resolves when it is kept, or can't be
   */
  async update(transfer, change) {
    Object.assign(transfer, change);
    if (this.#all.get(transfer.key) !== transfer) return;
    this.#changed();
    // A full disk mustn't stop what is under way; it lives as long as the page then.
    await this.#store.putTransfer({ ...transfer }).catch(() => undefined);
  }

  /**
   * Forgets a transfer and all that is kept of it.
   * @param {Transfer} transfer
   */
  async remove(transfer) {
    this.#all.delete(transfer.key);
    this.#changed();
    await Promise.all([this.#store.removeTransfer(transfer.key), this.#store.dropPieces(transfer.key)]).catch(() => undefined);
  }

  /**
   * Frees the disk of a file's pieces; the record stays.
   * @param {Transfer} transfer
   */
  async free(transfer) {
    void this.update(transfer, { held: false });
    await this.#store.dropPieces(transfer.key).catch(() => undefined);
  }

  #prune() {
    if (this.#all.size <= HISTORY) return;
    const over = this.all().filter((one) => !underWay(one) && !(one.held && !one.saved)).sort((one, other) => one.at.localeCompare(other.at));
    for (const old of over.slice(0, Math.max(0, over.length - HISTORY))) void this.remove(old);
  }
}
