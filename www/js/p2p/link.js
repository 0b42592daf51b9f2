/**
 * One connection to one device: the browser's RTCPeerConnection, the channel `msg` on it, and what files open beside it.
 * A link counts as up when both sides have said hello; it never comes back: who wants another makes another.
 *
 * @typedef {import('./types.js').Frame} Frame
 * @typedef {import('./types.js').Way} Way
 *
 * @typedef {object} LinkHooks
 * @property {(candidate: string) => void} candidate   A candidate for the other side; an empty one ends them.
 * @property {() => void} up
 * @property {(way: Way) => void} way                  The way has changed since `up`.
 * @property {(frame: Frame) => void} frame            Any but `hello`, `ping`, `pong` and `bye`.
 * @property {(file: string, channel: FileChannel) => void} file   The other side opened a file's channel.
 * @property {(why: 'bye'|'lost'|'broken') => void} down   Once, unless this side closed it.
 */

import { Assembler, cut, FILE_PREFIX, FrameError, MESSAGES, PROTOCOL, VERSION } from './frames.js';
import { BUFFERED_BYTES, FileChannel, room } from './filechannel.js';
import { wayOf } from './way.js';

const AGENT = 'hybrid-chat-web/1';
/** What `disconnected` is given to heal. */
const PATIENCE_MS = 5000;
/** How often the way is looked at, beside the moments when it is known to have changed. */
const LOOK_MS = 10_000;
/** File channels of the other side on one link at most. */
const FILE_CHANNELS = 64;

/** What a link was asked for when it ended. */
export class LinkEnded extends Error {
  constructor() {
    super('the link ended');
  }
}

