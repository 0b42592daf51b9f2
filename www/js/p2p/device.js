/**
 * This browser as a device: its key, made once and kept in IndexedDB; where the browser can, as a key that no page can
 * read. All tabs of one account share it.
 *
 * @typedef {object} KeptKey            As it stands in the table `device`.
 * @property {'self'} key
 * @property {Uint8Array<ArrayBuffer>} publicKey
 * @property {Uint8Array<ArrayBuffer>|CryptoKey} secret   32 bytes, or a key that only signs.
 *
 * @typedef {object} DeviceKey
 * @property {string} id
 * @property {Uint8Array<ArrayBuffer>} publicKey
 * @property {(text: string) => Promise<Uint8Array<ArrayBuffer>>} sign
 * @property {(signature: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>, publicKey: Uint8Array<ArrayBuffer>) => Promise<boolean>} verify
 */

import * as plain from '../crypto/ed25519.js';
import { completed, done } from '../store/db.js';
import { bytesOf, deviceId } from './proof.js';

const KIND = 'Ed25519';

/**
 * @param {IDBDatabase} db
 * @returns {Promise<DeviceKey>}
 */
export async function loadDevice(db) {
  /** @type {KeptKey|undefined} */
  const kept = await done(db.transaction('device').objectStore('device').get('self'));
  if (kept) return usable(kept);
  const made = await make();
  const transaction = db.transaction('device', 'readwrite', { durability: 'strict' });
  transaction.objectStore('device').put(made);
  await completed(transaction);
  return usable(made);
}

/** @returns {Promise<KeptKey>} */
async function make() {
  const pair = await /** @type {Promise<CryptoKeyPair|null>} */ (
    globalThis.crypto.subtle?.generateKey(KIND, false, ['sign', 'verify']).catch(() => null) ?? null);
  if (pair) {
    const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
    return { key: 'self', publicKey, secret: pair.privateKey };
  }
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return { key: 'self', publicKey: plain.publicKeyOf(secret), secret };
}

/**
 * @param {KeptKey} kept
 * @returns {DeviceKey}
 */
function usable({ publicKey, secret }) {
  return {
    id: deviceId(publicKey),
    publicKey,
    sign: async (text) => (secret instanceof Uint8Array
      ? plain.sign(bytesOf(text), secret)
      : new Uint8Array(await crypto.subtle.sign(KIND, secret, bytesOf(text)))),
    verify: (signature, message, key) => verify(signature, message, key),
  };
}

/**
 * With the browser's own means, if it has them.
 * @type {DeviceKey['verify']}
 */
async function verify(signature, message, publicKey) {
  const key = await (globalThis.crypto.subtle?.importKey('raw', publicKey, KIND, false, ['verify']).catch(() => null) ?? null);
  return key ? crypto.subtle.verify(KIND, key, signature, message) : plain.verify(signature, message, publicKey);
}

/**
 * What people call this device.
 * @param {string} agent `navigator.userAgent`
 * @param {string[]} [brands] from `navigator.userAgentData`, on https
 */
export function labelOf(agent, brands = []) {
  const systems = /** @type {[RegExp, string][]} */ ([
    [/Android/, 'Android'], [/iPhone/, 'iPhone'], [/iPad/, 'iPad'], [/CrOS/, 'ChromeOS'], [/Windows/, 'Windows'],
    [/Mac OS X|Macintosh/, 'Mac'], [/Linux/, 'Linux'],
  ]);
  const browsers = /** @type {[RegExp, string][]} */ ([
    [/Edg/, 'Edge'], [/OPR|Opera/, 'Opera'], [/Firefox|FxiOS/, 'Firefox'], [/Chrome|CriOS/, 'Chrome'], [/Chromium/, 'Chromium'],
    [/Safari/, 'Safari'],
  ]);
  const first = (/** @type {[RegExp, string][]} */ names, /** @type {string} */ text) => names.find(([mark]) => mark.test(text))?.[1];
  const named = brands.filter((brand) => !/Not.?A.?Brand|Not/i.test(brand));
  const browser = (named.length > 0 ? first(browsers, named.join(' ')) : undefined) ?? first(browsers, agent) ?? 'Browser';
  const system = first(systems, agent);
  return system ? `${browser} on ${system}` : browser;
}
