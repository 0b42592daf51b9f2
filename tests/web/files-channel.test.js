import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Incoming } from '../../www/js/p2p/files/incoming.js';
import { Outgoing } from '../../www/js/p2p/files/outgoing.js';
import { bytesOf, CHUNK_BYTES, CHUNK_BYTES_TAKEN, pieceCount, PIECE_BYTES, PIECES_AHEAD } from '../../www/js/p2p/files/wire.js';
import { content, dice, hex, settle, sha256, source, until } from './files.support.js';

/** A receiver with a disk in memory. */
function receiver(size, options = {}) {
  const state = { pieces: options.pieces ?? [], digests: options.digests ?? [], said: [], done: null, failed: null, moved: 0, holding: 0, most: 0 };
  state.incoming = new Incoming(size, options.known ?? { digests: state.digests }, {
    send: async (message) => {
      state.said.push(message);
      await options.answer?.(message);
    },
    sha256,
    store: async (n, bytes, digest) => {
      assert.equal(n, state.pieces.length, 'pieces are stored in order');
      assert.equal(hex(await sha256(bytes)), hex(digest));
      await options.store?.(n);
      state.pieces.push(bytes);
    },
    moved: (bytes) => (state.moved = bytes),
    done: (total) => (state.done = total),
    failed: (reason) => {
      assert.equal(state.failed, null, 'it fails once');
      state.failed = reason;
    },
  });
  return state;
}

/** A sender and a receiver joined by a channel that can be looked into, changed, and cut after so many messages. */
async function transfer(bytes, { known = [], pieces = [], cutAfter = Infinity, change = (message) => message, store, read } = {}) {
  let messages = 0;
  let open = true;
  const state = { failed: null, moved: 0, ahead: 0 };
  const to = receiver(bytes.length, { digests: known, pieces, store, answer: async (message) => open && from.take(message) });
  const from = new Outgoing({ ...source(bytes), ...(read ? { read } : {}) }, known.length, {
    send: async (message) => {
      messages += 1;
      if (messages > cutAfter) open = false;
      if (!open) throw new Error('closed');
      const changed = change(message instanceof Uint8Array ? message.slice().buffer : structuredClone(message));
      state.ahead = Math.max(state.ahead, Math.ceil(state.moved / PIECE_BYTES) - to.pieces.length);
      if (changed !== null) to.incoming.take(changed);
      if (messages % 16 === 0) await settle();
    },
    sha256,
    moved: (count) => (state.moved = count),
    failed: (reason) => (state.failed = reason),
  });
  const running = from.run();
  await until(() => to.done !== null || to.failed !== null || state.failed !== null || !open);
  if (to.done === null) from.stop();
  await running;
  await (open ? undefined : to.incoming.close());
  return { ...state, from, to, messages };
}

test('files of every kind of length arrive bit for bit', async () => {
  for (const size of [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3.5 * PIECE_BYTES]) {
    const bytes = content(size);
    const { to, from, moved } = await transfer(bytes);
    assert.equal(hex(await sha256(Buffer.concat(to.pieces))), hex(await sha256(bytes)), `${size}`);
    const digests = Buffer.concat(await Promise.all(to.pieces.map((piece) => sha256(piece))));
    assert.equal(to.done, hex(await sha256(digests)));
    assert.deepEqual(to.said, to.pieces.map((_, n) => ({ t: 'have', pieces: n + 1 })));
    assert.ok(from.ended && moved === size && to.moved === size);
  }
});

test('messages are small, and none crosses the end of a piece', async () => {
  const lengths = [];
  await transfer(content(2 * PIECE_BYTES + 100), { change: (message) => (lengths.push(message.byteLength ?? message.t), message) });
  assert.ok(lengths.every((length) => typeof length === 'string' || length <= CHUNK_BYTES));
  assert.equal(lengths.indexOf('piece'), PIECE_BYTES / CHUNK_BYTES);
  assert.deepEqual(lengths.filter((length) => typeof length === 'string'), ['piece', 'piece', 'piece', 'end']);
});

