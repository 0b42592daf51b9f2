/**
 * One file on its way in, over one channel: puts pieces together, checks each against its digest, has it stored, and
 * only then tells the sender. However fast or ill-meaning the sender is, no more is held than the pieces that it may be
 * ahead. Knows neither the page nor the network.
 *
 * @typedef {object} IncomingHooks
 * @property {(message: object) => Promise<void>} send
 * @property {(bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>} sha256
 * @property {(n: number, bytes: Uint8Array<ArrayBuffer>, digest: Uint8Array) => Promise<void>} store  Resolves when it is on disk.
 * @property {(bytes: number) => void} moved          How many bytes from the start have come.
 * @property {(total: string) => void} done           All is here and checked; the digest over all digests.
 * @property {(reason: 'failed'|'corrupt'|'unstorable') => void} failed  Once, and nothing after it.
 */

import { bytesOf, CHUNK_BYTES_TAKEN, pieceCount, pieceLength, PIECE_BYTES, PIECES_AHEAD, readControl, toHex } from './wire.js';

export class Incoming {
  #size;
  #hooks;
  /** The digests of the pieces that are here, in order. @type {Uint8Array[]} */
  #digests;
  /** The digest over all digests, when it is known from before and there is nothing to come but the end. */
  #total;
  /** The piece that is being filled: its number, its bytes so far. */
  #n;
  /** @type {Uint8Array<ArrayBuffer>|null} */
  #piece = null;
  #filled = 0;
  #over = false;
  #aborted = false;
  #ending = false;
  /** Checking and storing, one piece after another. */
  #work = Promise.resolve();

  /**
   * @param {number} size
   * @param {{digests: Uint8Array[]}|{total: string}} known what is here: the pieces, by their digests; or all of it
   * @param {IncomingHooks} hooks
   */
  constructor(size, known, hooks) {
    this.#size = size;
    this.#hooks = hooks;
    this.#digests = 'digests' in known ? known.digests : [];
    this.#total = 'total' in known ? known.total : null;
    this.#n = this.#total === null ? this.#digests.length : pieceCount(size);
    hooks.moved(bytesOf(size, this.#n));
  }

  /** Pieces from the start that are checked and on disk. */
  get have() {
    return this.#total === null ? this.#digests.length : pieceCount(this.#size);
  }

  /**
   * What the sender says on the channel.
   * @param {unknown} message
   */
  take(message) {
    if (this.#over) return;
    if (message instanceof ArrayBuffer) return this.#fill(new Uint8Array(message));
    const control = readControl(message);
    if (control === 'unknown') return;
    const whole = this.#n < pieceCount(this.#size) && this.#filled === pieceLength(this.#size, this.#n);
    if (control?.t === 'piece' && !this.#ending && whole && control.n === this.#n && this.#piece) return this.#complete(this.#piece, control.sha256);
    const all = this.#n === pieceCount(this.#size);
    if (control?.t === 'end' && !this.#ending && all && control.pieces === this.#n) {
      this.#ending = true;
      return this.#then(() => this.#end(control.sha256));
    }
    return this.#fail('failed');
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  #fill(bytes) {
    const n = this.#n;
    const room = n < pieceCount(this.#size) ? pieceLength(this.#size, n) - this.#filled : 0;
    // `have` may be on its way to the sender, and is counted from where it was said.
    const ahead = n - this.have;
    if (bytes.length === 0 || bytes.length > CHUNK_BYTES_TAKEN || bytes.length > room || ahead > PIECES_AHEAD) return this.#fail('failed');
    this.#piece ??= new Uint8Array(pieceLength(this.#size, n));
    this.#piece.set(bytes, this.#filled);
    this.#filled += bytes.length;
    this.#hooks.moved(n * PIECE_BYTES + this.#filled);
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} piece
   * @param {string} sha256
   */
  #complete(piece, sha256) {
    const n = this.#n;
    this.#n += 1;
    this.#piece = null;
    this.#filled = 0;
    this.#then(async () => {
      const digest = await this.#hooks.sha256(piece);
      if (this.#aborted) return;
      if (toHex(digest) !== sha256) return this.#fail('corrupt');
      try {
        await this.#hooks.store(n, piece, digest);
      } catch {
        return this.#fail('unstorable');
      }
      if (this.#aborted) return;
      this.#digests.push(digest);
      if (!this.#over) await this.#hooks.send({ t: 'have', pieces: n + 1 });
    });
  }

  /** @param {string} sha256 */
  async #end(sha256) {
    const all = new Uint8Array(this.#digests.length * 32);
    this.#digests.forEach((digest, n) => all.set(digest, n * 32));
    const total = this.#total ?? toHex(await this.#hooks.sha256(all));
    if (this.#aborted) return;
    if (total !== sha256) return this.#fail('corrupt');
    this.abort();
    this.#hooks.done(total);
  }

  /** @param {() => Promise<void>} work */
  #then(work) {
    // After a failure nothing that waits is stored; a send to a closed channel is the channel's owner's business.
    this.#work = this.#work.then(() => (this.#aborted ? undefined : work())).catch(() => undefined);
  }

  /**
   * The channel is closed. What has come whole is still checked and stored.
   * @returns {Promise<void>} resolves when that is done
   */
  close() {
    this.#over = true;
    this.#piece = null;
    return this.#work;
  }

  /**
   * Nothing is wanted any more, not even what has come.
   * @returns {Promise<void>} resolves when nothing is stored any more
   */
  abort() {
    this.#aborted = true;
    return this.close();
  }

  /** @param {'failed'|'corrupt'|'unstorable'} reason */
  #fail(reason) {
    if (this.#aborted) return;
    void this.abort();
    this.#hooks.failed(reason);
  }
}
