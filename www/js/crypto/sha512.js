/**
 * SHA-512 (FIPS 180-4), for the Ed25519 of pages on plain http. It is fed short texts only, so plainness goes before speed.
 */

import { CUBE_ROOTS, SQUARE_ROOTS } from './constants.js';

const BLOCK = 128;
const MASK = (1n << 64n) - 1n;

/**
 * @param {bigint} word
 * @param {bigint} by
 */
function turn(word, by) {
  return ((word >> by) | (word << (64n - by))) & MASK;
}

/**
 * @param {Uint8Array} data
 * @returns {Uint8Array<ArrayBuffer>} 64 bytes
 */
export function sha512(data) {
  const blocks = Math.ceil((data.length + 17) / BLOCK);
  const padded = new Uint8Array(blocks * BLOCK);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(data.length) * 8n);
  const state = [...SQUARE_ROOTS];
  for (let at = 0; at < padded.length; at += BLOCK) block(state, view, at);
  const out = new Uint8Array(64);
  const words = new DataView(out.buffer);
  state.forEach((word, index) => words.setBigUint64(index * 8, word));
  return out;
}

/**
 * @param {bigint[]} state
 * @param {DataView} view
 * @param {number} at
 */
function block(state, view, at) {
  /** @type {bigint[]} */
  const words = [];
  for (let t = 0; t < 16; t += 1) words.push(view.getBigUint64(at + t * 8));
  for (let t = 16; t < 80; t += 1) {
    const x = words[t - 15];
    const y = words[t - 2];
    const low = turn(x, 1n) ^ turn(x, 8n) ^ (x >> 7n);
    const high = turn(y, 19n) ^ turn(y, 61n) ^ (y >> 6n);
    words.push((words[t - 16] + low + words[t - 7] + high) & MASK);
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 80; t += 1) {
    const one = h + (turn(e, 14n) ^ turn(e, 18n) ^ turn(e, 41n)) + ((e & f) ^ (~e & MASK & g)) + CUBE_ROOTS[t] + words[t];
    const two = (turn(a, 28n) ^ turn(a, 34n) ^ turn(a, 39n)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) & MASK, c, b, a, (one + two) & MASK];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index] = (state[index] + word) & MASK;
  });
}
