/**
 * Who is at the other end: what devices sign, and how it is checked (`docs/p2p.md`). Statements are texts of lines, so that they
 * are the same in every implementation; a test pins them.
 *
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Description} Description
 *
 * @typedef {object} Claim              What a description must prove.
 * @property {'offer'|'answer'} role
 * @property {number} session
 * @property {Remote} from              The signing side.
 * @property {Remote} to
 * @property {string} [offered]         The offer's fingerprint, in an answer.
 */

import { fromBase64url, toBase64url, toHex } from '../crypto/base64url.js';
import { sha256 } from '../crypto/sha256.js';
import { fold } from '../core/names.js';

/** Bytes of an SDP at most. */
export const SDP_BYTES = 16 * 1024;

const encoder = new TextEncoder();

/** @param {string} text */
export function bytesOf(text) {
  return encoder.encode(text);
}

/**
 * A device's id: half of its key's hash.
 * @param {Uint8Array} publicKey
 */
export function deviceId(publicKey) {
  return toHex(sha256(publicKey).subarray(0, 16));
}

/**
 * What a device signs to register.
 * @param {Remote} me
 */
export function deviceStatement({ peer, device }) {
  return `hybrid-chat device 1\n${fold(peer)}\n${device}`;
}

/**
 * What the signature of an offer or answer says.
 * @param {Claim} claim
 * @param {string} own the signing side's fingerprint
 */
export function linkStatement({ role, session, from, to, offered }, own) {
  const lines = ['hybrid-chat link 1', role, session, fold(from.peer), from.device, fold(to.peer), to.device, own];
  return [...lines, role === 'answer' ? offered : '-'].join('\n');
}

/**
 * The one DTLS fingerprint of an SDP: `sha-256 ` and 32 upper-case hex bytes joined by colons. Null when it has none,
 * several that differ, or one of another kind: an SDP with a second, unsigned one would be an open door.
 * @param {string} sdp
 * @returns {string|null}
 */
export function fingerprint(sdp) {
  /** @type {string|null} */
  let found = null;
  // Whatever a browser might take for the end of a line is one here.
  for (const line of sdp.split(/[\r\n]+/)) {
    if (!/^\s*a\s*=\s*fingerprint/i.test(line)) continue;
    const match = /^a=fingerprint:sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})\s*$/i.exec(line);
    if (!match) return null;
    const value = `sha-256 ${match[1].toUpperCase()}`;
    if (found !== null && found !== value) return null;
    found = value;
  }
  return found;
}

/**
 * Signs one's own offer or answer.
 * @param {Claim} claim
 * @param {string} sdp
 * @param {{publicKey: Uint8Array, sign: (text: string) => Promise<Uint8Array>}} key
 * @returns {Promise<Description>}
 */
export async function describe(claim, sdp, key) {
  const own = fingerprint(sdp);
  if (own === null) throw new Error('this browser made a description without a fingerprint');
  const signature = await key.sign(linkStatement(claim, own));
  return { sdp, public_key: toBase64url(key.publicKey), signature: toBase64url(signature) };
}

/**
 * Checks that a description was made by the device that it claims to come from.
 * @param {Claim} claim
 * @param {Description} description
 * @param {(signature: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>, publicKey: Uint8Array<ArrayBuffer>) => Promise<boolean>|boolean} verify
 * @returns {Promise<boolean>}
 */
export async function proven(claim, description, verify) {
  const { sdp, public_key: key, signature: signed } = description;
  if (typeof sdp !== 'string' || typeof key !== 'string' || typeof signed !== 'string' || sdp.length > SDP_BYTES) return false;
  const publicKey = fromBase64url(key);
  const signature = fromBase64url(signed);
  const own = fingerprint(sdp);
  if (publicKey?.length !== 32 || signature?.length !== 64 || own === null) return false;
  if (deviceId(publicKey) !== claim.from.device) return false;
  return verify(signature, bytesOf(linkStatement(claim, own)), publicKey);
}

/**
 * The number that two people compare: 60 digits in twelve groups, the same on both sides.
 * @param {{peer: string, publicKey: string}} one   the key in base64url
 * @param {{peer: string, publicKey: string}} other
 * @returns {string[]}
 */
export function safetyNumber(one, other) {
  const halves = [one, other].map(({ peer, publicKey }) => {
    const digest = sha256(bytesOf(`hybrid-chat safety number 1\n${fold(peer)}\n${publicKey}`));
    return [0, 5, 10, 15, 20, 25].map((at) => {
      const number = digest.subarray(at, at + 5).reduce((sum, byte) => sum * 256 + byte, 0);
      return String(number % 100_000).padStart(5, '0');
    });
  });
  return halves.sort(([...a], [...b]) => (a.join('') <= b.join('') ? -1 : 1)).flat();
}
