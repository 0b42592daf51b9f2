/**
 * What passkeys are asked and answer, as JSON: bytes are base64url there (WebAuthn Level 3). For browsers that don't do this by
 * themselves yet.
 *
 * @typedef {Record<string, any>} Json
 */

import { fromBase64url, toBase64url } from './base64url.js';

/**
 * @param {Json} options  `publicKey` of what the server asks
 * @returns {PublicKeyCredentialCreationOptions}
 */
export function creationOptions(options) {
  return /** @type {any} */ ({
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map(descriptor),
  });
}

/**
 * @param {Json} options  `publicKey` of what the server asks
 * @returns {PublicKeyCredentialRequestOptions}
 */
export function requestOptions(options) {
  return /** @type {any} */ ({
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: (options.allowCredentials ?? []).map(descriptor),
  });
}

/**
 * A new passkey, or the answer of one that was there.
 * @param {PublicKeyCredential} credential
 * @returns {Json}
 */
export function credentialJson(credential) {
  const answer = /** @type {AuthenticatorAttestationResponse & AuthenticatorAssertionResponse} */ (credential.response);
  const response = answer.attestationObject
    ? { clientDataJSON: text(answer.clientDataJSON), attestationObject: text(answer.attestationObject), transports: answer.getTransports?.() ?? [] }
    : {
      clientDataJSON: text(answer.clientDataJSON),
      authenticatorData: text(answer.authenticatorData),
      signature: text(answer.signature),
      ...(answer.userHandle ? { userHandle: text(answer.userHandle) } : {}),
    };
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    ...(credential.authenticatorAttachment ? { authenticatorAttachment: credential.authenticatorAttachment } : {}),
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

/** @param {Json} one */
function descriptor(one) {
  return { ...one, id: bytes(one.id) };
}

/** @param {string} written */
function bytes(written) {
  const read = fromBase64url(written);
  if (!read) throw new TypeError('not base64url');
  return read;
}

/** @param {ArrayBuffer} buffer */
function text(buffer) {
  return toBase64url(new Uint8Array(buffer));
}
