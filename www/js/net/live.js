/**
 * The live stream: one WebSocket to the tracker that comes back by itself.
 *
 * 1. Connect to `/chat/ws`, with the cursor of the last event once there is one, so that the tracker goes on
 *    exactly there.
 * 2. Each event is handed on, and its cursor kept, in the order of arrival.
 * 3. Silence for three heartbeats is a dead link (a suspended laptop, a vanished network): close, come back.
 * 4. A link that ends is tried again after a growing, jittered delay; at once when the network returns.
 * 5. A browser doesn't tell why a WebSocket was refused, so a failed attempt is followed by a plain call that
 *    tells an ended session (401) from an absent server.
 * 6. Where plain calls work and WebSockets don't (some middleboxes), the same events come as Server-Sent Events. Their
 *    heartbeats are comments, which a page can't see: silence there is answered with a plain call.
 *
 * @typedef {import('../types.js').LiveEvent & {cursor?: string}} Received
 * @typedef {'connecting'|'online'|'waiting'|'offline'|'signed-out'|'stopped'} LinkState
 * @typedef {{state: LinkState, retryAt: number}} LinkStatus
 * @typedef {{close: () => void, ping: () => void}} Link
 */

import { backoff } from '../core/backoff.js';

const DEFAULT_HEARTBEAT = 15;
const OPEN_PATIENCE = 10_000;

export class Live {
  /** @type {Link|null} */
  #link = null;
  /** @type {string|null} */
  #cursor = null;
  #attempt = 0;
  #refusedSockets = 0;
  #heartbeat = DEFAULT_HEARTBEAT;
  #heard = 0;
  /** @type {string|null} */
  #device = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {LinkStatus} */
  status = { state: 'connecting', retryAt: 0 };
  #hooks;

  /**
   * @param {object} hooks
   * @param {(event: Received) => void} hooks.event
   * @param {(status: LinkStatus) => void} hooks.status
   * @param {() => Promise<number>} hooks.probe   The status of a plain call, 0 for no answer; 404 when the stream was
   *   refused because its device was not registered, and is now.
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  start() {
    addEventListener('online', () => this.retryNow());
    addEventListener('offline', () => this.#lost('offline'));
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#checkLink();
    });
    setInterval(() => this.#checkLink(), 5000);
    this.#connect();
  }

  /** Whose signals the stream gets. */
  get device() {
    return this.#device;
  }

  /**
   * The stream is this device's: it gets the signals for it.
   * @param {string|null} device
   */
  setDevice(device) {
    if (device === this.#device) return;
    this.#device = device;
    if (this.#link) this.#connect();
  }

  /** The person, or the network, says that it is worth trying now. */
  retryNow() {
    if (this.status.state === 'online' || this.status.state === 'signed-out') return;
    this.#attempt = 0;
    this.#connect();
  }

  /** Ends the stream for good: the session is over. */
  signedOut() {
    this.#drop();
    this.#set('signed-out');
  }

  #connect() {
    this.#drop();
    this.#set('connecting');
    const socket = this.#refusedSockets < 2 || this.#refusedSockets % 4 === 0;
    this.#heard = Date.now();
    this.#link = socket ? this.#openSocket() : this.#openEvents();
  }

  /** @param {string} path */
  #address(path) {
    const url = new URL(path, location.href);
    if (this.#cursor !== null) url.searchParams.set('cursor', this.#cursor);
    if (this.#device !== null) url.searchParams.set('device', this.#device);
    return url;
  }

  /** @returns {Link} */
  #openSocket() {
    const url = this.#address('/chat/ws');
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    let greeted = false;
    /** @type {Link} */
    const link = {
      close: () => socket.close(),
      ping: () => socket.readyState === WebSocket.OPEN && socket.send('{"type":"ping"}'),
    };
    socket.onmessage = (message) => {
      if (this.#link !== link) return;
      greeted = true;
      this.#refusedSockets = 0;
      this.#receive(String(message.data), undefined);
    };
    socket.onclose = () => {
      if (this.#link === link) void this.#failed(!greeted);
    };
    return link;
  }

  /** @returns {Link} */
  #openEvents() {
    const source = new EventSource(this.#address('/chat/events'));
    const ping = () => void this.#hooks.probe().then((status) => {
      if (status === 200) this.#heard = Date.now();
    });
    const link = { close: () => source.close(), ping };
    source.onmessage = (message) => {
      if (this.#link === link) this.#receive(message.data, message.lastEventId);
    };
    source.onerror = () => {
      if (this.#link === link) void this.#failed(true);
    };
    return link;
  }

  /**
   * @param {string} data
   * @param {string|undefined} cursor
   */
  #receive(data, cursor) {
    this.#heard = Date.now();
    /** @type {Received} */
    const event = JSON.parse(data);
    if (event.type === 'hello') {
      this.#heartbeat = event.heartbeat;
      this.#attempt = 0;
      this.#set('online');
    }
    this.#hooks.event(event);
    const next = event.cursor ?? cursor;
    // On a resumed stream `hello` comes before the missed events: theirs are the cursors that count.
    if (next && (event.type !== 'hello' || this.#cursor === null)) this.#cursor = next;
  }

  /** A suspended machine or a dead link shows as silence. */
  #checkLink() {
    if (this.status.state === 'connecting') {
      if (Date.now() - this.#heard > OPEN_PATIENCE) void this.#failed();
      return;
    }
    if (this.status.state !== 'online') return;
    const silence = Date.now() - this.#heard;
    if (silence > this.#heartbeat * 3000) void this.#failed();
    else if (silence > this.#heartbeat * 1500) this.#link?.ping();
  }

  /** @param {boolean} [refused] the link ended before its first event */
  async #failed(refused = false) {
    this.#drop();
    if (!navigator.onLine) {
      this.#lost('offline');
      return;
    }
    const delay = backoff(this.#attempt, Math.random());
    this.#attempt += 1;
    this.#set('waiting', Date.now() + delay);
    this.#timer = setTimeout(() => this.#connect(), delay);
    const status = await this.#hooks.probe();
    if (status === 401) this.signedOut();
    if (refused && status === 200) this.#refusedSockets += 1;
  }

  /** @param {'offline'} state */
  #lost(state) {
    if (this.status.state === 'signed-out') return;
    this.#drop();
    this.#set(state);
    // Not every system says when the network is back.
    this.#timer = setTimeout(() => this.#connect(), 15_000);
  }

  #drop() {
    clearTimeout(this.#timer);
    const link = this.#link;
    this.#link = null;
    link?.close();
  }

  /**
   * @param {LinkState} state
   * @param {number} [retryAt]
   */
  #set(state, retryAt = 0) {
    this.status = { state, retryAt };
    this.#hooks.status(this.status);
  }
}
