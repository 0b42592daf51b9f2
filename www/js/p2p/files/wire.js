/**
 * What two devices say about files (docs/p2p.md, "Files"; the Rust crate `wire`, module `p2p`, has the same numbers):
 * the limits, and reading what the other side says. What doesn't fit its type never gets further than here.
 *
 * @typedef {'declined'|'taken'|'no_space'|'too_large'|'busy'} DeclineReason
 * @typedef {'cancelled'|'failed'|'changed'|'corrupt'} CancelReason
 *
 * @typedef {object} FileOffer
 * @property {'file_offer'} t
 * @property {string} file        The file's id: 32 hex digits.
 * @property {string} to
 * @property {string} name
 * @property {number} size
 * @property {string} mime
 * @property {string} timestamp   RFC 3339, UTC
 *
 * @typedef {{t: 'file_accept', file: string, from: number}} FileAccept
 * @typedef {{t: 'file_decline', file: string, reason: DeclineReason}} FileDecline
 * @typedef {{t: 'file_cancel', file: string, reason: CancelReason}} FileCancel
 * @typedef {{t: 'file_done', file: string}} FileDone
 * @typedef {FileOffer|FileAccept|FileDecline|FileCancel|FileDone} FileFrame
 *
 * @typedef {{t: 'piece', n: number, sha256: string}} PieceControl
 * @typedef {{t: 'end', pieces: number, sha256: string}} EndControl
 * @typedef {{t: 'have', pieces: number}} HaveControl
 */

import { byteLength, fold, isPeerId } from '../../core/names.js';

/** Bytes of one message with a file's bytes, as sent. */
export const CHUNK_BYTES = 16 * 1024;
/** The same, as taken. */
export const CHUNK_BYTES_TAKEN = 256 * 1024;
/** Bytes of a piece: what is checked and acknowledged at once. */
export const PIECE_BYTES = 1024 * 1024;
/** Pieces that a sender may be ahead of what the receiver has. */
export const PIECES_AHEAD = 8;
/** Bytes of a file's name at most. */
export const NAME_BYTES = 255;
/** Transfers at once, each way. */
export const AT_ONCE = 8;
/** Offers of one peer that may wait for an answer. */
export const OFFERS_OPEN = 32;

/**
 * Pieces of a file of so many bytes.
 * @param {number} size
 */
export function pieceCount(size) {
  return Math.ceil(size / PIECE_BYTES);
}

/**
 * Bytes of one piece.
 * @param {number} size of the file
 * @param {number} n
 */
export function pieceLength(size, n) {
  return Math.min(PIECE_BYTES, size - n * PIECE_BYTES);
}

/**
 * Bytes that the first pieces make.
 * @param {number} size of the file
 * @param {number} have
 */
export function bytesOf(size, have) {
  return Math.min(size, have * PIECE_BYTES);
}

/**
 * The piece that a transfer goes on with, if `from` is a place where one can.
 * @param {number} size
 * @param {number} from
 * @returns {number|null}
 */
export function startPiece(size, from) {
  if (from === size) return pieceCount(size);
  return from < size && from % PIECE_BYTES === 0 ? from / PIECE_BYTES : null;
}

/**
 * What a file's id is the hash of.
 * @param {string} to
 * @param {string} name
 * @param {number} size
 * @param {number} modified milliseconds since 1970
 */
export function fileStatement(to, name, size, modified) {
  return `hybrid-chat file 1\n${fold(to)}\n${name}\n${size}\n${modified}`;
}

/**
 * @param {Uint8Array} bytes
 */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const FILE_ID = /^[0-9a-f]{32}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const DECLINES = ['declined', 'taken', 'no_space', 'too_large', 'busy'];
const CANCELS = ['cancelled', 'failed', 'changed', 'corrupt'];

/** @param {unknown} n */
function isCount(n) {
  return typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
}

/**
 * Reads a frame about a file. Reasons that a newer version gives read as the commonest one.
 * @param {any} frame
 * @returns {FileFrame|null} null when it breaks the rules
 */
export function readFrame(frame) {
  const { t, file } = frame ?? {};
  if (typeof file !== 'string' || !FILE_ID.test(file)) return null;
  switch (t) {
    case 'file_offer': {
      const { to, name, size, mime, timestamp } = frame;
      const fits = typeof to === 'string' && isPeerId(to) && typeof name === 'string' && name !== '' && byteLength(name) <= NAME_BYTES
        && isCount(size) && typeof mime === 'string' && typeof timestamp === 'string' && !Number.isNaN(Date.parse(timestamp));
      return fits ? { t, file, to, name, size, mime: mime.slice(0, 127), timestamp: timestamp.slice(0, 40) } : null;
    }
    case 'file_accept':
      return isCount(frame.from) ? { t, file, from: frame.from } : null;
    case 'file_decline':
      return typeof frame.reason === 'string' ? { t, file, reason: DECLINES.includes(frame.reason) ? frame.reason : 'declined' } : null;
    case 'file_cancel':
      return typeof frame.reason === 'string' ? { t, file, reason: CANCELS.includes(frame.reason) ? frame.reason : 'cancelled' } : null;
    case 'file_done':
      return { t, file };
    default:
      return null;
  }
}

/**
 * Reads a text message of a file's channel.
 * @param {any} control
 * @returns {PieceControl|EndControl|HaveControl|'unknown'|null} null when it breaks the rules; `unknown` ones are ignored
 */
export function readControl(control) {
  if (typeof control !== 'object' || control === null || typeof control.t !== 'string') return null;
  const { t, n, pieces, sha256 } = control;
  const digest = typeof sha256 === 'string' && DIGEST.test(sha256);
  switch (t) {
    case 'piece':
      return isCount(n) && digest ? { t, n, sha256 } : null;
    case 'end':
      return isCount(pieces) && digest ? { t, pieces, sha256 } : null;
    case 'have':
      return isCount(pieces) ? { t, pieces } : null;
    default:
      return 'unknown';
  }
}
