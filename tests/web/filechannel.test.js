import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUFFERED_BYTES, FileChannel, room } from '../../www/js/p2p/filechannel.js';

/** As much of a data channel as counts here. */
class Channel extends EventTarget {
  readyState = 'open';
  bufferedAmount = 0;
  out = [];

  send(data) {
    this.out.push(data);
    this.bufferedAmount += data.length;
  }

  take(data) {
    const event = new Event('message');
    event.data = data;
    this.dispatchEvent(event);
  }

  drain() {
    this.bufferedAmount = 0;
    this.dispatchEvent(new Event('bufferedamountlow'));
  }

  close() {
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }
}

function open() {
  const channel = new Channel();
  const count = { sent: 0, received: 0 };
  const file = new FileChannel(channel, { sent: (bytes) => { count.sent += bytes; }, received: (bytes) => { count.received += bytes; } });
  return { channel, count, file };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('bytes go as bytes, objects as JSON, both ways', async () => {
  const { channel, file, count } = open();
  await file.send(new Uint8Array([1, 2, 3]));
  await file.send({ t: 'have', pieces: 1 });
  assert.deepEqual(channel.out, [new Uint8Array([1, 2, 3]), '{"t":"have","pieces":1}']);
  const got = [];
  file.onmessage = (message) => got.push(message);
  channel.take(new Uint8Array([4]).buffer);
  channel.take('{"t":"end"}');
  assert.deepEqual(got, [new Uint8Array([4]).buffer, { t: 'end' }]);
  assert.deepEqual(count, { sent: 26, received: 12 });
});

test('who sends waits while a MiB waits to go out', async () => {
  const { channel, file } = open();
  let through = false;
  void file.send(new Uint8Array(BUFFERED_BYTES)).then(() => { through = true; });
  await turn();
  assert.equal(through, false);
  channel.drain();
  await turn();
  assert.equal(through, true);
});

test('who waits for room hears of the end', async () => {
  const { channel, file } = open();
  const sending = file.send(new Uint8Array(BUFFERED_BYTES));
  let ends = 0;
  file.onclose = () => { ends += 1; };
  channel.close();
  await assert.rejects(sending);
  await assert.rejects(file.send({}));
  file.close();
  assert.equal(ends, 1);
  channel.bufferedAmount = BUFFERED_BYTES;
  await assert.rejects(room(channel));
});

test('what comes before somebody listens waits, but not without end', () => {
  const { channel, file } = open();
  channel.take('{"t":"piece"}');
  channel.take(new ArrayBuffer(5));
  const got = [];
  file.onmessage = (message) => got.push(message.t ?? message.byteLength);
  assert.deepEqual(got, ['piece', 5]);
  const flood = open();
  for (let n = 0; n < 65; n += 1) flood.channel.take(new ArrayBuffer(256 * 1024));
  assert.equal(flood.channel.readyState, 'closed');
});

test('a text that is no JSON object ends the channel', () => {
  for (const text of ['{', '7', 'null', '"x"']) {
    const { channel } = open();
    channel.take(text);
    assert.equal(channel.readyState, 'closed', text);
  }
});
