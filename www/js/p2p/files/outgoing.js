/**
 * One file on its way out, over one channel: reads it piece by piece, sends it, and never gets further ahead of the
 * receiver than it may. Knows neither the page nor the network: it is given what to read, and how to send.
 *
 * @typedef {object} Source
 * @property {number} size
 * @property {(start: number, end: number) => Promise<Uint8Array<ArrayBuffer>>} read  Rejects when the file isn't what it was.
 *
 * @typedef {object} OutgoingHooks
 * @property {(message: Uint8Array<ArrayBuffer>|object) => Promise<void>} send   Resolves when more may go; rejects when the channel is closed.
 * @property {(bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>} sha256
 * @property {(bytes: number) => void} moved          How many bytes from the start are sent or were there before.
 * @property {(reason: 'changed'|'failed') => void} failed  Once, and nothing after it.
 */

import { bytesOf, CHUNK_BYTES, pieceCount, pieceLength, PIECE_BYTES, PIECES_AHEAD, readControl, toHex } from './wire.js';

export class Outgoing {
  /** Pieces that the receiver has, checked and on its disk. */
  have;
  /** Whether all of it is sent, `end` included. */
  ended = false;
  #source;
  #hooks;
  #first;
  /** Pieces whose `piece` was sent, those before the first included. */
  #sent;
  #stopped = false;
  /** @type {(() => void)|null} */
  #room = null;
  /** The digests of all pieces, one after another. */
  #digests;

  /**
   * @param {Source} source
   * @param {number} first the piece to begin with
   * @param {OutgoingHooks} hooks
   */
  constructor(source, first, hooks) {
    this.#source = source;
    this.#hooks = hooks;
    this.#first = first;
    this.#sent = first;
    this.have = first;
    this.#digests = new Uint8Array(pieceCount(source.size) * 32);
  }

  /** Sends everything; resolves when there is nothing more to do. */
  async run() {
    const { size } = this.#source;
    const pieces = pieceCount(size);
    this.#hooks.moved(bytesOf(size, this.#first));
    try {
      for (let n = this.#first; n < pieces; n += 1) {
        while (n >= this.have + PIECES_AHEAD && !this.#stopped) await new Promise((resolve) => (this.#room = () => resolve(undefined)));
        await this.#piece(n);
        if (this.#stopped) return;
      }
      // What was there before this channel counts for the end as well.
      for (let n = 0; n < this.#first; n += 1) {
        await this.#read(n);
        if (this.#stopped) return;
      }
      const sha256 = toHex(await this.#hooks.sha256(this.#digests));
      if (this.#stopped) return;
      this.ended = true;
      await this.#hooks.send({ t: 'end', pieces, sha256 });
    } catch {
      // The channel is closed, and its owner knows.
      this.stop();
    }
  }

  /** @param {number} n */
  async #piece(n) {
    if (this.#stopped) return;
    const bytes = await this.#read(n);
    if (!bytes) return;
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      if (this.#stopped) return;
      await this.#hooks.send(bytes.subarray(at, at + CHUNK_BYTES));
      if (this.#stopped) return;
      this.#hooks.moved(n * PIECE_BYTES + Math.min(bytes.length, at + CHUNK_BYTES));
    }
    if (this.#stopped) return;
    this.#sent = n + 1;
    await this.#hooks.send({ t: 'piece', n, sha256: toHex(this.#digests.subarray(n * 32, n * 32 + 32)) });
  }

  /**
   * Reads a piece and notes its digest.
   * @param {number} n
   * @returns {Promise<Uint8Array<ArrayBuffer>|null>} null when it can't be read any more
   */
  async #read(n) {
    const { size } = this.#source;
    const start = n * PIECE_BYTES;
    const length = pieceLength(size, n);
    const bytes = await this.#source.read(start, start + length).catch(() => null);
    if (bytes?.length !== length) {
      this.#fail('changed');
      return null;
    }
    this.#digests.set(await this.#hooks.sha256(bytes), n * 32);
    return bytes;
  }

  /**
   * What the receiver says on the channel.
   * @param {unknown} message
   */
  take(message) {
    if (this.#stopped) return;
    const control = message instanceof ArrayBuffer ? null : readControl(message);
    if (control === 'unknown') return;
    if (control?.t !== 'have' || control.pieces < this.have || control.pieces > this.#sent) return this.#fail('failed');
    this.have = control.pieces;
    this.#room?.();
  }

  /** Nothing is sent any more. */
  stop() {
    this.#stopped = true;
    this.#room?.();
  }

  /** @param {'changed'|'failed'} reason */
  #fail(reason) {
    if (this.#stopped) return;
    this.stop();
    this.#hooks.failed(reason);
  }
}
