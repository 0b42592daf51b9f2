/**
 * Names of peers and channels, with the rules of the services (crate `wire`, module `ids`), and ids
 * for messages. `crypto.randomUUID` exists only on https and localhost, so ids are made by hand.
 */

/** Characters of a name at most. */
export const NAME_CHARS = 64;
/** Bytes of a message at most. */
export const MESSAGE_BYTES = 16 * 1024;

const encoder = new TextEncoder();

/**
 * The form in which spellings of one peer id meet: ASCII lower case.
 * @param {string} peer
 */
export function fold(peer) {
  return peer.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/**
 * Whether two spellings name the same peer.
 * @param {string} one
 * @param {string} other
 */
export function samePeer(one, other) {
  return fold(one) === fold(other);
}

/**
 * Whether a text can be a peer id or an account's name.
 * @param {string} text
 */
export function isPeerId(text) {
  return /^[A-Za-z0-9\-_.@:+]{1,64}$/.test(text);
}

/**
 * What a person typed as a channel's name, in the one spelling that the tracker takes: composed (NFC),
 * without a leading #, blanks as hyphens.
 * @param {string} typed
 */
export function tidyChannelName(typed) {
  return typed.normalize('NFC').trim().replace(/^#+/, '').trim().replace(/\s+/g, '-');
}

/**
 * Whether a text can be a channel's name.
 * @param {string} name
 */
export function isChannelName(name) {
  const length = [...name].length;
  return length > 0 && length <= NAME_CHARS && /^[\p{Alphabetic}\p{N}\-_.+]+$/u.test(name);
}

/**
 * Bytes of a text in UTF-8, the measure of the message limit.
 * @param {string} text
 */
export function byteLength(text) {
  return encoder.encode(text).length;
}

/**
 * A message id: 48 bits of time, so that ids sort by age, and 80 random bits.
 * @param {number} now milliseconds since 1970
 * @param {Uint8Array} [noise] ten random bytes
 */
export function messageId(now, noise = crypto.getRandomValues(new Uint8Array(10))) {
  const random = [...noise].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${now.toString(16).padStart(12, '0')}-${random}`;
}

/**
 * A number 0-7 for a name, always the same: the colour of its avatar.
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 2166136261;
  for (const char of fold(name)) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  }
  return (hash >>> 7) % 8;
}

/**
 * One or two letters that stand for a name.
 * @param {string} name
 */
export function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? words.slice(0, 2).map((word) => [...word][0]) : [...(words[0] ?? '?')].slice(0, 2);
  return letters.join('').toUpperCase();
}
