/**
 * Ed25519 (RFC 8032) for pages on plain http, where browsers offer no `crypto.subtle`.
 *
 * Arithmetic on BigInt takes a time that depends on the numbers, so a signature's duration could tell an observer on the same
 * machine something about the key. Pages on https use the browser's own, whose key this page can't even read.
 */

import { sha512 } from './sha512.js';

const P = 2n ** 255n - 19n;
/** The order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** @param {bigint} n */
function mod(n) {
  const rest = n % P;
  return rest < 0n ? rest + P : rest;
}

/**
 * @param {bigint} base
 * @param {bigint} exponent
 */
function power(base, exponent) {
  let result = 1n;
  for (let square = mod(base); exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);

/**
 * A point of the curve: x = X/Z, y = Y/Z, xy = T/Z.
 * @typedef {{x: bigint, y: bigint, z: bigint, t: bigint}} Point
 */

/** @type {Point} */
const NEUTRAL = { x: 0n, y: 1n, z: 1n, t: 0n };

/**
 * @param {Point} one
 * @param {Point} other
 * @returns {Point}
 */
function add(one, other) {
  const a = ((one.y - one.x) * (other.y - other.x)) % P;
  const b = ((one.y + one.x) * (other.y + other.x)) % P;
  const c = (((2n * one.t * other.t) % P) * D) % P;
  const d = (2n * one.z * other.z) % P;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { x: mod(e * f), y: mod(g * h), z: mod(f * g), t: mod(e * h) };
}

/**
 * `factor` times `point`, plus `otherFactor` times `other`: both along one row of doublings.
 * @param {bigint} factor
 * @param {Point} point
 * @param {bigint} [otherFactor]
 * @param {Point} [other]
 */
function multiply(factor, point, otherFactor = 0n, other = NEUTRAL) {
  const sums = [NEUTRAL, point, other, otherFactor === 0n ? NEUTRAL : add(point, other)];
  let result = NEUTRAL;
  for (let bit = 255n; bit >= 0n; bit -= 1n) {
    if (result !== NEUTRAL) result = add(result, result);
    const which = Number((factor >> bit) & 1n) + 2 * Number((otherFactor >> bit) & 1n);
    if (which > 0) result = result === NEUTRAL ? sums[which] : add(result, sums[which]);
  }
  return result;
}

/**
 * @param {Point} one
 * @param {Point} other
 */
function same(one, other) {
  return mod(one.x * other.z - other.x * one.z) === 0n && mod(one.y * other.z - other.y * one.z) === 0n;
}

/** @param {Uint8Array} bytes little-endian */
function toNumber(bytes) {
  let number = 0n;
  for (let at = bytes.length - 1; at >= 0; at -= 1) number = (number << 8n) | BigInt(bytes[at]);
  return number;
}

/** @param {bigint} number */
function toBytes(number) {
  const bytes = new Uint8Array(32);
  for (let at = 0; at < 32; at += 1, number >>= 8n) bytes[at] = Number(number & 0xffn);
  return bytes;
}

/** @param {Point} point */
function encode(point) {
  const inverse = power(point.z, P - 2n);
  const x = mod(point.x * inverse);
  const bytes = toBytes(mod(point.y * inverse));
  bytes[31] |= Number(x & 1n) << 7;
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Point|null} null when they are no point in its one spelling
 */
function decode(bytes) {
  const number = toNumber(bytes);
  const sign = number >> 255n;
  const y = number & ((1n << 255n) - 1n);
  if (bytes.length !== 32 || y >= P) return null;
  // x² = u/v; the candidate root is u v³ (u v⁷)^((p-5)/8).
  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  const v3 = mod(v * v * v);
  let x = mod(u * v3 * power(u * v3 * v3 * v, (P - 5n) / 8n));
  const check = mod(v * x * x);
  if (check === mod(-u)) x = mod(x * ROOT_OF_MINUS_ONE);
  else if (check !== u) return null;
  if (x === 0n && sign === 1n) return null;
  if ((x & 1n) !== sign) x = P - x;
  return { x, y, z: 1n, t: mod(x * y) };
}

const BASE_Y = mod(4n * power(5n, P - 2n));
const BASE = /** @type {Point} */ (decode(toBytes(BASE_Y)));

/** @param {...Uint8Array} parts */
function hash(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return sha512(all);
}

/** @param {Uint8Array} secret 32 random bytes */
function expand(secret) {
  const digest = hash(secret);
  const low = digest.slice(0, 32);
  low[0] &= 248;
  low[31] = (low[31] & 127) | 64;
  return { scalar: toNumber(low), prefix: digest.subarray(32) };
}

/**
 * @param {Uint8Array} secret 32 random bytes
 * @returns {Uint8Array<ArrayBuffer>} the public key: 32 bytes
 */
export function publicKeyOf(secret) {
  return encode(multiply(expand(secret).scalar, BASE));
}

/**
 * @param {Uint8Array} message
 * @param {Uint8Array} secret
 * @returns {Uint8Array<ArrayBuffer>} 64 bytes
 */
export function sign(message, secret) {
  const { scalar, prefix } = expand(secret);
  const publicKey = encode(multiply(scalar, BASE));
  const nonce = toNumber(hash(prefix, message)) % L;
  const point = encode(multiply(nonce, BASE));
  const challenge = toNumber(hash(point, publicKey, message)) % L;
  const signature = new Uint8Array(64);
  signature.set(point);
  signature.set(toBytes((nonce + challenge * scalar) % L), 32);
  return signature;
}

/**
 * @param {Uint8Array} signature
 * @param {Uint8Array} message
 * @param {Uint8Array} publicKey
 * @returns {boolean}
 */
export function verify(signature, message, publicKey) {
  if (signature.length !== 64) return false;
  const key = decode(publicKey);
  const point = decode(signature.subarray(0, 32));
  const scalar = toNumber(signature.subarray(32));
  if (!key || !point || scalar >= L) return false;
  const challenge = toNumber(hash(signature.subarray(0, 32), publicKey, message)) % L;
  // S·B = R + k·A, asked as S·B + k·(-A) = R.
  const minus = { x: mod(-key.x), y: key.y, z: key.z, t: mod(-key.t) };
  return same(multiply(scalar, BASE, challenge, minus), point);
}
