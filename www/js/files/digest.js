/** SHA-256 with the browser's own engine where it offers one (https and localhost), and with ours on plain http. */

import { sha256 } from '../crypto/sha256.js';

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Uint8Array>} 32 bytes
 */
export async function digestOf(bytes) {
  return globalThis.crypto?.subtle ? new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)) : sha256(bytes);
}
