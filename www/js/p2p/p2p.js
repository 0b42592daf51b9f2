/**
 * This account's devices and links, as the rest of the page sees them (`Peers` in types.js).
 *
 * One tab leads: it has the device's live stream and the links. The others show what it tells them, and ask it. Where the
 * browser lacks WebRTC, IndexedDB or BroadcastChannel, there are no links, and everything goes by the mailbox.
 *
 * @typedef {import('./types.js').Peers} Peers
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Frame} Frame
 * @typedef {import('./links.js').LinkView} LinkView
 * @typedef {import('./trust.js').Known} Known
 * @typedef {import('../core/outbox.js').OutItem} OutItem
 *
 * What the leader tells the other tabs.
 * @typedef {{views: LinkView[], refusals: [string, string][], device: string, publicKey: string}} Told
 * @typedef {'off'|'direct'|'relayed'|'connecting'|'none'|'idle'|'offline'} TalkState
 */

import { liveDevices, POST_MS, spelling, takePost, tidyPosts } from '../core/model.js';
import { byteLength, fold, isChannelName, MESSAGE_BYTES, samePeer } from '../core/names.js';
import { toBase64url } from '../crypto/base64url.js';
import { get, post } from '../net/api.js';
import { Direct } from './direct.js';
import { labelOf, loadDevice } from './device.js';
import { ACK_IDS } from './frames.js';
import { iceServers } from './ice.js';
import { CLOCK_MS, Inbox, isMessageId } from './inbox.js';
import { elect } from './leader.js';
import { Links } from './links.js';
import { deviceStatement } from './proof.js';
import { Trust } from './trust.js';

const TICK_MS = 500;
/** A tab that hears of no leader for so long goes on without one. */
const ELECTION_MS = 600;
/** A message waits so long for the list of who is there. */
const ACQUAINTANCE_MS = 5000;
/** Changes of links are told to other tabs at most so often. */
const TELL_MS = 100;

