import assert from 'node:assert/strict';
import * as node from 'node:crypto';
import { test } from 'node:test';
import { fromBase64url, toBase64url, toHex } from '../../www/js/crypto/base64url.js';
import { publicKeyOf, sign, verify } from '../../www/js/crypto/ed25519.js';
import { Sha256, sha256 } from '../../www/js/crypto/sha256.js';
import { sha512 } from '../../www/js/crypto/sha512.js';

const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const text = (string) => new TextEncoder().encode(string);
/** Repeatable noise. */
function noise(length, seed) {
  const out = new Uint8Array(length);
  let word = seed * 2654435761 + 1;
  for (let at = 0; at < length; at += 1) {
    word = Math.imul(word ^ (word >>> 15), 2246822519) + at;
    out[at] = word >>> 11;
  }
  return out;
}

test('SHA-256 of the examples of its standard', () => {
  assert.equal(toHex(sha256(text('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(toHex(sha256(text(''))), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(toHex(sha256(text('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'))),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1');
});

test('SHA-512 of the examples of its standard', () => {
  assert.equal(toHex(sha512(text('abc'))), 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a'
    + '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f');
  assert.equal(toHex(sha512(text(''))), 'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce'
    + '47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e');
});

test('digests agree with another implementation at every length around the block sizes', () => {
  for (let length = 0; length <= 300; length += 1) {
    const data = noise(length, length);
    for (const [kind, digest] of [['sha256', sha256(data)], ['sha512', sha512(data)]]) {
      assert.equal(toHex(digest), node.createHash(kind).update(data).digest('hex'), `${kind} of ${length}`);
    }
  }
});

test('a stream has the digest of the whole, however it is cut', () => {
  const data = noise(10_000, 5);
  for (const step of [1, 7, 63, 64, 65, 1000, 4096]) {
    const hash = new Sha256();
    for (let at = 0; at < data.length; at += step) hash.update(data.subarray(at, at + step));
    assert.equal(toHex(hash.digest()), node.createHash('sha256').update(data).digest('hex'), `by ${step}`);
  }
});

// RFC 8032 §7.1: secret, public key, message, signature.
const VECTORS = [
  ['9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'],
  ['4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'],
  ['c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7', 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', 'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'],
];

test('Ed25519 gives the keys and signatures of its RFC', () => {
  for (const [secret, key, message, signature] of VECTORS) {
    assert.equal(toHex(publicKeyOf(bytes(secret))), key);
    assert.equal(toHex(sign(bytes(message), bytes(secret))), signature);
    assert.equal(verify(bytes(signature), bytes(message), bytes(key)), true);
  }
});

test('Ed25519 agrees with another implementation, both ways', () => {
  for (let round = 0; round < 8; round += 1) {
    const secret = noise(32, round + 100);
    const message = noise(round * 37, round);
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret]);
    const theirs = node.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const theirPublic = node.createPublicKey(theirs);
    const key = new Uint8Array(theirPublic.export({ format: 'der', type: 'spki' })).slice(-32);
    assert.equal(toHex(publicKeyOf(secret)), toHex(key));
    assert.equal(verify(new Uint8Array(node.sign(null, message, theirs)), message, key), true);
    assert.equal(node.verify(null, message, theirPublic, sign(message, secret)), true);
  }
});

test('a signature fits one message, one key, one spelling', () => {
  const [, key, message, signature] = VECTORS[2].map(bytes);
  for (let at = 0; at < 64; at += 1) {
    const bent = signature.slice();
    bent[at] ^= 1;
    assert.equal(verify(bent, message, key), false, `byte ${at}`);
  }
  assert.equal(verify(signature, text('other'), key), false);
  assert.equal(verify(signature, message, publicKeyOf(noise(32, 1))), false);
  assert.equal(verify(signature.subarray(1), message, key), false);
  assert.equal(verify(signature, message, key.subarray(1)), false);
  assert.equal(verify(signature, message, new Uint8Array(32).fill(0xff)), false);
  // S + L is the same number modulo L: RFC 8032 §5.1.7 refuses it.
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let scalar = BigInt(`0x${toHex(signature.slice(32).reverse())}`) + order;
  const high = signature.slice();
  for (let at = 32; at < 64; at += 1, scalar >>= 8n) high[at] = Number(scalar & 0xffn);
  assert.equal(verify(high, message, key), false);
});

test('base64url has one spelling for some bytes', () => {
  for (let length = 0; length < 50; length += 1) {
    const data = noise(length, length + 9);
    const spelled = toBase64url(data);
    assert.equal(spelled, Buffer.from(data).toString('base64url'));
    assert.deepEqual(fromBase64url(spelled), data);
  }
  for (const wrong of ['A', 'AB=', 'AB==', 'A+A_', 'A/', 'Ä', 'AB C', 'AB', 'AAB']) {
    const data = fromBase64url(wrong);
    assert.ok(data === null || toBase64url(data) === wrong, wrong);
  }
  assert.equal(fromBase64url('AB'), null);
});