test('a slow disk holds the sender back: never more than eight pieces ahead', async () => {
  const { to, ahead } = await transfer(content(20 * PIECE_BYTES), {
    store: async () => {
      for (let turn = 0; turn < 200; turn += 1) await settle();
    },
  });
  assert.equal(to.pieces.length, 20);
  assert.equal(ahead, PIECES_AHEAD);
});

test('it goes on where it stopped, wherever the channel breaks', async () => {
  const bytes = content(5.25 * PIECE_BYTES);
  const { below } = dice(11);
  for (let round = 0; round < 25; round += 1) {
    const [known, pieces] = [[], []];
    let carried = 0;
    const starts = [];
    for (let attempt = 0; ; attempt += 1) {
      starts.push(known.length);
      const { to, messages } = await transfer(bytes, { known, pieces, cutAfter: attempt < 12 ? 1 + below(260) : Infinity });
      carried += messages;
      assert.equal(to.failed, null);
      assert.equal(known.length, pieces.length);
      if (to.done) break;
    }
    assert.equal(hex(await sha256(Buffer.concat(pieces))), hex(await sha256(bytes)), `round ${round}`);
    assert.deepEqual(starts, [...starts].sort((one, other) => one - other), 'what was had stays');
    // Each break costs at most what wasn't a whole piece yet.
    const whole = bytes.length / CHUNK_BYTES + 2 * pieceCount(bytes.length);
    assert.ok(carried <= whole + starts.length * (PIECES_AHEAD + 1) * 65, `${carried}`);
  }
});

test('a piece that came whole before the break is kept though the break came first', async () => {
  const bytes = content(2 * PIECE_BYTES);
  const known = [];
  const { to } = await transfer(bytes, { known, cutAfter: 65, store: settle });
  assert.equal(to.pieces.length, 1);
  assert.equal(known.length, 1);
});

test('bytes that changed on the way are never kept', async () => {
  const { below } = dice(3);
  for (let round = 0; round < 20; round += 1) {
    const at = below(130);
    let seen = 0;
    const { to } = await transfer(content(2 * PIECE_BYTES), {
      change: (message) => {
        if (message instanceof ArrayBuffer && seen === at) new Uint8Array(message)[below(message.byteLength)] ^= 1 << below(8);
        if (message instanceof ArrayBuffer) seen += 1;
        return message;
      },
    });
    if (at >= 128) {
      assert.equal(to.failed, null);
    } else {
      assert.equal(to.failed, 'corrupt');
      assert.equal(to.pieces.length, Math.floor(at / 64));
      assert.equal(to.done, null);
    }
  }
});

test('a digest that is not that of the bytes, of a piece or of all, is found', async () => {
  for (const wrong of ['piece', 'end']) {
    const { to } = await transfer(content(PIECE_BYTES), { change: (message) => (message.t === wrong ? { ...message, sha256: '00'.repeat(32) } : message) });
    assert.equal(to.failed, 'corrupt', wrong);
    assert.equal(to.done, null);
  }
});

test('another file under the same id is found at the end', async () => {
  const [one, other] = [content(3 * PIECE_BYTES, 1), content(3 * PIECE_BYTES, 2)];
  const [known, pieces] = [[], []];
  await transfer(one, { known, pieces, cutAfter: 150 });
  assert.ok(known.length > 0);
  const { to } = await transfer(other, { known, pieces });
  assert.equal(to.failed, 'corrupt');
});

/** All that a sender says about a file, in order. */
async function script(bytes) {
  const said = [];
  await transfer(bytes, { change: (message) => (said.push(message), message) });
  return said;
}

/** A receiver that is told all this, as fast as a sender may. */
async function told(size, messages) {
  const to = receiver(size);
  for (const message of messages) {
    to.incoming.take(message);
    if (!(message instanceof ArrayBuffer)) await settle();
  }
  await to.incoming.close();
  return to;
}