export class Link {
  /** @type {Way} */
  way = 'direct';
  isUp = false;
  /** Whether `up` was told, ever. */
  wasUp = false;
  /** When something other than a ping last passed, by `performance.now()`. */
  active = performance.now();
  sent = 0;
  received = 0;
  #pc;
  #hooks;
  /** @type {RTCDataChannel|null} */
  #channel = null;
  #assembler = new Assembler();
  /** @type {Set<FileChannel>} */
  #files = new Set();
  #greeted = false;
  #saidHello = false;
  #ended = false;
  /** @type {() => void} */
  #tellEnd = () => undefined;
  #over = new Promise((/** @type {(value: void) => void} */ resolve) => {
    this.#tellEnd = resolve;
  });
  #saidEnd = false;
  /** Whether this side has any address to offer. */
  #reachable = false;
  /** @type {Promise<void>} */
  #sending = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #patience;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #looking;

  /**
   * @param {RTCIceServer[]} servers
   * @param {LinkHooks} hooks
   */
  constructor(servers, hooks) {
    this.#hooks = hooks;
    this.#pc = new RTCPeerConnection({ iceServers: servers });
    this.#pc.onicecandidate = ({ candidate }) => {
      // The end comes as an empty candidate, as null, or as one after the other.
      const line = candidate?.candidate ?? '';
      if (line === '' && this.#saidEnd) return;
      this.#saidEnd ||= line === '';
      this.#reachable ||= line !== '';
      hooks.candidate(line);
      // Where UDP is forbidden altogether, waiting would be in vain.
      if (line === '' && !this.#reachable) this.#lost('lost');
    };
    this.#pc.onconnectionstatechange = () => this.#stateChanged();
    this.#pc.ondatachannel = ({ channel }) => this.#opened(channel);
  }

  /** @returns {Promise<string>} the SDP to offer */
  async offer() {
    const channel = this.#pc.createDataChannel(MESSAGES, { protocol: PROTOCOL });
    this.#use(channel);
    channel.addEventListener('open', () => this.#sayHello());
    await this.#unlessEnded(this.#pc.setLocalDescription());
    return this.#pc.localDescription?.sdp ?? '';
  }

  /**
   * @param {string} sdp the offer
   * @returns {Promise<string>} the SDP to answer
   */
  async answer(sdp) {
    await this.#unlessEnded(this.#pc.setRemoteDescription({ type: 'offer', sdp }));
    await this.#unlessEnded(this.#pc.setLocalDescription());
    return this.#pc.localDescription?.sdp ?? '';
  }

  /** @param {string} sdp the answer */
  async accept(sdp) {
    await this.#unlessEnded(this.#pc.setRemoteDescription({ type: 'answer', sdp }));
  }

  /** @param {string} candidate */
  async addCandidate(candidate) {
    // A candidate that this browser can't use is no misfortune: there are others.
    await this.#unlessEnded(this.#pc.addIceCandidate({ candidate, sdpMLineIndex: 0 })).catch(() => undefined);
  }

  /**
   * What a connection was asked for when it is closed is never answered (WebRTC §4.4.1.2): nobody may wait for it.
   * @template T
   * @param {Promise<T>} asked
   * @returns {Promise<T>} rejects when the link ends
   */
  #unlessEnded(asked) {
    return Promise.race([asked, this.#over.then(() => Promise.reject(new LinkEnded()))]);
  }

  /**
   * @param {Frame} frame
   * @returns {Promise<void>} once less than 1 MiB waits to go out
   */
  send(frame) {
    if (!this.isUp) return Promise.reject(new Error('the link is not up'));
    this.active = performance.now();
    return this.#put(frame);
  }

  /**
   * @param {string} file
   * @returns {Promise<FileChannel>}
   */
  openFile(file) {
    if (!this.isUp) return Promise.reject(new Error('the link is not up'));
    return this.#wrap(this.#pc.createDataChannel(FILE_PREFIX + file, { protocol: PROTOCOL })).opened();
  }

  /** Closes on purpose. The caller tells the other side by a signal as well. */
  close() {
    if (this.isUp && this.#channel && this.#channel.bufferedAmount < BUFFERED_BYTES) {
      for (const message of cut({ t: 'bye' })) this.#channel.send(message);
    }
    // A moment for the frame to leave.
    this.#end(200);
  }

  /**
   * In order, and no faster than the channel takes them.
   * @param {Frame} frame
   */
  #put(frame) {
    const messages = cut(frame);
    const channel = /** @type {RTCDataChannel} */ (this.#channel);
    const turn = this.#sending.then(async () => {
      for (const message of messages) {
        await room(channel);
        channel.send(message);
        this.sent += message.byteLength;
      }
      await room(channel);
    });
    this.#sending = turn.catch(() => undefined);
    return turn;
  }

  /** @param {RTCDataChannel} channel one that the other side opened */
  #opened(channel) {
    if (this.#ended || channel.protocol !== PROTOCOL || !channel.ordered) return channel.close();
    if (channel.label === MESSAGES && !this.#channel) return this.#use(channel);
    const file = /^file:([0-9a-f]{32})$/.exec(channel.label)?.[1];
    if (!file || !this.isUp || this.#files.size >= FILE_CHANNELS) return channel.close();
    return this.#hooks.file(file, this.#wrap(channel));
  }

  /** @param {RTCDataChannel} channel */
  #wrap(channel) {
    const file = new FileChannel(channel, {
      sent: (bytes) => {
        this.sent += bytes;
        this.active = performance.now();
      },
      received: (bytes) => {
        this.received += bytes;
        this.active = performance.now();
      },
    });
    this.#files.add(file);
    channel.addEventListener('close', () => this.#files.delete(file));
    return file;
  }

  /** @param {RTCDataChannel} channel the one for frames */
  #use(channel) {
    this.#channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = BUFFERED_BYTES / 2;
    channel.addEventListener('message', (event) => this.#receive(event.data));
    channel.addEventListener('close', () => this.#lost('lost'));
  }

  /**
   * The side that made the channel says it once the channel is open, the other one in answer to that: Chromium hands a
   * channel on as open a moment before what is sent on it gets through.
   */
  #sayHello() {
    if (this.#saidHello) return;
    this.#saidHello = true;
    void this.#put({ t: 'hello', version: VERSION, agent: AGENT }).catch(() => undefined);
  }

  /** @param {unknown} data */
  #receive(data) {
    if (this.#ended) return;
    this.received += data instanceof ArrayBuffer ? data.byteLength : 0;
    try {
      const frame = this.#assembler.take(data);
      if (frame) this.#take(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#lost('broken');
    }
  }

  /** @param {Frame} frame */
  #take(frame) {
    if (!this.#greeted) {
      if (frame.t !== 'hello' || !Number.isInteger(frame.version) || frame.version < VERSION) throw new FrameError('no hello');
      this.#greeted = true;
      this.#sayHello();
      void this.#comeUp();
      return;
    }
    switch (frame.t) {
      case 'ping':
        void this.#put({ t: 'pong', n: frame.n }).catch(() => undefined);
        return;
      case 'bye':
        this.#lost('bye');
        return;
      case 'hello':
      case 'pong':
        return;
      default:
        this.active = performance.now();
        if (this.#waiting) this.#waiting.push(frame);
        else this.#hooks.frame(frame);
    }
  }

  /**
   * Frames that follow the hello while the way is still being looked up.
   * @type {Frame[]|null}
   */
  #waiting = [];

  /** Who says that it is up must know which way it goes. */
  async #comeUp() {
    // Where the browser doesn't tell, nobody is promised a direct way.
    this.way = await wayOf(this.#pc).catch(() => /** @type {const} */ ('relayed'));
    if (this.#ended) return;
    this.isUp = true;
    this.wasUp = true;
    this.active = performance.now();
    this.#hooks.up();
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const frame of waiting) this.#hooks.frame(frame);
    this.#looking = setInterval(() => void this.#look(), LOOK_MS);
    const ice = this.#pc.sctp?.transport.iceTransport;
    ice?.addEventListener('selectedcandidatepairchange', () => void this.#look());
    // A candidate that was first met by its packets is named only later.
    setTimeout(() => void this.#look(), 1000);
  }

  async #look() {
    if (this.#ended) return;
    const way = await wayOf(this.#pc).catch(() => this.way);
    if (this.#ended || way === this.way) return;
    this.way = way;
    this.#hooks.way(way);
  }

  #stateChanged() {
    clearTimeout(this.#patience);
    const state = this.#pc.connectionState;
    if (state === 'failed' || state === 'closed') this.#lost('lost');
    if (state === 'disconnected') this.#patience = setTimeout(() => this.#lost('lost'), PATIENCE_MS);
  }

  /** @param {'bye'|'lost'|'broken'} why */
  #lost(why) {
    if (this.#ended) return;
    this.#end(0);
    this.#hooks.down(why);
  }

  /** @param {number} after milliseconds until the connection is let go of */
  #end(after) {
    if (this.#ended) return;
    this.#ended = true;
    this.isUp = false;
    this.#tellEnd();
    clearTimeout(this.#patience);
    clearInterval(this.#looking);
    for (const file of this.#files) file.close();
    const pc = this.#pc;
    pc.onicecandidate = null;
    pc.onconnectionstatechange = null;
    pc.ondatachannel = null;
    if (after > 0) setTimeout(() => pc.close(), after);
    else pc.close();
  }
}
