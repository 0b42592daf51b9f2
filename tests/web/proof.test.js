import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64url } from '../../www/js/crypto/base64url.js';
import { publicKeyOf, sign, verify } from '../../www/js/crypto/ed25519.js';
import { bytesOf, describe, deviceId, deviceStatement, fingerprint, linkStatement, proven, safetyNumber } from '../../www/js/p2p/proof.js';

const HEX = '00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff';
const OTHER = HEX.replace('00:11', '00:12');
const line = (value) => `a=fingerprint:${value}\r\n`;
const keyOf = (seed) => {
  const secret = new Uint8Array(32).fill(seed);
  const publicKey = publicKeyOf(secret);
  return { publicKey, device: deviceId(publicKey), sign: async (text) => sign(bytesOf(text), secret) };
};
const [alice, bob] = [keyOf(1), keyOf(2)];
const from = { peer: 'Alice', device: alice.device };
const to = { peer: 'bob', device: bob.device };

test('the statements are the ones that every implementation signs', () => {
  const [one, two] = ['01'.repeat(16), '02'.repeat(16)];
  assert.equal(deviceStatement({ peer: 'Alice', device: one }), `hybrid-chat device 1\nalice\n${one}`);
  const claim = { role: 'answer', session: 42, from: { peer: 'Alice', device: one }, to: { peer: 'bob', device: two }, offered: 'sha-256 BB' };
  assert.equal(linkStatement(claim, 'sha-256 AA'), `hybrid-chat link 1\nanswer\n42\nalice\n${one}\nbob\n${two}\nsha-256 AA\nsha-256 BB`);
  assert.ok(linkStatement({ ...claim, role: 'offer', offered: undefined }, 'sha-256 AA').endsWith('\nsha-256 AA\n-'));
});

test('a fingerprint is found in one spelling', () => {
  const expected = `sha-256 ${HEX.toUpperCase()}`;
  assert.equal(fingerprint(`v=0\r\n${line(`sha-256 ${HEX}`)}`), expected);
  assert.equal(fingerprint(line(`SHA-256 ${HEX.toUpperCase()}`) + line(`sha-256 ${HEX}`)), expected);
});

test('no, several, foreign and strangely written fingerprints are refused', () => {
  for (const sdp of [
    'v=0\r\n', line(`sha-256 ${HEX}`) + line(`sha-256 ${OTHER}`), line(`sha-256 ${HEX}`) + line(`sha-1 ${HEX}`),
    line(`sha-256 ${HEX.slice(3)}`), line('sha-256'), line(''), line(`sha-256 ${HEX}`) + ` a=fingerprint:sha-256 ${OTHER}`,
    line(`sha-256 ${HEX}`) + `a=FINGERPRINT:sha-256 ${OTHER}`, `${line(`sha-256 ${HEX}`)}b=x\ra=fingerprint:sha-256 ${OTHER}\n`,
  ]) assert.equal(fingerprint(sdp), null, sdp);
});

test('an offer is proven by the key whose hash is the device id, for one session and one receiver', async () => {
  const claim = { role: 'offer', session: 7, from, to };
  const made = await describe(claim, line(`sha-256 ${HEX}`), alice);
  assert.equal(await proven(claim, made, verify), true);
  for (const bent of [
    { ...claim, session: 8 }, { ...claim, role: 'answer', offered: '-' }, { ...claim, to: from }, { ...claim, from: to },
    { ...claim, from: { ...from, peer: 'mallory' } },
  ]) assert.equal(await proven(bent, made, verify), false);
  const other = await describe(claim, line(`sha-256 ${OTHER}`), alice);
  const foreign = await describe(claim, made.sdp, bob);
  for (const bent of [
    { ...made, sdp: other.sdp }, { ...made, signature: other.signature }, { ...made, public_key: foreign.public_key },
    foreign, { ...made, sdp: made.sdp + other.sdp }, { ...made, sdp: '' }, { ...made, signature: `${made.signature}=` },
    { ...made, signature: undefined }, { ...made, public_key: 7 }, { ...made, sdp: made.sdp + 'x'.repeat(20_000) },
  ]) assert.equal(await proven(claim, bent, verify), false);
});

test('an answer is bound to the offer that it answers', async () => {
  const claim = { role: 'answer', session: 7, from: to, to: from, offered: 'sha-256 AA' };
  const made = await describe(claim, line(`sha-256 ${HEX}`), bob);
  assert.equal(await proven(claim, made, verify), true);
  assert.equal(await proven({ ...claim, offered: 'sha-256 AB' }, made, verify), false);
});

test('both people see the same sixty digits, others see other ones', () => {
  const one = { peer: 'Alice', publicKey: toBase64url(alice.publicKey) };
  const other = { peer: 'bob', publicKey: toBase64url(bob.publicKey) };
  const number = safetyNumber(one, other);
  assert.deepEqual(number, safetyNumber(other, { ...one, peer: 'ALICE' }));
  assert.equal(number.length, 12);
  for (const group of number) assert.match(group, /^\d{5}$/);
  assert.notDeepEqual(number, safetyNumber({ ...one, peer: 'mallory' }, other));
  // Worked out from the document with another program.
  assert.equal(number.join(' '), '75701 89948 88250 84948 48963 98583 89374 82565 27886 49045 56612 06170');
});
