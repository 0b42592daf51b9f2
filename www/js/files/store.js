/**
 * Transfers and pieces on this browser's disk: IndexedDB, on plain http too. Each piece is a Blob of its own, so no more
 * than a piece of a file is ever in memory: a Blob that was read from IndexedDB is a reference to what is on disk, and a
 * Blob made of such Blobs is a list of references.
 *
 * Where there is no IndexedDB, all lives as long as the page.
 *
 * @typedef {import('../p2p/files/book.js').PieceStore} PieceStore
 * @typedef {import('../p2p/files/transfer.js').Transfer} Transfer
 * @typedef {{file: string, n: number, sha256: Uint8Array, bytes: Blob|Uint8Array<ArrayBuffer>}} Piece
 */

import { completed, done } from '../store/db.js';
import { digestOf } from './digest.js';

/** Pieces that are looked at in one go. */
const PAGE = 64;

/**
 * @param {IDBDatabase|null} db
 * @returns {FileStore}
 */
export function fileStore(db) {
  return db ? new DiskStore(db) : new MemoryStore();
}

/**
 * @typedef {PieceStore & {
 *   pieces: (key: string, from: number) => Promise<Piece[]>,
 *   durable: boolean,
 * }} FileStore   `pieces`: some pieces in order, from the one with this number on; none when there are no more.
 */

/** @implements {FileStore} */
class DiskStore {
  durable = true;
  #db;

  /** @param {IDBDatabase} db */
  constructor(db) {
    this.#db = db;
  }

  /** @returns {Promise<Transfer[]>} */
  async transfers() {
    return done(this.#db.transaction('transfers').objectStore('transfers').getAll());
  }

  /** @param {Transfer} transfer */
  async putTransfer(transfer) {
    const transaction = this.#db.transaction('transfers', 'readwrite');
    transaction.objectStore('transfers').put(transfer);
    await completed(transaction);
  }

  /** @param {string} key */
  async removeTransfer(key) {
    const transaction = this.#db.transaction('transfers', 'readwrite');
    transaction.objectStore('transfers').delete(key);
    await completed(transaction);
  }

  /**
   * @param {string} key
   * @param {number} n
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {Uint8Array} sha256
   */
  async putPiece(key, n, bytes, sha256) {
    try {
      await this.#put({ file: key, n, sha256, bytes: new Blob([bytes]) });
    } catch (error) {
      // Some private windows keep bytes, but no Blobs.
      if (!(error instanceof DOMException && error.name === 'DataCloneError')) throw error;
      await this.#put({ file: key, n, sha256, bytes });
    }
  }

  /** @param {Piece} piece */
  async #put(piece) {
    const transaction = this.#db.transaction('pieces', 'readwrite');
    transaction.objectStore('pieces').put(piece);
    await completed(transaction);
  }

  /**
   * @param {string} key
   * @param {number} from
   * @returns {Promise<Piece[]>}
   */
  pieces(key, from) {
    return done(this.#db.transaction('pieces').objectStore('pieces').getAll(range(key, from), PAGE));
  }

  /** @param {string} key */
  async verified(key) {
    return verify(this, key, async (n) => {
      const transaction = this.#db.transaction('pieces', 'readwrite');
      transaction.objectStore('pieces').delete(range(key, n));
      await completed(transaction);
    });
  }

  /** @param {string} key */
  async dropPieces(key) {
    const transaction = this.#db.transaction('pieces', 'readwrite');
    transaction.objectStore('pieces').delete(range(key, 0));
    await completed(transaction);
  }
}

/**
 * @param {string} key
 * @param {number} from
 */
function range(key, from) {
  return IDBKeyRange.bound([key, from], [key, Infinity]);
}

/** @implements {FileStore} */
class MemoryStore {
  durable = false;
  /** @type {Map<string, Piece[]>} */
  #pieces = new Map();

  async transfers() {
    return [];
  }

  async putTransfer() {}

  async removeTransfer() {}

  /**
   * @param {string} key
   * @param {number} n
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {Uint8Array} sha256
   */
  async putPiece(key, n, bytes, sha256) {
    const pieces = this.#pieces.get(key) ?? [];
    pieces[n] = { file: key, n, sha256, bytes: new Blob([bytes]) };
    this.#pieces.set(key, pieces);
  }

  /**
   * @param {string} key
   * @param {number} from
   */
  async pieces(key, from) {
    return (this.#pieces.get(key) ?? []).slice(from, from + PAGE);
  }

  /** @param {string} key */
  async verified(key) {
    return verify(this, key, async (n) => void this.#pieces.get(key)?.splice(n));
  }

  /** @param {string} key */
  async dropPieces(key) {
    this.#pieces.delete(key);
  }
}

/**
 * Looks through the pieces from the start, as far as they are there and fit.
 * @param {FileStore} store
 * @param {string} key
 * @param {(from: number) => Promise<void>} drop   Removes the pieces from this number on.
 * @returns {Promise<Uint8Array[]>} their digests
 */
async function verify(store, key, drop) {
  /** @type {Uint8Array[]} */
  const digests = [];
  for (;;) {
    const page = await store.pieces(key, digests.length);
    for (const piece of page) {
      if (piece.n !== digests.length || !(await fits(piece))) {
        await drop(digests.length);
        return digests;
      }
      digests.push(piece.sha256);
    }
    if (page.length === 0) return digests;
  }
}

/** @param {Piece} piece */
async function fits({ bytes, sha256 }) {
  try {
    const digest = await digestOf(bytes instanceof Blob ? new Uint8Array(await bytes.arrayBuffer()) : bytes);
    return digest.every((byte, at) => byte === sha256[at]);
  } catch {
    // The disk gives an error where the piece was.
    return false;
  }
}

/**
 * All of a file, as one Blob that refers to what is on disk.
 * @param {FileStore} store
 * @param {Transfer} transfer
 * @param {string} type   The media type that the Blob has.
 * @returns {Promise<Blob|null>} null when something is missing
 */
export async function wholeOf(store, transfer, type) {
  /** @type {BlobPart[]} */
  const parts = [];
  for (;;) {
    const page = await store.pieces(transfer.key, parts.length);
    if (page.length === 0) break;
    for (const piece of page) if (piece.n === parts.length) parts.push(piece.bytes);
    if (parts.length !== page[page.length - 1].n + 1) return null;
  }
  const whole = new Blob(parts, { type });
  return whole.size === transfer.size ? whole : null;
}
