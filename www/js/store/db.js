/**
 * What this browser keeps for one account, in IndexedDB: direct messages, unsent messages, this device's key, the
 * devices of partners, and what belongs to files (`transfers`, `pieces`).
 *
 * Where there is no IndexedDB (some private windows), things live as long as the page, `durable` is false, and
 * direct messages are not acknowledged, so that the tracker keeps them.
 *
 * @typedef {import('../core/directs.js').DirectRecord} DirectRecord
 * @typedef {import('../core/outbox.js').OutItem} OutItem
 */

import { fold } from '../core/names.js';
import { mergeRecord } from '../core/directs.js';

/** Raised with every new table; the tables that a browser lacks are made then. */
const VERSION = 2;

/** @type {[name: string, keyPath: string|string[]][]} */
const TABLES = [
  ['direct', 'key'], ['outbox', 'id'], ['device', 'key'], ['trust', 'key'], ['transfers', 'key'], ['pieces', ['file', 'n']],
];

/** @param {string} account */
function nameFor(account) {
  return `hybrid-chat:${fold(account)}`;
}

/**
 * @param {string} account
 * @returns {Promise<Store>}
 */
export async function openStore(account) {
  try {
    const request = indexedDB.open(nameFor(account), VERSION);
    request.onupgradeneeded = () => {
      const there = request.result.objectStoreNames;
      for (const [name, keyPath] of TABLES) if (!there.contains(name)) request.result.createObjectStore(name, { keyPath });
    };
    const db = await done(request);
    // Another tab wants a newer version: it must not wait for this one.
    db.onversionchange = () => db.close();
    return new Store(db);
  } catch {
    return new Store(null);
  }
}

/**
 * Deletes all that is kept for an account.
 * @param {string} account
 */
export async function forget(account) {
  try {
    await done(indexedDB.deleteDatabase(nameFor(account)));
  } catch {
    // Nothing was kept.
  }
}

export class Store {
  #db;
  /** @type {Map<string, DirectRecord>} */
  #directs = new Map();
  /** @type {Map<string, OutItem>} */
  #outbox = new Map();

  /** @param {IDBDatabase|null} db */
  constructor(db) {
    this.#db = db;
  }

  /** Whether what is kept outlives the page. */
  get durable() {
    return this.#db !== null;
  }

  /** The open database, for parts with tables of their own; null where there is none. */
  get db() {
    return this.#db;
  }

  close() {
    this.#db?.close();
  }

  /** @returns {Promise<DirectRecord[]>} */
  async directs() {
    if (!this.#db) return [...this.#directs.values()];
    return done(this.#db.transaction('direct').objectStore('direct').getAll());
  }

  /**
   * Keeps records, each merged with what was kept of it; returns once they are on disk.
   * @param {DirectRecord[]} records
   * @returns {Promise<DirectRecord[]>} the merged ones
   */
  async putDirects(records) {
    if (!this.#db) {
      return records.map((record) => {
        const merged = mergeRecord(this.#directs.get(record.key), record);
        this.#directs.set(record.key, merged);
        return merged;
      });
    }
    const transaction = this.#db.transaction('direct', 'readwrite', { durability: 'strict' });
    const table = transaction.objectStore('direct');
    const ended = completed(transaction);
    /** @type {Map<string, Promise<DirectRecord|undefined>>} */
    const newest = new Map();
    const merged = records.map((record) => {
      const old = newest.get(record.key) ?? done(/** @type {IDBRequest<DirectRecord|undefined>} */ (table.get(record.key)));
      const kept = old.then((one) => {
        const both = mergeRecord(one, record);
        table.put(both);
        return both;
      });
      newest.set(record.key, kept);
      return kept;
    });
    const all = await Promise.all(merged);
    await ended;
    return all;
  }

  /** @returns {Promise<OutItem[]>} */
  async outbox() {
    if (!this.#db) return [...this.#outbox.values()];
    return done(this.#db.transaction('outbox').objectStore('outbox').getAll());
  }

  /** @param {OutItem} item */
  async putOut(item) {
    if (!this.#db) {
      this.#outbox.set(item.id, item);
      return;
    }
    const transaction = this.#db.transaction('outbox', 'readwrite');
    transaction.objectStore('outbox').put(item);
    // Not after the answer to `put`, which a page that is just being closed doesn't get any more.
    transaction.commit();
    await completed(transaction);
  }

  /** @param {string} id */
  async removeOut(id) {
    if (!this.#db) {
      this.#outbox.delete(id);
      return;
    }
    const transaction = this.#db.transaction('outbox', 'readwrite');
    transaction.objectStore('outbox').delete(id);
    await completed(transaction);
  }
}

/**
 * An IndexedDB request as a promise.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * The end of a transaction: what it wrote is kept.
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
export function completed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
