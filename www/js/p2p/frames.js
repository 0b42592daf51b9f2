/**
 * Frames on the channel `msg`: JSON in UTF-8, cut into binary data-channel messages (`docs/p2p.md`).
 *
 * @typedef {import('./types.js').Frame} Frame
 */

export const VERSION = 1;
/** The data channels' protocol name. */
export const PROTOCOL = 'hybrid-chat.1';
/** The label of the channel for frames. */
export const MESSAGES = 'msg';
/** What a file channel's label begins with; the file's id follows. */
export const FILE_PREFIX = 'file:';
/** Bytes of one data-channel message at most. */
export const CHUNK_BYTES = 16 * 1024;
/** Bytes of a frame at most. */
export const FRAME_BYTES = 128 * 1024;
/** Ids in one `ack` at most. */
export const ACK_IDS = 256;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** What came over a link breaks the rules. The link ends. */
export class FrameError extends Error {}

/**
 * @param {Frame} frame
 * @returns {Uint8Array<ArrayBuffer>[]} data-channel messages, in order
 */
export function cut(frame) {
  const bytes = encoder.encode(JSON.stringify(frame));
  if (bytes.length > FRAME_BYTES) throw new FrameError('more bytes than a frame may have');
  const messages = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES - 1) {
    const piece = bytes.subarray(at, at + CHUNK_BYTES - 1);
    const message = new Uint8Array(1 + piece.length);
    message[0] = at + piece.length < bytes.length ? 1 : 0;
    message.set(piece, 1);
    messages.push(message);
  }
  return messages;
}

/** Puts frames together out of data-channel messages. */
export class Assembler {
  /** @type {Uint8Array[]} */
  #held = [];
  #bytes = 0;

  /**
   * Takes a message; gives a frame when it was the last piece of one.
   * @param {unknown} message
   * @returns {Frame|null}
   * @throws {FrameError} what was held is gone
   */
  take(message) {
    try {
      return this.#take(message);
    } catch (error) {
      this.#clear();
      throw error;
    }
  }

  /** @param {unknown} message */
  #take(message) {
    if (!(message instanceof ArrayBuffer)) throw new FrameError('a message that is no piece of a frame');
    const piece = new Uint8Array(message, Math.min(1, message.byteLength));
    if (message.byteLength > CHUNK_BYTES || this.#bytes + piece.length > FRAME_BYTES) {
      throw new FrameError('more bytes than a frame may have');
    }
    const mark = message.byteLength > 0 ? new Uint8Array(message, 0, 1)[0] : 2;
    // A piece without bytes would make a frame that never ends.
    if (mark > 1 || (mark === 1 && piece.length === 0)) throw new FrameError('a message that is no piece of a frame');
    this.#held.push(piece);
    this.#bytes += piece.length;
    if (mark === 1) return null;
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const one of this.#held) {
      whole.set(one, at);
      at += one.length;
    }
    this.#clear();
    return parse(whole);
  }

  #clear() {
    this.#held = [];
    this.#bytes = 0;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Frame}
 */
function parse(bytes) {
  /** @type {any} */
  let frame;
  try {
    frame = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new FrameError('a frame that is no JSON');
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame) || typeof frame.t !== 'string') {
    throw new FrameError('a frame without its kind');
  }
  return frame;
}