/** @implements {Peers} */
export class P2p extends EventTarget {
  device = '';
  isLeader = false;
  /** @type {Told} */
  #told = { views: [], refusals: [], device: '', publicKey: '' };
  /** @type {Map<string, string>} peer → device that could not prove who it is */
  #refusals = new Map();
  /** @type {Map<string, string>} peer → its live devices when last looked at */
  #lives = new Map();
  /** @type {import('./device.js').DeviceKey|null} */
  #key = null;
  /** @type {Links|null} */
  #links = null;
  /** @type {Direct|null} */
  #direct = null;
  /** @type {BroadcastChannel|null} */
  #tabs = null;
  #chat;
  #ice = iceServers();
  #stamped = 0;
  #telling = false;
  /** @type {() => void} */
  #settled = () => undefined;
  /** @type {() => void} */
  #meet = () => undefined;
  /** Over once it is known who is there, or the server was away for too long to tell. */
  #acquainted = new Promise((/** @type {(value: void) => void} */ resolve) => {
    this.#meet = resolve;
    setTimeout(resolve, ACQUAINTANCE_MS);
  });
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #ticking;

  /** @param {import('../app/chat.js').Chat} chat */
  constructor(chat) {
    super();
    this.#chat = chat;
    this.me = chat.model.me;
    this.enabled = 'RTCPeerConnection' in window && 'BroadcastChannel' in window && chat.store.db !== null;
    this.trust = new Trust(chat.store.db, (known) => this.#tabs?.postMessage({ trust: known }));
    this.#inbox = new Inbox(this.me, {
      keep: (records) => chat.mail.keep(records),
      answer: (remote, frame) => this.#say(remote, frame),
      spelling: (peer) => spelling(chat.model, peer),
    });
  }

  #inbox;

  /** Whether this tab brings the account's direct messages to their receivers. */
  get sends() {
    return !this.enabled || this.isLeader;
  }

  /** Finds out who leads; over once that is known and, if it is this tab, its device is registered. */
  async start() {
    if (!this.enabled) return;
    await this.trust.load().catch(() => undefined);
    this.#tabs = new BroadcastChannel(`hybrid-chat-links:${fold(this.me)}`);
    this.#tabs.onmessage = ({ data }) => this.#hear(data);
    await new Promise((resolve) => {
      this.#settled = () => resolve(undefined);
      setTimeout(resolve, ELECTION_MS);
      this.#tabs?.postMessage({ ask: 'state' });
      elect(`hybrid-chat-leader:${fold(this.me)}`, { lead: () => void this.#lead(), lose: () => this.#lose() });
    });
    addEventListener('online', () => this.#links?.refresh());
  }

  // --- what files and views use ---------------------------------------------------------------------

  /** @param {string} peer */
  links(peer) {
    return this.#links?.up(peer) ?? [];
  }

  /** @param {string} peer */
  connect(peer) {
    if (!this.#links) {
      this.#tabs?.postMessage({ ask: 'connect', peer });
      return;
    }
    if (samePeer(peer, this.me)) return;
    for (const remote of [...this.#devices(peer), ...this.#devices(this.me)]) this.#links.want(remote);
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   */
  send(remote, frame) {
    return this.#links?.send(remote, frame) ?? Promise.reject(new Error('there is no link'));
  }

  /**
   * @param {Remote} remote
   * @param {string} file
   */
  openFile(remote, file) {
    return this.#links?.openFile(remote, file) ?? Promise.reject(new Error('there is no link'));
  }

  /** @param {string} peer */
  hold(peer) {
    return this.#links?.hold(peer) ?? (() => undefined);
  }

  /** A timestamp that no other message of this device has. */
  stamp() {
    this.#stamped = Math.max(Date.now(), this.#stamped + 1);
    return new Date(this.#stamped).toISOString();
  }

  /** This device's public key in base64url; empty until it is known in this tab. */
  get publicKey() {
    return this.#key ? toBase64url(this.#key.publicKey) : this.#told.publicKey;
  }

  /** This browser's device id, whichever tab leads. */
  get ownDevice() {
    return this.device || this.#told.device;
  }

  /**
   * The person has compared a device's safety number, or takes that back.
   * @param {string} peer
   * @param {string} device
   * @param {string} publicKey
   * @param {boolean} verified
   */
  async compared(peer, device, publicKey, verified) {
    const known = await this.trust.meet(peer, device, publicKey, Date.now(), false);
    await this.trust.mark(known, { verified, notice: false });
    this.#chat.changed();
  }

  /**
   * The links to a peer's devices, whichever tab has them.
   * @param {string} peer
   */
  views(peer) {
    const views = this.#links?.views() ?? this.#told.views;
    return views.filter((view) => view.peer === fold(peer));
  }

  /**
   * What a talk's header says.
   * @param {string} peer
   * @returns {TalkState}
   */
  talkState(peer) {
    if (!this.enabled) return 'off';
    const views = this.views(peer);
    const up = views.filter((view) => view.state === 'up');
    if (up.length > 0) return up.some((view) => view.way === 'direct') ? 'direct' : 'relayed';
    const live = liveDevices(this.#chat.model, peer);
    if (live.length === 0) return this.#chat.model.peers.get(fold(peer))?.online ? 'none' : 'offline';
    const states = views.filter((view) => live.includes(view.device)).map((view) => view.state);
    if (states.includes('connecting')) return 'connecting';
    return states.includes('failed') ? 'none' : 'idle';
  }

  /**
   * The device of a peer that could not prove who it is, if there was one.
   * @param {string} peer
   */
  refusal(peer) {
    return this.#refusals.get(fold(peer)) ?? null;
  }

  /**
   * The person has seen it.
   * @param {string} peer
   */
  dismissRefusal(peer) {
    this.#refusals.delete(fold(peer));
    this.#tabs?.postMessage({ ask: 'dismiss', peer });
    this.#changed();
  }

  // --- what the chat hands in -----------------------------------------------------------------------

  /**
   * Brings a direct message to the devices of its receiver.
   * @param {OutItem} item
   * @returns {Promise<import('./direct.js').Reached|null>} null when the mailbox has to take it
   */
  async deliver({ id, target, text, reached }) {
    // A page that has just been loaded doesn't know yet who is there.
    if (this.isLeader) await this.#acquainted;
    return this.#direct?.deliver({ id, to: target, message: text, reached: reached === true }, Date.now()) ?? null;
  }

  /**
   * Whether messages to a peer are just going to the mailbox.
   * @param {string} peer
   */
  mailing(peer) {
    return this.#direct?.mailing(peer) ?? false;
  }

  /** @param {OutItem} item that the mailbox has now, or doesn't take */
  mailed({ id, target }) {
    this.#direct?.mailed(target, id);
  }

  /**
   * A message has this time: what this device says from now on comes after it, in everybody's list.
   * @param {string} timestamp
   */
  passed(timestamp) {
    const time = Date.parse(timestamp);
    if (time <= Date.now() + CLOCK_MS) this.#stamped = Math.max(this.#stamped, time);
  }

  /**
   * A channel message of one's own, for the members who are linked.
   * @param {string} channel
   * @param {string} id
   * @param {string} message
   */
  post(channel, id, message) {
    if (!this.enabled) return;
    if (!this.#links) {
      this.#tabs?.postMessage({ ask: 'post', channel, id, message });
      return;
    }
    const members = this.#chat.model.channels.get(channel)?.members;
    const frame = { t: 'post', id, channel, message, timestamp: this.stamp() };
    for (const { remote } of this.#links.up()) if (members?.has(remote.peer)) this.#say(remote, frame);
  }

  /** @param {import('./types.js').Signalling} signalling */
  signal(signalling) {
    if (signalling.to_device === this.device && samePeer(signalling.to, this.me)) this.#links?.receive(signalling);
  }

  /**
   * Somebody's devices came or went; or everybody's were asked for.
   * @param {string} [peer]
   */
  present(peer) {
    const peers = peer === undefined ? [...this.#chat.model.peers.keys()] : [fold(peer)];
    for (const one of peers) {
      const live = [...liveDevices(this.#chat.model, one)].sort().join();
      if (live === (this.#lives.get(one) ?? '')) continue;
      this.#lives.set(one, live);
      this.#links?.refresh(one);
      const { active } = this.#chat;
      if (active?.kind === 'direct' && (samePeer(active.name, one) || samePeer(one, this.me))) this.connect(active.name);
    }
    this.#direct?.tick(Date.now());
    if (peer === undefined) this.#meet();
  }

  /**
   * The live stream was refused. Registers the device if the tracker doesn't know it.
   * @returns {Promise<boolean>} whether that was the reason
   */
  async reregister() {
    if (!this.isLeader || !this.#key) return false;
    const answer = /** @type {import('../types.js').Devices|null} */ (await get('/chat/devices').catch(() => null));
    if (!answer || answer.devices.some(({ device }) => device === this.device)) return false;
    return this.#register();
  }

  /** This browser is no device of the account any more. */
  async forget() {
    const device = this.ownDevice;
    if (device !== '') await post('/chat/devices/remove', { device }).catch(() => undefined);
  }

  // --- leading --------------------------------------------------------------------------------------

  async #lead() {
    const { store } = this.#chat;
    if (!store.db) return;
    const key = await loadDevice(store.db);
    this.#key = key;
    this.device = key.id;
    this.isLeader = true;
    for (const talk of this.#chat.model.talks.values()) for (const { timestamp } of talk.records) this.passed(timestamp);
    this.#links = new Links({ peer: fold(this.me), device: key.id }, key, this.#linksHooks());
    this.#direct = new Direct(this.me, {
      devices: (peer) => this.#devices(peer),
      way: (remote) => this.#links?.way(remote) ?? null,
      hopeless: (remote) => this.#links?.hopeless(remote) ?? false,
      want: (remote) => this.#links?.want(remote),
      send: (remote, frame) => this.#say(remote, frame),
      stamp: () => this.stamp(),
    });
    clearInterval(this.#ticking);
    this.#ticking = setInterval(() => {
      this.#links?.tick();
      this.#direct?.tick(Date.now());
    }, TICK_MS);
    if (await this.#register()) this.#chat.live.setDevice(key.id);
    this.#settled();
    this.dispatchEvent(new CustomEvent('leader', { detail: { isLeader: true } }));
    await this.#chat.takeOver();
    if (this.#chat.model.ready) this.present();
    this.#changed();
  }

  #lose() {
    if (!this.isLeader) return;
    this.isLeader = false;
    clearInterval(this.#ticking);
    this.#links?.close();
    this.#direct?.drop();
    this.#links = null;
    this.#direct = null;
    this.#chat.live.setDevice(null);
    this.dispatchEvent(new CustomEvent('leader', { detail: { isLeader: false } }));
    this.#tabs?.postMessage({ ask: 'state' });
    this.#changed();
  }

  /** @returns {Promise<boolean>} whether the tracker knows this device now */
  async #register() {
    const key = /** @type {import('./device.js').DeviceKey} */ (this.#key);
    const brands = /** @type {any} */ (navigator).userAgentData?.brands?.map((/** @type {{brand: string}} */ { brand }) => brand);
    try {
      await post('/chat/devices', {
        device: key.id, public_key: toBase64url(key.publicKey), label: labelOf(navigator.userAgent, brands),
        signature: toBase64url(await key.sign(deviceStatement({ peer: this.me, device: key.id }))),
      });
      return true;
    } catch {
      // Without it there are no links; the mailbox works. A stream that comes back tries again.
      return false;
    }
  }

  /** The stream is there: what could not be registered before can be now. */
  async greeted() {
    if (!this.isLeader || !this.#key || this.#chat.live.device !== null) return;
    if (await this.#register()) this.#chat.live.setDevice(this.device);
  }

  /** @returns {import('./links.js').LinksHooks} */
  #linksHooks() {
    const fire = (/** @type {string} */ type, /** @type {object} */ detail) => this.dispatchEvent(new CustomEvent(type, { detail }));
    return {
      signal: (to, session, signal) => this.#signal(to, session, signal),
      servers: () => this.#ice(),
      live: ({ peer, device }) => liveDevices(this.#chat.model, peer).includes(device),
      up: (remote, publicKey) => {
        this.#refusals.delete(remote.peer);
        void this.#met(remote, publicKey);
        this.#direct?.up(remote);
        fire('up', { remote, way: this.#links?.way(remote) });
      },
      down: (remote) => fire('down', { remote }),
      way: (remote, way) => {
        fire('way', { remote, way });
        this.#changed();
      },
      frame: (remote, frame, way) => this.#frame(remote, frame, way),
      file: (remote, file, channel) => fire('filechannel', { remote, file, channel }),
      refused: (remote) => {
        this.#refusals.set(remote.peer, remote.device);
        this.#changed();
      },
      changed: () => this.#changed(),
    };
  }

  /**
   * @param {Remote} remote
   * @param {string} publicKey
   */
  async #met({ peer, device }, publicKey) {
    try {
      // Of one's own account every other device is worth a word: nobody else should be there.
      const mine = samePeer(peer, this.me);
      const known = await this.trust.meet(peer, device, publicKey, Date.now(), mine || undefined);
      if (known.label !== '') return;
      const { devices } = /** @type {import('../types.js').Devices} */ (await get('/chat/devices', { of: peer }));
      const label = devices.find((one) => one.device === device)?.label;
      if (label) await this.trust.mark(known, { label });
    } catch {
      // Without a disk or a name it is a device all the same.
    }
    this.#changed();
  }

  /**
   * @param {Remote} to
   * @param {number} session
   * @param {import('./types.js').Signal} signal
   */
  async #signal(to, session, signal) {
    const body = { from: this.me, from_device: this.device, to: to.peer, to_device: to.device, session, signal };
    try {
      await post('/chat/signal', body, { keepalive: signal.kind === 'bye' });
    } catch (error) {
      if (/** @type {import('../net/api.js').ApiError} */ (error).code === 'device_not_registered') await this.reregister();
    }
  }

  /**
   * A peer's devices that are there, this one left out.
   * @param {string} peer
   * @returns {Remote[]}
   */
  #devices(peer) {
    const all = new Set([...(this.#links?.present(peer) ?? []), ...liveDevices(this.#chat.model, peer)]);
    all.delete(this.device);
    return [...all].map((device) => ({ peer: fold(peer), device }));
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   */
  #say(remote, frame) {
    // A link that ends meanwhile: its successor gets what wasn't acknowledged.
    this.#links?.send(remote, frame).catch(() => undefined);
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   * @param {import('./types.js').Way} way
   */
  #frame(remote, frame, way) {
    if (frame.t.startsWith('file_')) {
      this.dispatchEvent(new CustomEvent('frame', { detail: { remote, frame } }));
      return;
    }
    switch (frame.t) {
      case 'text':
        this.#inbox.take(remote, way, frame, Date.now());
        break;
      case 'ack':
        if (Array.isArray(frame.ids) && frame.ids.length <= ACK_IDS) this.#direct?.acked(remote, frame.ids, way, Date.now());
        break;
      case 'refuse':
        if (typeof frame.id === 'string') this.#direct?.refused(remote, frame.id, Date.now());
        break;
      case 'post':
        void this.#posted(remote, frame);
    }
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   */
  async #posted(remote, { id, channel, message, timestamp }) {
    const fits = isMessageId(id) && typeof channel === 'string' && isChannelName(channel) && typeof message === 'string'
      && message !== '' && byteLength(message) <= MESSAGE_BYTES && !Number.isNaN(Date.parse(timestamp));
    const state = fits ? this.#chat.model.channels.get(channel) : undefined;
    if (!state?.joined) return;
    // Who is in a channel is asked for when it is opened.
    if (state.members === null) await this.#chat.sync.members(channel);
    const taken = { channel, post: { id, from: spelling(this.#chat.model, remote.peer), message, timestamp } };
    this.#tabs?.postMessage(taken);
    this.#takePost(taken);
  }

  /** @param {{channel: string, post: Omit<import('../core/model.js').Post, 'until'>}} taken */
  #takePost(taken) {
    takePost(this.#chat.model, taken.channel, taken.post, Date.now());
    this.#chat.changed();
    setTimeout(() => tidyPosts(this.#chat.model, Date.now()) && this.#chat.changed(), POST_MS + 50);
  }

  // --- other tabs -----------------------------------------------------------------------------------

  #changed() {
    this.#chat.changed();
    if (!this.#links || this.#telling) return;
    this.#telling = true;
    setTimeout(() => {
      this.#telling = false;
      this.#tell();
    }, TELL_MS);
  }

  #tell() {
    if (!this.#links) return;
    /** @type {Told} */
    const told = { views: this.#links.views(), refusals: [...this.#refusals], device: this.device, publicKey: this.publicKey };
    this.#tabs?.postMessage({ told });
  }

  /** @param {any} data from another tab of this account */
  #hear(data) {
    if (data.trust) this.trust.take(data.trust);
    if (data.post) this.#takePost(data);
    if (data.told && !this.isLeader) {
      this.#told = data.told;
      this.#refusals = new Map(data.told.refusals);
      this.#settled();
    }
    if (data.ask === 'state') this.#tell();
    if (data.ask === 'connect' && this.#links) this.connect(data.peer);
    if (data.ask === 'post' && this.#links) this.post(data.channel, data.id, data.message);
    if (data.ask === 'dismiss') this.#refusals.delete(fold(data.peer));
    this.#chat.changed();
  }
}
