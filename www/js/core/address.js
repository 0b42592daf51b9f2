/**
 * Addresses under which others reach this chat.
 */

/** Addresses that mean "this computer" to every computer. */
const LOOPBACK = /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|\/|$)/i;

/** @param {string} address */
export function isLoopback(address) {
  return LOOPBACK.test(address);
}

/**
 * The address to hand out: this page's own, unless it is one for this computer only.
 * @param {string} here  this page's origin
 * @param {string[]} addresses  those that the server knows, the best first
 * @returns {string} empty when none is known
 */
export function outsideOrigin(here, addresses) {
  return isLoopback(here) ? addresses[0] ?? '' : here;
}
