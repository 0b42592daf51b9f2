import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, atStart, emptyLog, firstSeq, lastSeq, mergePage, missing, trim } from '../../www/js/core/log.js';

const message = (seq) => ({ seq, id: `m${seq}`, from: 'bob', message: `text ${seq}`, timestamp: '2025-11-05T10:30:00.000Z' });
const page = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => message(from + at));
const seqs = (log) => log.messages.map((one) => one.seq);

test('a message before the first page only raises the head', () => {
  const log = emptyLog(4);
  assert.equal(append(log, message(5)), 'unloaded');
  assert.equal(log.head, 5);
  assert.equal(missing(log), null);
});

test('the next message is added, a known one is not added again', () => {
  const log = emptyLog();
  mergePage(log, page(1, 3), 3);
  assert.equal(append(log, message(4)), 'added');
  assert.equal(append(log, message(4)), 'known');
  assert.equal(append(log, message(2)), 'known');
  assert.deepEqual(seqs(log), [1, 2, 3, 4]);
});

test('a hole is noticed and never shown', () => {
  const log = emptyLog();
  mergePage(log, page(1, 3), 3);
  assert.equal(append(log, message(6)), 'gap');
  assert.deepEqual(seqs(log), [1, 2, 3]);
  assert.equal(missing(log), 3);
  mergePage(log, page(4, 6), 6);
  assert.deepEqual(seqs(log), [1, 2, 3, 4, 5, 6]);
  assert.equal(missing(log), null);
});

test('older history goes before, overlapping pages merge without doubles', () => {
  const log = emptyLog();
  mergePage(log, page(50, 60), 60);
  assert.equal(atStart(log), false);
  mergePage(log, page(40, 52), 60);
  mergePage(log, page(58, 63), 63);
  assert.deepEqual(seqs(log), page(40, 63).map((one) => one.seq));
});

test('a newer page that does not touch replaces, an older one is dropped', () => {
  const log = emptyLog();
  mergePage(log, page(10, 20), 20);
  mergePage(log, page(1, 5), 20);
  assert.equal(firstSeq(log), 10);
  mergePage(log, page(500, 550), 550);
  assert.equal(firstSeq(log), 500);
  assert.equal(lastSeq(log), 550);
});

test('the start of a channel is known from seq 1, or from being empty', () => {
  const log = emptyLog();
  assert.equal(atStart(log), false);
  mergePage(log, [], 0);
  assert.equal(atStart(log), true);
  append(log, message(1));
  assert.equal(atStart(log), true);
});

test('trimming keeps the newest', () => {
  const log = emptyLog();
  mergePage(log, page(1, 100), 100);
  trim(log, 10);
  assert.deepEqual(seqs(log), page(91, 100).map((one) => one.seq));
  assert.equal(atStart(log), false);
});

test('any order of pages and live messages ends in one run without holes', () => {
  let seed = 7;
  const random = (below) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 300; round += 1) {
    const head = 1 + random(60);
    const log = emptyLog();
    for (let step = 0; step < 40; step += 1) {
      const from = 1 + random(head);
      if (random(2)) append(log, message(from));
      else mergePage(log, page(from, Math.min(head, from + random(20))), head);
      const held = seqs(log);
      held.forEach((seq, at) => assert.equal(seq, held[0] + at));
    }
  }
});
