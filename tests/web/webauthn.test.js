import assert from 'node:assert/strict';
import { test } from 'node:test';
import { creationOptions, credentialJson, requestOptions } from '../../www/js/crypto/webauthn.js';

const bytes = (...of) => new Uint8Array(of);
const credential = (response, more = {}) => ({
  id: '-_8', rawId: bytes(0xfb, 0xff).buffer, type: 'public-key', getClientExtensionResults: () => ({ credProps: { rk: true } }), response, ...more,
});

test('what the server asks becomes bytes, and everything else stays', () => {
  const { challenge, user, excludeCredentials, rp } = creationOptions({
    rp: { id: 'localhost', name: 'Chat' }, challenge: '-_8', user: { id: 'AQID', name: 'ana', displayName: 'ana' },
    excludeCredentials: [{ id: 'BA', type: 'public-key', transports: ['usb'] }],
  });
  assert.deepEqual(challenge, bytes(0xfb, 0xff));
  assert.deepEqual(user, { id: bytes(1, 2, 3), name: 'ana', displayName: 'ana' });
  assert.deepEqual(excludeCredentials, [{ id: bytes(4), type: 'public-key', transports: ['usb'] }]);
  assert.deepEqual(rp, { id: 'localhost', name: 'Chat' });
  assert.deepEqual(
    requestOptions({ challenge: 'AQ', rpId: 'localhost', userVerification: 'required' }),
    { challenge: bytes(1), rpId: 'localhost', userVerification: 'required', allowCredentials: [] });
  assert.deepEqual(requestOptions({ challenge: 'AQ', allowCredentials: [{ id: 'BA', type: 'public-key' }] }).allowCredentials, [{ id: bytes(4), type: 'public-key' }]);
});

test('what is no base64url is not asked of an authenticator', () => {
  assert.throws(() => requestOptions({ challenge: '+/8=' }), TypeError);
});

test('a new passkey is told with its attestation', () => {
  const told = credentialJson(credential(
    { clientDataJSON: bytes(1).buffer, attestationObject: bytes(2).buffer, getTransports: () => ['internal'] }, { authenticatorAttachment: 'platform' }));
  assert.deepEqual(told, {
    id: '-_8', rawId: '-_8', type: 'public-key', authenticatorAttachment: 'platform', clientExtensionResults: { credProps: { rk: true } },
    response: { clientDataJSON: 'AQ', attestationObject: 'Ag', transports: ['internal'] },
  });
});

test('an answer is told with its signature, and with its owner where it knows one', () => {
  const answer = { clientDataJSON: bytes(1).buffer, authenticatorData: bytes(2).buffer, signature: bytes(3).buffer, userHandle: null };
  assert.deepEqual(credentialJson(credential(answer)).response, { clientDataJSON: 'AQ', authenticatorData: 'Ag', signature: 'Aw' });
  assert.equal(credentialJson(credential({ ...answer, userHandle: bytes(4).buffer })).response.userHandle, 'BA');
});
