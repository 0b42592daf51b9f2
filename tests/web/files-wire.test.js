import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteLength } from '../../www/js/core/names.js';
import { safeName, shorten } from '../../www/js/p2p/files/names.js';
import { Rate } from '../../www/js/p2p/files/rate.js';
import { fileId } from '../../www/js/p2p/files/transfers.js';
import { newIncoming } from '../../www/js/p2p/files/transfer.js';
import { fileStatement, pieceCount, pieceLength, PIECE_BYTES, readControl, readFrame, startPiece } from '../../www/js/p2p/files/wire.js';
import { dice, sha256 } from './files.support.js';

const file = '0f'.repeat(16);
const digest = 'a0'.repeat(32);
const offer = { t: 'file_offer', file, to: 'bob', name: 'a.txt', size: 5, mime: '', timestamp: '2026-01-01T00:00:00.000Z' };

test('frames about files read as documented', () => {
  for (const frame of [
    offer, { t: 'file_accept', file, from: 1048576 }, { t: 'file_decline', file, reason: 'no_space' },
    { t: 'file_cancel', file, reason: 'changed' }, { t: 'file_done', file },
  ]) assert.deepEqual(readFrame({ ...frame, added: 'later' }), frame);
});

test('a reason that a newer version gives reads as the commonest one', () => {
  assert.equal(readFrame({ t: 'file_decline', file, reason: 'tired' }).reason, 'declined');
  assert.equal(readFrame({ t: 'file_cancel', file, reason: 'tired' }).reason, 'cancelled');
});

test('frames that break the rules are none', () => {
  const wrong = [
    null, undefined, 5, 'file_done', [], {}, { t: 'file_done' }, { t: 'file_done', file: 5 }, { t: 'file_done', file: file.toUpperCase() },
    { t: 'file_done', file: `${file}0` }, { t: 'file_dance', file }, { ...offer, to: '' }, { ...offer, to: 'no blanks' }, { ...offer, name: '' },
    { ...offer, name: 'x'.repeat(256) }, { ...offer, name: 7 }, { ...offer, size: -1 }, { ...offer, size: 1.5 }, { ...offer, size: 2 ** 53 },
    { ...offer, size: '5' }, { ...offer, size: Number.NaN }, { ...offer, mime: null }, { ...offer, timestamp: 'yesterday' }, { t: 'file_accept', file },
    { t: 'file_accept', file, from: -1 }, { t: 'file_accept', file, from: '0' }, { t: 'file_decline', file }, { t: 'file_cancel', file, reason: 3 },
  ];
  for (const frame of wrong) assert.equal(readFrame(frame), null, JSON.stringify(frame));
});

test('control messages read as documented, unknown ones are ignored, broken ones are none', () => {
  for (const control of [{ t: 'piece', n: 0, sha256: digest }, { t: 'end', pieces: 3, sha256: digest }, { t: 'have', pieces: 2 }]) {
    assert.deepEqual(readControl({ ...control, added: 1 }), control);
  }
  assert.equal(readControl({ t: 'dance', tempo: 3 }), 'unknown');
  const wrong = [
    null, 5, 'have', [], {}, { t: 5 }, { t: 'have' }, { t: 'have', pieces: -1 }, { t: 'have', pieces: 0.5 }, { t: 'have', pieces: '2' },
    { t: 'piece', n: 0 }, { t: 'piece', n: 0, sha256: 'ab' }, { t: 'piece', sha256: digest }, { t: 'end', pieces: 1, sha256: digest.toUpperCase() },
  ];
  for (const control of wrong) assert.equal(readControl(control), null, JSON.stringify(control));
});

test('a file has as many pieces as it needs, and the last one is what is left', () => {
  assert.deepEqual([0, 1, PIECE_BYTES, PIECE_BYTES + 1].map(pieceCount), [0, 1, 1, 2]);
  assert.equal(pieceLength(PIECE_BYTES + 5, 1), 5);
});

test('a transfer goes on at a whole piece or at the end, nowhere else', () => {
  assert.equal(startPiece(3 * PIECE_BYTES, PIECE_BYTES), 1);
  assert.equal(startPiece(PIECE_BYTES + 7, PIECE_BYTES + 7), 2);
  assert.equal(startPiece(0, 0), 0);
  for (const from of [1, PIECE_BYTES - 1, 4 * PIECE_BYTES]) assert.equal(startPiece(3 * PIECE_BYTES, from), null);
});

