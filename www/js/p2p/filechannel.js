/**
 * A file's own data channel, as file transfer sees it (`types.js`).
 *
 * @typedef {import('./types.js').FileChannel} FileChannelShape
 */

/** No more than this waits to go out on a data channel. */
export const BUFFERED_BYTES = 1024 * 1024;
/** Of a file less: with more, Chromium's first burst overruns the other side's socket, and both then wait for seconds. */
const FILE_BUFFERED_BYTES = 256 * 1024;
/** Bytes that may come before somebody listens. */
const EARLY_BYTES = 16 * 1024 * 1024;

/** @implements {FileChannelShape} */
export class FileChannel {
  /** @type {(() => void)|null} */
  onclose = null;
  #channel;
  #meter;
  /** @type {((message: ArrayBuffer|object) => void)|null} */
  #onmessage = null;
  /** @type {(ArrayBuffer|object)[]} */
  #early = [];
  #earlyBytes = 0;
  #closed = false;

  /**
   * @param {RTCDataChannel} channel
   * @param {{sent: (bytes: number) => void, received: (bytes: number) => void}} meter
   */
  constructor(channel, meter) {
    this.#channel = channel;
    this.#meter = meter;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = FILE_BUFFERED_BYTES / 2;
    channel.addEventListener('message', (event) => this.#receive(event.data));
    channel.addEventListener('close', () => this.#ended());
  }

  /** Resolves once the channel is open. */
  opened() {
    return new Promise((/** @type {(channel: FileChannel) => void} */ resolve, reject) => {
      if (this.#channel.readyState === 'open') resolve(this);
      this.#channel.addEventListener('open', () => resolve(this), { once: true });
      this.#channel.addEventListener('close', () => reject(new Error('the link ended')), { once: true });
    });
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(listener) {
    this.#onmessage = listener;
    if (!listener) return;
    const early = this.#early;
    this.#early = [];
    this.#earlyBytes = 0;
    for (const message of early) listener(message);
  }

  /**
   * @param {Uint8Array<ArrayBuffer>|object} message
   * @returns {Promise<void>}
   */
  async send(message) {
    if (this.#closed) throw new Error('the channel is closed');
    if (message instanceof Uint8Array) {
      this.#channel.send(message);
      this.#meter.sent(message.byteLength);
    } else {
      const text = JSON.stringify(message);
      this.#channel.send(text);
      this.#meter.sent(text.length);
    }
    await room(this.#channel, FILE_BUFFERED_BYTES);
  }

  close() {
    this.#channel.close();
    this.#ended();
  }

  /** @param {ArrayBuffer|string} data */
  #receive(data) {
    if (this.#closed) return;
    const bytes = typeof data === 'string' ? data.length : data.byteLength;
    this.#meter.received(bytes);
    /** @type {any} */
    let message = data;
    if (typeof data === 'string') {
      try {
        message = JSON.parse(data);
      } catch {
        return this.close();
      }
      if (typeof message !== 'object' || message === null) return this.close();
    }
    if (this.#onmessage) return this.#onmessage(message);
    this.#early.push(message);
    this.#earlyBytes += bytes;
    if (this.#earlyBytes > EARLY_BYTES) this.close();
    return undefined;
  }

  #ended() {
    if (this.#closed) return;
    this.#closed = true;
    this.#early = [];
    this.onclose?.();
  }
}

/**
 * Until less than so many bytes wait to go out; the channel's own threshold is below.
 * @param {RTCDataChannel} channel
 * @param {number} [limit]
 * @returns {Promise<void>} rejects when the channel closes before
 */
export async function room(channel, limit = BUFFERED_BYTES) {
  while (channel.bufferedAmount >= limit) {
    await new Promise((resolve, reject) => {
      const done = () => {
        channel.removeEventListener('bufferedamountlow', done);
        channel.removeEventListener('close', done);
        if (channel.readyState === 'open') resolve(undefined);
        else reject(new Error('the channel is closed'));
      };
      channel.addEventListener('bufferedamountlow', done);
      channel.addEventListener('close', done);
      if (channel.readyState !== 'open') done();
    });
  }
}