test('what is lost, doubled or out of order ends the transfer, and is never taken for the file', async () => {
  const bytes = content(2.5 * PIECE_BYTES);
  const healthy = await script(bytes);
  assert.equal((await told(bytes.length, healthy)).failed, null);
  const { below } = dice(5);
  for (let round = 0; round < 60; round += 1) {
    const messages = [...healthy];
    const at = below(messages.length - 1);
    const how = ['lose', 'double', 'swap'][below(3)];
    if (how === 'lose') messages.splice(at, 1);
    if (how === 'double') messages.splice(at, 0, messages[at]);
    if (how === 'swap') messages.splice(at, 2, messages[at + 1], messages[at]);
    const to = await told(bytes.length, messages);
    assert.equal(to.done, null, `${how} at ${at}`);
    assert.ok(to.failed !== null, `${how} at ${at}`);
    to.pieces.forEach((piece, n) => assert.deepEqual(piece, bytes.slice(n * PIECE_BYTES, n * PIECE_BYTES + piece.length)));
  }
});

test('a message that is too large, empty, or more than the file ends it', async () => {
  const size = 2 * PIECE_BYTES;
  for (const message of [new ArrayBuffer(CHUNK_BYTES_TAKEN + 1), new ArrayBuffer(0)]) assert.equal((await told(size, [message])).failed, 'failed');
  assert.equal((await told(10, [new ArrayBuffer(11)])).failed, 'failed');
  assert.equal((await told(0, [new ArrayBuffer(1)])).failed, 'failed');
  // Larger messages than we send are taken, as long as they end where a piece ends.
  const quarters = Array.from({ length: 4 }, () => new ArrayBuffer(CHUNK_BYTES_TAKEN));
  assert.equal((await told(size, quarters)).failed, null);
  assert.equal((await told(size, [new ArrayBuffer(CHUNK_BYTES), ...quarters])).failed, 'failed');
});

test('control that is malformed or out of place ends it; unknown control is ignored', async () => {
  const sha = '00'.repeat(32);
  const wrong = [
    null, 5, 'text', [], {}, { t: 'have', pieces: 0 }, { t: 'piece', n: 0, sha256: sha }, { t: 'piece', n: 0 }, { t: 'piece', n: -1, sha256: sha },
    { t: 'end', pieces: 2, sha256: sha }, { t: 'end', pieces: 0, sha256: sha }, { t: 'end', pieces: 1e9, sha256: sha },
  ];
  for (const message of wrong) assert.equal((await told(2 * PIECE_BYTES, [message])).failed, 'failed', JSON.stringify(message));
  assert.equal((await told(2 * PIECE_BYTES, [{ t: 'dance' }])).failed, null);
  const filled = Array.from({ length: 64 }, () => new ArrayBuffer(CHUNK_BYTES));
  assert.equal((await told(2 * PIECE_BYTES, [...filled, { t: 'piece', n: 1, sha256: sha }])).failed, 'failed');
  assert.equal((await told(2 * PIECE_BYTES, [...filled.slice(1), { t: 'piece', n: 0, sha256: sha }])).failed, 'failed');
});

test('a sender that runs ahead is stopped before its bytes pile up', async () => {
  const size = 64 * PIECE_BYTES;
  const never = new Promise(() => undefined);
  const to = receiver(size, { store: () => never });
  const chunk = new ArrayBuffer(CHUNK_BYTES_TAKEN);
  const piece = new Uint8Array(PIECE_BYTES);
  const digest = hex(await sha256(piece));
  let n = 0;
  for (; n < 64 && to.failed === null; n += 1) {
    for (let part = 0; part < 4; part += 1) to.incoming.take(chunk);
    to.incoming.take({ t: 'piece', n, sha256: digest });
  }
  assert.equal(to.failed, 'failed');
  assert.ok(n <= PIECES_AHEAD + 2, String(n));
});

test('a full disk ends it', async () => {
  const { to } = await transfer(content(3 * PIECE_BYTES), { store: async (n) => assert.ok(n < 1, 'QuotaExceededError') });
  assert.equal(to.failed, 'unstorable');
  assert.equal(to.pieces.length, 1);
});

