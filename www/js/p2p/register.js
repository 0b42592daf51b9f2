/**
 * Telling the tracker of this device.
 *
 * @typedef {import('./device.js').DeviceKey} DeviceKey
 */

import { toBase64url } from '../crypto/base64url.js';
import { get, post } from '../net/api.js';
import { labelOf } from './device.js';
import { deviceStatement } from './proof.js';

/**
 * @param {DeviceKey} key
 * @param {string} me
 * @returns {Promise<boolean>} whether the tracker knows the device now
 */
export async function register(key, me) {
  const brands = /** @type {any} */ (navigator).userAgentData?.brands?.map((/** @type {{brand: string}} */ { brand }) => brand);
  try {
    await post('/chat/devices', {
      device: key.id, public_key: toBase64url(key.publicKey), label: labelOf(navigator.userAgent, brands),
      signature: toBase64url(await key.sign(deviceStatement({ peer: me, device: key.id }))),
    });
    return true;
  } catch {
    // Without it there are no links; the mailbox works. A stream that comes back tries again.
    return false;
  }
}

/**
 * Registers the device if the tracker doesn't know it: it was removed, or a seventeenth took its place.
 * @param {DeviceKey} key
 * @param {string} me
 * @returns {Promise<boolean>} whether it was unknown and is registered now
 */
export async function registerAnew(key, me) {
  const answer = /** @type {import('../types.js').Devices|null} */ (await get('/chat/devices').catch(() => null));
  if (!answer || answer.devices.some(({ device }) => device === key.id)) return false;
  return register(key, me);
}

/**
 * What the owner calls a device.
 * @param {string} peer
 * @param {string} device
 */
export async function labelFor(peer, device) {
  const { devices } = /** @type {import('../types.js').Devices} */ (await get('/chat/devices', { of: peer }));
  return devices.find((one) => one.device === device)?.label ?? '';
}
