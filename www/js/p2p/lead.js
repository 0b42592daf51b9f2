/**
 * What the leading tab holds: the device's key, its links, and the direct messages that are on their way.
 *
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Frame} Frame
 * @typedef {import('./types.js').Way} Way
 * @typedef {import('./device.js').DeviceKey} DeviceKey
 *
 * @typedef {object} LeadHooks
 * @property {() => string} stamp
 * @property {(type: 'up'|'down'|'way'|'frame'|'filechannel', detail: object) => void} fire
 * @property {(remote: Remote, publicKey: string) => void} met   The device at the other end has proven that it holds this key.
 * @property {(remote: Remote) => void} refused                  It could not prove who it is.
 * @property {() => void} changed
 */

import { liveDevices, spelling } from '../core/model.js';
import { fold, samePeer } from '../core/names.js';
import { post } from '../net/api.js';
import { Direct } from './direct.js';
import { ACK_IDS } from './frames.js';
import { iceServers } from './ice.js';
import { Inbox } from './inbox.js';
import { Links } from './links.js';
import { register, registerAnew } from './register.js';

const TICK_MS = 500;

export class Lead {
  #chat;
  #key;
  #posts;
  #hooks;
  #links;
  #direct;
  #inbox;
  /** @type {Map<string, string>} peer → its live devices when last looked at */
  #lives = new Map();
  #ticking;

  /**
   * @param {import('../app/chat.js').Chat} chat
   * @param {DeviceKey} key
   * @param {import('./posts.js').Posts} posts
   * @param {LeadHooks} hooks
   */
  constructor(chat, key, posts, hooks) {
    this.#chat = chat;
    this.#key = key;
    this.#posts = posts;
    this.#hooks = hooks;
    this.me = chat.model.me;
    this.#links = new Links({ peer: fold(this.me), device: key.id }, key, this.#linksHooks(iceServers()));
    this.#direct = new Direct(this.me, {
      devices: (peer) => this.#devices(peer),
      way: (remote) => this.#links.way(remote),
      hopeless: (remote) => this.#links.hopeless(remote),
      want: (remote) => this.#links.want(remote),
      send: (remote, frame) => this.#say(remote, frame),
      stamp: hooks.stamp,
    });
    this.#inbox = new Inbox(this.me, {
      keep: (records) => chat.mail.keep(records),
      answer: (remote, frame) => this.#say(remote, frame),
      spelling: (peer) => spelling(chat.model, peer),
    });
    this.#ticking = setInterval(() => {
      this.#links.tick();
      this.#direct.tick(Date.now());
    }, TICK_MS);
  }

  get links() {
    return this.#links;
  }

  get direct() {
    return this.#direct;
  }

  /** @returns {Promise<boolean>} whether the tracker knows this device now */
  register() {
    return register(this.#key, this.me);
  }

  /** @returns {Promise<boolean>} whether the tracker didn't know this device, and does now */
  registerAnew() {
    return registerAnew(this.#key, this.me);
  }

  /**
   * Wants links to all devices of a peer that are there, and to one's own other ones, for the copies.
   * @param {string} peer
   */
  connect(peer) {
    if (samePeer(peer, this.me)) return;
    for (const remote of [...this.#devices(peer), ...this.#devices(this.me)]) this.#links.want(remote);
  }

  /**
   * A channel message of one's own, for the members who are linked.
   * @param {string} channel
   * @param {string} id
   * @param {string} message
   */
  post(channel, id, message) {
    const members = this.#chat.model.channels.get(channel)?.members;
    const frame = { t: 'post', id, channel, message, timestamp: this.#hooks.stamp() };
    for (const { remote } of this.#links.up()) if (members?.has(remote.peer)) this.#say(remote, frame);
  }

  /** @param {import('./types.js').Signalling} signalling */
  signal(signalling) {
    if (signalling.to_device === this.#key.id && samePeer(signalling.to, this.me)) this.#links.receive(signalling);
  }

  /**
   * Looks at who is there now.
   * @param {string[]} peers folded
   */
  present(peers) {
    for (const peer of peers) {
      const live = [...liveDevices(this.#chat.model, peer)].sort().join();
      if (live === (this.#lives.get(peer) ?? '')) continue;
      this.#lives.set(peer, live);
      this.#links.refresh(peer);
    }
    this.#direct.tick(Date.now());
  }

  close() {
    clearInterval(this.#ticking);
    this.#links.close();
    this.#direct.drop();
  }

  /**
   * @param {() => Promise<RTCIceServer[]>} servers
   * @returns {import('./links.js').LinksHooks}
   */
  #linksHooks(servers) {
    const { fire, met, refused, changed } = this.#hooks;
    return {
      signal: (to, session, signal) => this.#signal(to, session, signal),
      servers,
      live: ({ peer, device }) => liveDevices(this.#chat.model, peer).includes(device),
      up: (remote, publicKey) => {
        met(remote, publicKey);
        this.#direct.up(remote);
        fire('up', { remote, way: this.#links.way(remote) });
      },
      down: (remote) => fire('down', { remote }),
      way: (remote, way) => {
        fire('way', { remote, way });
        changed();
      },
      frame: (remote, frame, way) => this.#frame(remote, frame, way),
      file: (remote, file, channel) => fire('filechannel', { remote, file, channel }),
      refused,
      changed,
    };
  }

  /**
   * @param {Remote} to
   * @param {number} session
   * @param {import('./types.js').Signal} signal
   */
  async #signal(to, session, signal) {
    const body = { from: this.me, from_device: this.#key.id, to: to.peer, to_device: to.device, session, signal };
    try {
      await post('/chat/signal', body, { keepalive: signal.kind === 'bye' });
    } catch (error) {
      if (/** @type {import('../net/api.js').ApiError} */ (error).code === 'device_not_registered') await this.registerAnew();
    }
  }

  /**
   * A peer's devices that are there, this one left out.
   * @param {string} peer
   * @returns {Remote[]}
   */
  #devices(peer) {
    const all = new Set([...this.#links.present(peer), ...liveDevices(this.#chat.model, peer)]);
    all.delete(this.#key.id);
    return [...all].map((device) => ({ peer: fold(peer), device }));
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   */
  #say(remote, frame) {
    // A link that ends meanwhile: its successor gets what wasn't acknowledged.
    this.#links.send(remote, frame).catch(() => undefined);
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   * @param {Way} way
   */
  #frame(remote, frame, way) {
    if (frame.t.startsWith('file_')) {
      this.#hooks.fire('frame', { remote, frame });
      return;
    }
    switch (frame.t) {
      case 'text':
        this.#inbox.take(remote, way, frame, Date.now());
        break;
      case 'ack':
        if (Array.isArray(frame.ids) && frame.ids.length <= ACK_IDS) this.#direct.acked(remote, frame.ids, way, Date.now());
        break;
      case 'refuse':
        if (typeof frame.id === 'string') this.#direct.refused(remote, frame.id, Date.now());
        break;
      case 'post':
        void this.#posts.receive(remote, frame);
    }
  }
}
