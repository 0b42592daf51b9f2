/**
 * The browser's way to passkeys: whether there is one, making a passkey, and showing one.
 *
 * @typedef {import('../crypto/webauthn.js').Json} Json
 * @typedef {import('./i18n.js').Key} Key
 */

import { creationOptions, credentialJson, requestOptions } from '../crypto/webauthn.js';
import { ApiError } from '../net/api.js';
import { Cancelled } from './act.js';

/**
 * Why this browser has no passkeys at this address.
 * @returns {Key|null}
 */
export function hindrance() {
  // Without a secure context browsers hide the interface, so this comes first.
  if (!isSecureContext) return 'passkey.insecure';
  return typeof PublicKeyCredential === 'function' && navigator.credentials ? null : 'passkey.nobrowser';
}

/**
 * Has the person make a passkey.
 * @param {import('../types.js').PasskeyOptions} asked
 * @param {AbortSignal} [signal]  it is wanted no more
 * @returns {Promise<Json>} what the server is told
 */
export function makePasskey({ options: { publicKey: json } }, signal) {
  return prompted(() => navigator.credentials.create({
    signal,
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON?.(/** @type {any} */ (json)) ?? creationOptions(json),
  }));
}

/** Whether this browser can offer passkeys among what it fills in. @returns {Promise<boolean>} */
export async function canSuggest() {
  return hindrance() === null && await PublicKeyCredential.isConditionalMediationAvailable?.() === true;
}

/**
 * Has the person show a passkey.
 * @param {import('../types.js').PasskeyOptions} asked
 * @param {AbortSignal} [signal]  it is wanted no more
 * @param {CredentialMediationRequirement} [mediation]  `conditional`: only offered, among what the browser fills in
 * @returns {Promise<Json>} what the server is told
 */
export function showPasskey({ options: { publicKey: json } }, signal, mediation) {
  return prompted(() => navigator.credentials.get({
    signal,
    mediation,
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON?.(/** @type {any} */ (json)) ?? requestOptions(json),
  }));
}

/**
 * @param {() => Promise<Credential|null>} prompt
 * @returns {Promise<Json>} rejects with {@link Cancelled} when the prompt was closed
 */
async function prompted(prompt) {
  try {
    const credential = /** @type {PublicKeyCredential|null} */ (await prompt());
    if (!credential) throw new Cancelled();
    return credential.toJSON?.() ?? credentialJson(credential);
  } catch (problem) {
    if (!(problem instanceof DOMException)) throw problem;
    // Closed, or waited too long; browsers don't tell one from the other, nor from having no passkey for this site. They said what
    // there is to say.
    if (problem.name === 'NotAllowedError' || problem.name === 'AbortError') throw new Cancelled();
    throw new ApiError(0, CODES[problem.name] ?? 'passkey_failed', problem.message);
  }
}

/** @type {Record<string, string>} */
const CODES = { InvalidStateError: 'passkey_exists', SecurityError: 'passkey_address' };
