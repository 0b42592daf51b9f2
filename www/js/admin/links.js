/**
 * Links for other people: an address that leads here from their devices.
 */

import { outsideOrigin } from '../core/address.js';
import { get } from '../net/api.js';

/**
 * @param {string} path
 * @returns {Promise<string>}
 */
export async function publicLink(path) {
  const addresses = await get('/auth/addresses').then((answer) => /** @type {import('../types.js').Addresses} */ (answer).addresses, () => []);
  return new URL(path, outsideOrigin(location.origin, addresses) || location.origin).href;
}