test('a file that can’t be read as it was is told as changed', async () => {
  const bytes = content(3 * PIECE_BYTES);
  const ways = [
    async (start, end) => (start > 0 ? Promise.reject(new Error('NotReadableError')) : bytes.slice(start, end)),
    async (start, end) => bytes.slice(start, start > 0 ? end - 1 : end),
  ];
  for (const read of ways) {
    const { failed, to } = await transfer(bytes, { read });
    assert.equal(failed, 'changed');
    assert.equal(to.done, null);
  }
});

test('a receiver that claims more than was sent, takes back, or says nonsense ends it', async () => {
  for (const nonsense of [{ t: 'have', pieces: 3 }, { t: 'have', pieces: 0 }, { t: 'have' }, null, 7, new ArrayBuffer(4), { t: 'piece', n: 0, sha256: '00'.repeat(32) }]) {
    let failed = null;
    const bytes = content(20 * PIECE_BYTES);
    const from = new Outgoing(source(bytes), 1, { send: async () => settle(), sha256, moved: () => undefined, failed: (reason) => (failed = reason) });
    void from.run();
    await until(() => from.have === 1);
    from.take({ t: 'dance' });
    assert.equal(failed, null);
    from.take(nonsense);
    assert.equal(failed, 'failed', JSON.stringify(nonsense));
  }
});

test('without a word from the receiver a sender stops after eight pieces', async () => {
  let sent = 0;
  const bytes = content(12 * PIECE_BYTES);
  const from = new Outgoing(source(bytes), 0, {
    send: async (message) => void (sent += message instanceof Uint8Array ? message.length : 0), sha256, moved: () => undefined, failed: assert.fail,
  });
  const running = from.run();
  await until(() => sent >= PIECES_AHEAD * PIECE_BYTES);
  for (let turn = 0; turn < 50; turn += 1) await settle();
  assert.equal(sent, PIECES_AHEAD * PIECE_BYTES);
  from.stop();
  await running;
});

test('what is here already needs only its end', async () => {
  const bytes = content(1.5 * PIECE_BYTES);
  const whole = await told(bytes.length, await script(bytes));
  for (const [total, done, failed] of [[whole.done, whole.done, null], ['00'.repeat(32), null, 'corrupt']]) {
    const to = receiver(bytes.length, { known: { total } });
    assert.equal(to.incoming.have, 2);
    to.incoming.take({ t: 'end', pieces: 2, sha256: whole.done });
    await to.incoming.close();
    assert.deepEqual([to.done, to.failed], [done, failed]);
  }
});

test('whatever comes over the channel, nothing throws, grows, or passes for the file', async () => {
  const { below } = dice(17);
  const pick = (list) => list[below(list.length)];
  const digests = [hex(await sha256(new Uint8Array(PIECE_BYTES))), '00'.repeat(32), 'zz', 5, undefined];
  for (let round = 0; round < 300; round += 1) {
    const size = pick([0, 1, 5000, PIECE_BYTES, 3 * PIECE_BYTES + 1]);
    const to = receiver(size);
    let from = null;
    let open = true;
    from = new Outgoing(source(content(size)), 0, {
      send: async () => (open ? settle() : Promise.reject(new Error('closed'))), sha256, moved: (count) => assert.ok(count <= size), failed: () => undefined,
    });
    const running = from.run();
    for (let count = below(80); count >= 0; count -= 1) {
      const numbers = [0, 1, 2, 3, 8, -1, 0.5, 2 ** 60, '1', null, undefined];
      const message = pick([
        () => new ArrayBuffer(pick([0, 1, 100, CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES_TAKEN, CHUNK_BYTES_TAKEN + 1])),
        () => ({ t: pick(['piece', 'end', 'have', 'dance', '', 7]), n: pick(numbers), pieces: pick(numbers), sha256: pick(digests) }),
        () => pick([null, [], 'x', 4, true, {}, { t: null }]),
      ])();
      to.incoming.take(message);
      from.take(message);
      if (below(4) === 0) await settle();
    }
    open = false;
    from.stop();
    await Promise.all([to.incoming.close(), running]);
    assert.ok(to.moved <= size);
    if (to.done !== null) {
      assert.equal(Buffer.concat(to.pieces).length, size);
      assert.equal(bytesOf(size, to.incoming.have), size);
    }
  }
});
