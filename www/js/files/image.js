/**
 * Whether bytes are a picture that may be shown, and how large it is. Only from the bytes themselves, whatever the sender
 * said; only kinds that are nothing but pixels; and only as many pixels as any page can afford.
 *
 * @typedef {{type: string, width: number, height: number}} Picture
 */

/** Pixels at most: a camera's picture fits, one made to use up memory does not. */
const PIXELS = 64e6;
/** Bytes at the start within which a picture tells its size. */
export const HEAD_BYTES = 256 * 1024;

/**
 * @param {Uint8Array} head the first bytes, up to `HEAD_BYTES`
 * @returns {Picture|null}
 */
export function pictureOf(head) {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  try {
    const found = png(view) ?? gif(view) ?? webp(view) ?? jpeg(view);
    return found && found.width > 0 && found.height > 0 && found.width * found.height <= PIXELS ? found : null;
  } catch (error) {
    // It ends before it tells.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {string} text
 */
function says(view, at, text) {
  return [...text].every((char, index) => view.getUint8(at + index) === char.charCodeAt(0));
}

/** @param {DataView} view */
function png(view) {
  if (!says(view, 0, '\x89PNG\r\n\x1a\n') || !says(view, 12, 'IHDR')) return null;
  return { type: 'image/png', width: view.getUint32(16), height: view.getUint32(20) };
}

/** @param {DataView} view */
function gif(view) {
  if (!says(view, 0, 'GIF8')) return null;
  return { type: 'image/gif', width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

/** @param {DataView} view */
function webp(view) {
  if (!says(view, 0, 'RIFF') || !says(view, 8, 'WEBP')) return null;
  const type = 'image/webp';
  if (says(view, 12, 'VP8X')) {
    return { type, width: 1 + (view.getUint32(24, true) & 0xff_ffff), height: 1 + (view.getUint32(26, true) >>> 8) };
  }
  if (says(view, 12, 'VP8L')) {
    const bits = view.getUint32(21, true);
    return { type, width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  if (says(view, 12, 'VP8 ')) return { type, width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  return null;
}

/** @param {DataView} view */
function jpeg(view) {
  if (view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; ;) {
    const marker = view.getUint16(at);
    if (marker < 0xff00) return null;
    // A frame header, in any of its codings; what is between their numbers is something else.
    if (marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker)) {
      return { type: 'image/jpeg', width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    }
    at += marker === 0xffff ? 1 : 2 + view.getUint16(at + 2);
  }
}
