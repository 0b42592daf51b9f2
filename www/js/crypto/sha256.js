/**
 * SHA-256 (FIPS 180-4) of a stream, part by part, for pages on plain http, where browsers offer no `crypto.subtle`, and for
 * digests of what is too large to be held at once, which `crypto.subtle` can't make.
 */

import { CUBE_ROOTS, SQUARE_ROOTS } from './constants.js';

const ROUNDS = new Int32Array(CUBE_ROOTS.slice(0, 64).map((word) => Number(BigInt.asIntN(32, word >> 32n))));
const START = new Int32Array(SQUARE_ROOTS.map((word) => Number(BigInt.asIntN(32, word >> 32n))));
const BLOCK = 64;

export class Sha256 {
  #state = START.slice();
  #words = new Int32Array(64);
  #held = new Uint8Array(BLOCK);
  #heldBytes = 0;
  #bytes = 0;

  /**
   * Takes more of the message.
   * @param {Uint8Array} data
   * @returns {this}
   */
  update(data) {
    this.#bytes += data.length;
    let at = 0;
    if (this.#heldBytes > 0) {
      at = Math.min(BLOCK - this.#heldBytes, data.length);
      this.#held.set(data.subarray(0, at), this.#heldBytes);
      this.#heldBytes += at;
      if (this.#heldBytes < BLOCK) return this;
      this.#block(this.#held, 0);
      this.#heldBytes = 0;
    }
    for (; at + BLOCK <= data.length; at += BLOCK) this.#block(data, at);
    this.#held.set(data.subarray(at));
    this.#heldBytes = data.length - at;
    return this;
  }

  /**
   * The digest of all that was taken. The object is used up.
   * @returns {Uint8Array<ArrayBuffer>} 32 bytes
   */
  digest() {
    const zeros = (BLOCK * 2 - 9 - this.#heldBytes) % BLOCK;
    const end = new Uint8Array(1 + zeros + 8);
    end[0] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(1 + zeros, Math.floor(this.#bytes / 0x2000_0000));
    view.setUint32(5 + zeros, (this.#bytes << 3) >>> 0);
    this.update(end);
    const out = new Uint8Array(32);
    const words = new DataView(out.buffer);
    this.#state.forEach((word, index) => words.setInt32(index * 4, word));
    return out;
  }

  /**
   * @param {Uint8Array} data
   * @param {number} at
   */
  #block(data, at) {
    const words = this.#words;
    for (let t = 0; t < 16; t += 1, at += 4) {
      words[t] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    }
    for (let t = 16; t < 64; t += 1) {
      const x = words[t - 15];
      const y = words[t - 2];
      const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      words[t] = (words[t - 16] + low + words[t - 7] + high) | 0;
    }
    const state = this.#state;
    let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (let t = 0; t < 64; t += 1) {
      const mixedE = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + mixedE + ((e & f) ^ (~e & g)) + ROUNDS[t] + words[t]) | 0;
      const mixedA = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = (mixedA + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}

/**
 * @param {Uint8Array} data
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function sha256(data) {
  return new Sha256().update(data).digest();
}