test('the same file for the same person has the same id, any other another', async () => {
  assert.equal(fileStatement('Bob', 'a.txt', 5, 7), 'hybrid-chat file 1\nbob\na.txt\n5\n7');
  const id = await fileId(sha256, 'bob', 'a.txt', 5, 7);
  // printf 'hybrid-chat file 1\nbob\na.txt\n5\n7' | sha256sum | cut -c1-32
  assert.equal(id, 'bf8728ad18b0349460f7f2a5b1aa6deb');
  assert.equal(await fileId(sha256, 'BOB', 'a.txt', 5, 7), id);
  for (const other of [['eve', 'a.txt', 5, 7], ['bob', 'b.txt', 5, 7], ['bob', 'a.txt', 6, 7], ['bob', 'a.txt', 5, 8]]) {
    assert.notEqual(await fileId(sha256, ...other), id);
  }
});

test('names lose what leads out of a folder or hides what they are', () => {
  const names = {
    'report.pdf': 'report.pdf', '../../etc/passwd': 'passwd', 'C:\\Windows\\cmd.exe': 'cmd.exe', '/': 'file', '..': 'file', '.': 'file', '': 'file',
    '.bashrc': 'bashrc', 'a\u0000b\u001f\u007f\u0085.txt': 'ab.txt', 'photo\u202egpj.exe': 'photogpj.exe', '\u2066x\u2069.txt': 'x.txt',
    'zero\u200bwidth\ufeff': 'zerowidth', 'trailing. . ': 'trailing', 'line\nbreak': 'linebreak', 'half\ud800pair': 'halfpair',
    'Bài tập số 1.docx': 'Bài tập số 1.docx', '家族👨‍👩‍👧.png': '家族👨‍👩‍👧.png', '<img src=x onerror=alert(1)>': '<img src=x onerror=alert(1)>',
  };
  for (const [given, safe] of Object.entries(names)) assert.equal(safeName(given), safe.normalize('NFC'), JSON.stringify(given));
});

test('a long name keeps its ending and fits, whole letters only', () => {
  const short = shorten(`${'dài'.repeat(200)}.tar.gz`);
  assert.ok(byteLength(short) <= 255 && short.endsWith('….gz'), short);
  assert.ok(byteLength(shorten('👨'.repeat(100))) <= 255);
  assert.equal(shorten('x'.repeat(255)), 'x'.repeat(255));
});

test('whatever comes as a name, what is kept fits and is plain', () => {
  const { below } = dice(7);
  for (let round = 0; round < 2000; round += 1) {
    const given = Array.from({ length: below(400) }, () => String.fromCharCode(below(4) === 0 ? below(0x10000) : below(0x80))).join('');
    const safe = safeName(given);
    assert.ok(safe.length > 0 && byteLength(safe) <= 255, JSON.stringify(given));
    assert.doesNotMatch(safe, /[/\\\p{Cc}\u202a-\u202e\u2066-\u2069]|^\.|^\s*$/u);
  }
});

test('speed is that of the last seconds', () => {
  const rate = new Rate();
  rate.add(0, 0);
  assert.equal(rate.speed(100), null);
  for (let at = 1; at <= 100; at += 1) rate.add(at * 100, at * 100_000);
  assert.ok(Math.abs(rate.speed(10_000) - 1_000_000) < 30_000, String(rate.speed(10_000)));
  for (let at = 101; at <= 200; at += 1) rate.add(at * 100, 10_000_000 + (at - 100) * 10_000);
  assert.ok(rate.speed(20_000) < 120_000, String(rate.speed(20_000)));
  assert.ok(Math.abs(rate.left(20_000, 1_000_000) - 10) < 1.5);
  assert.ok(rate.speed(60_000) < 20_000, 'a standstill shows');
});

test('a sender whose clock is off files under the receiver’s own time', () => {
  const now = Date.parse('2026-01-01T12:00:00.000Z');
  const what = { file, peer: 'Ann', name: 'a', size: 1, mime: '' };
  assert.equal(newIncoming(what, '2026-01-01T11:59:00.000Z', now).at, '2026-01-01T11:59:00.000Z');
  assert.equal(newIncoming(what, '2030-01-01T00:00:00.000Z', now).at, '2026-01-01T12:00:00.000Z');
  assert.equal(newIncoming(what, '2026-01-01T11:59:00.000Z', now).peer, 'ann');
});
