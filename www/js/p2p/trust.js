/**
 * The devices of partners that this browser has met: a new one is told to the person, and one that was compared is marked.
 *
 * @typedef {object} Known              As it stands in the table `trust`.
 * @property {string} key               `peer|device`
 * @property {string} peer              Folded.
 * @property {string} device
 * @property {string} publicKey         Base64url.
 * @property {string} label             What its owner calls it, once asked for.
 * @property {number} met               When it was met first: milliseconds since 1970.
 * @property {boolean} verified         The person has compared the safety number.
 * @property {boolean} notice           It is new, and the person hasn't waved that away.
 */

import { fold } from '../core/names.js';
import { completed, done } from '../store/db.js';

export class Trust {
  /** @type {Map<string, Known>} */
  #known = new Map();
  #db;
  #told;

  /**
   * @param {IDBDatabase|null} db
   * @param {(known: Known) => void} told   Other tabs hear of a change.
   */
  constructor(db, told) {
    this.#db = db;
    this.#told = told;
  }

  async load() {
    if (!this.#db) return;
    /** @type {Known[]} */
    const all = await done(this.#db.transaction('trust').objectStore('trust').getAll());
    for (const known of all) this.take(known);
  }

  /**
   * From the disk, or from another tab.
   * @param {Known} known
   */
  take(known) {
    this.#known.set(known.key, known);
  }

  /**
   * The devices of a peer, in the order of meeting.
   * @param {string} peer
   */
  of(peer) {
    const folded = fold(peer);
    return [...this.#known.values()].filter((known) => known.peer === folded).sort((one, other) => one.met - other.met);
  }

  /**
   * @param {string} peer
   * @param {string} device
   */
  find(peer, device) {
    return this.#known.get(`${fold(peer)}|${device}`);
  }

  /**
   * A device has proven that it holds its key. The first one of a peer is taken as it is: there is nothing to
   * compare it with.
   * @param {string} peer
   * @param {string} device
   * @param {string} publicKey
   * @param {number} now
   * @param {boolean} [notice] whether the person is told
   * @returns {Promise<Known>}
   */
  async meet(peer, device, publicKey, now, notice = this.of(peer).length > 0) {
    const old = this.find(peer, device);
    if (old) return old;
    const known = { key: `${fold(peer)}|${device}`, peer: fold(peer), device, publicKey, label: '', met: now, verified: false, notice };
    await this.#keep(known);
    return known;
  }

  /**
   * @param {Known} known
   * @param {{verified?: boolean, notice?: boolean, label?: string}} change
   */
  async mark(known, change) {
    await this.#keep({ ...(this.#known.get(known.key) ?? known), ...change });
  }

  /**
   * The device is gone; should it come back, it is a new one.
   * @param {string} peer
   * @param {string} device
   */
  async forget(peer, device) {
    const key = `${fold(peer)}|${device}`;
    this.#known.delete(key);
    if (!this.#db) return;
    const transaction = this.#db.transaction('trust', 'readwrite');
    transaction.objectStore('trust').delete(key);
    await completed(transaction);
  }

  /** @param {Known} known */
  async #keep(known) {
    this.take(known);
    this.#told(known);
    if (!this.#db) return;
    const transaction = this.#db.transaction('trust', 'readwrite');
    transaction.objectStore('trust').put(known);
    await completed(transaction);
  }
}
