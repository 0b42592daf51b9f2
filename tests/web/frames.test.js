import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembler, CHUNK_BYTES, cut, FRAME_BYTES, FrameError } from '../../www/js/p2p/frames.js';

const buffer = (...bytes) => new Uint8Array(bytes).buffer;
const piece = (mark, length, fill = 0x20) => {
  const message = new Uint8Array(1 + length).fill(fill);
  message[0] = mark;
  return message.buffer;
};

test('a frame that was cut comes together again, at every size around the pieces', () => {
  for (const length of [0, 1, CHUNK_BYTES - 30, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES, FRAME_BYTES - 40]) {
    const frame = { t: 'text', message: 'é'.repeat(length / 2) };
    const assembler = new Assembler();
    const messages = cut(frame);
    messages.forEach((message, index) => {
      assert.ok(message.length <= CHUNK_BYTES);
      assert.equal(message[0], index === messages.length - 1 ? 0 : 1);
      const whole = assembler.take(message.buffer);
      assert.deepEqual(whole, index === messages.length - 1 ? frame : null);
    });
  }
});

test('a frame over the limit is not sent', () => {
  assert.throws(() => cut({ t: 'text', message: 'x'.repeat(FRAME_BYTES) }), FrameError);
});

test('a frame without end is cut off at the limit, and what was held is gone', () => {
  const assembler = new Assembler();
  let taken = 0;
  assert.throws(() => {
    for (; taken < 100; taken += 1) assembler.take(piece(1, CHUNK_BYTES - 1));
  }, FrameError);
  assert.equal(taken, Math.floor(FRAME_BYTES / (CHUNK_BYTES - 1)));
  assert.deepEqual(assembler.take(cut({ t: 'bye' })[0].buffer), { t: 'bye' });
});

test('what breaks the rules ends the link', () => {
  const wrong = [
    buffer(), buffer(1), buffer(2, 3), piece(0, CHUNK_BYTES), 'text', buffer(0), buffer(0, 0x7b), buffer(0, 0xff, 0xfe),
    ...['[]', 'null', '1', '"t"', '{}', '{"t":1}'].map((json) => new Uint8Array([0, ...new TextEncoder().encode(json)]).buffer),
  ];
  for (const message of wrong) assert.throws(() => new Assembler().take(message), FrameError, String(message));
});

test('noise never makes the assembler throw anything else', () => {
  let word = 42;
  const next = () => {
    word = (Math.imul(word, 1103515245) + 12345) & 0x7fffffff;
    return word >> 8;
  };
  const assembler = new Assembler();
  for (let round = 0; round < 5000; round += 1) {
    const message = Uint8Array.from({ length: next() % 40 }, () => next() % (next() % 2 ? 3 : 256));
    try {
      assembler.take(message.buffer);
    } catch (error) {
      assert.ok(error instanceof FrameError);
    }
  }
});
