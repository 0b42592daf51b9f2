/**
 * Base64url without padding (RFC 4648 §5): how keys and signatures are written.
 */

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** @param {Uint8Array} bytes */
export function toBase64url(bytes) {
  let out = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const rest = bytes.length - at;
    const word = (bytes[at] << 16) | ((rest > 1 ? bytes[at + 1] : 0) << 8) | (rest > 2 ? bytes[at + 2] : 0);
    out += LETTERS[word >> 18] + LETTERS[(word >> 12) & 63];
    if (rest > 1) out += LETTERS[(word >> 6) & 63];
    if (rest > 2) out += LETTERS[word & 63];
  }
  return out;
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>|null} null for anything but the one right spelling of some bytes
 */
export function fromBase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    word = ((word << 6) | LETTERS.indexOf(letter)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = (word >> bits) & 0xff;
      at += 1;
    }
  }
  // Bits that stand for nothing must be zero, or one key would have several spellings.
  return (word & ((1 << bits) - 1)) === 0 ? bytes : null;
}

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
