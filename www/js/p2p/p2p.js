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
 * @typedef {import('../core/outbox.js').OutItem} OutItem
 *
 * What the leader tells the other tabs.
 * @typedef {{views: LinkView[], refusals: [string, string][], device: string, publicKey: string}} Told
 * @typedef {'off'|'direct'|'relayed'|'connecting'|'none'|'idle'|'offline'} TalkState
 */

import { liveDevices } from '../core/model.js';
import { fold, samePeer } from '../core/names.js';
import { toBase64url } from '../crypto/base64url.js';
import { post } from '../net/api.js';
import { Clock } from './clock.js';
import { loadDevice } from './device.js';
import { Lead } from './lead.js';
import { elect } from './leader.js';
import { Posts } from './posts.js';
import { labelFor } from './register.js';
import { Trust } from './trust.js';

/** A tab that hears of no leader for so long goes on without one. */
const ELECTION_MS = 600;
/** A message waits so long for the list of who is there. */
const ACQUAINTANCE_MS = 5000;
/** Tabs that don't lead ask whether the leader is still there, and the leader looks for what closed ones left. */
const ASK_MS = 5000;
/** After so many questions without an answer (a leader that was put to sleep) each sends its own, by the mailbox. */
const QUESTIONS = 3;
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
  /** @type {Lead|null} */
  #lead = null;
  /** @type {BroadcastChannel|null} */
  #tabs = null;
  #chat;
  #posts;
  #clock = new Clock();
  #publicKey = '';
  #telling = false;
  /** Questions to the leader that it hasn't answered. */
  #unanswered = 0;
  /** @type {() => void} */
  #elected = () => undefined;
  /** @type {() => void} */
  #meet = () => undefined;
  /** Over once it is known who is there, or the server was away for too long to tell. */
  #acquainted = new Promise((/** @type {(value: void) => void} */ resolve) => {
    this.#meet = resolve;
    setTimeout(resolve, ACQUAINTANCE_MS);
  });

  /** @param {import('../app/chat.js').Chat} chat */
  constructor(chat) {
    super();
    this.#chat = chat;
    this.me = chat.model.me;
    this.enabled = 'RTCPeerConnection' in window && 'BroadcastChannel' in window && chat.store.db !== null;
    this.trust = new Trust(chat.store.db, (known) => this.#tabs?.postMessage({ trust: known }));
    this.#posts = new Posts(chat, (posted) => this.#tabs?.postMessage(posted));
  }

  /** Whether this tab brings the account's direct messages to their receivers. */
  get sends() {
    return !this.enabled || this.isLeader || this.#unanswered > QUESTIONS;
  }

  /** Finds out who leads; over once that is known and, if it is this tab, its device is registered. */
  async start() {
    if (!this.enabled) return;
    await this.trust.load().catch(() => undefined);
    this.#tabs = new BroadcastChannel(`hybrid-chat-links:${fold(this.me)}`);
    this.#tabs.onmessage = ({ data }) => this.#hear(data);
    addEventListener('online', () => this.#lead?.links.refresh());
    setInterval(() => this.#ask(), ASK_MS);
    await new Promise((resolve) => {
      this.#elected = () => resolve(undefined);
      setTimeout(resolve, ELECTION_MS);
      this.#tabs?.postMessage({ ask: 'state' });
      elect(`hybrid-chat-leader:${fold(this.me)}`, { lead: () => void this.#takeOver(), lose: () => this.#lose() });
    });
  }

  // --- what files and views use ---------------------------------------------------------------------

  /** @param {string} peer */
  links(peer) {
    return this.#lead?.links.up(peer) ?? [];
  }

  /** @param {string} peer */
  connect(peer) {
    if (this.#lead) this.#lead.connect(peer);
    else this.#tabs?.postMessage({ ask: 'connect', peer });
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   */
  send(remote, frame) {
    return this.#lead?.links.send(remote, frame) ?? Promise.reject(new Error('there is no link'));
  }

  /**
   * @param {Remote} remote
   * @param {string} file
   */
  openFile(remote, file) {
    return this.#lead?.links.openFile(remote, file) ?? Promise.reject(new Error('there is no link'));
  }

  /** @param {string} peer */
  hold(peer) {
    return this.#lead?.links.hold(peer) ?? (() => undefined);
  }

  /** A timestamp that no other message of this device has. */
  stamp() {
    return this.#clock.stamp();
  }

  /** This device's public key in base64url; empty until it is known in this tab. */
  get publicKey() {
    return this.#publicKey || this.#told.publicKey;
  }

  /** This browser's device id, whichever tab leads. */
  get ownDevice() {
    return this.device || this.#told.device;
  }

  /**
   * The links to a peer's devices, whichever tab has them.
   * @param {string} peer
   */
  views(peer) {
    const views = this.#lead?.links.views() ?? this.#told.views;
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

  // --- whom one trusts ------------------------------------------------------------------------------

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
   * @param {Remote} remote
   * @param {string} publicKey
   */
  async #met({ peer, device }, publicKey) {
    this.#refusals.delete(peer);
    try {
      // Of one's own account every other device is worth a word: nobody else should be there.
      const mine = samePeer(peer, this.me);
      const known = await this.trust.meet(peer, device, publicKey, Date.now(), mine || undefined);
      if (known.label !== '') return;
      const label = await labelFor(peer, device);
      if (label !== '') await this.trust.mark(known, { label });
    } catch {
      // Without a disk or a name it is a device all the same.
    }
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
    return this.#lead?.direct.deliver({ id, to: target, message: text, reached: reached === true }, Date.now()) ?? null;
  }

  /**
   * Whether messages to a peer are just going to the mailbox.
   * @param {string} peer
   */
  mailing(peer) {
    return this.#lead?.direct.mailing(peer) ?? false;
  }

  /** @param {OutItem} item that the mailbox has now, or doesn't take */
  mailed({ id, target }) {
    this.#lead?.direct.mailed(target, id);
  }

  /**
   * A message with this time is in a talk.
   * @param {string} timestamp
   */
  passed(timestamp) {
    this.#clock.passed(timestamp);
  }

  /**
   * A channel message of one's own, for the members who are linked.
   * @param {string} channel
   * @param {string} id
   * @param {string} message
   */
  post(channel, id, message) {
    if (this.#lead) this.#lead.post(channel, id, message);
    else this.#tabs?.postMessage({ ask: 'post', channel, id, message });
  }

  /** @param {import('./types.js').Signalling} signalling */
  signal(signalling) {
    this.#lead?.signal(signalling);
  }

  /**
   * Somebody's devices came or went; or everybody's were asked for.
   * @param {string} [peer]
   */
  present(peer) {
    const { model, active } = this.#chat;
    const peers = peer === undefined ? [...model.peers.keys()] : [fold(peer)];
    this.#lead?.present(peers);
    if (active?.kind === 'direct' && peers.some((one) => samePeer(one, active.name) || samePeer(one, this.me))) this.connect(active.name);
    if (peer === undefined) this.#meet();
  }

  /** The stream is there: what could not be registered before can be now. */
  async greeted() {
    if (this.#lead && this.#chat.live.device === null && (await this.#lead.register())) this.#chat.live.setDevice(this.device);
  }

  /**
   * The live stream was refused. Registers the device if the tracker doesn't know it.
   * @returns {Promise<boolean>} whether that was the reason
   */
  async reregister() {
    return this.#lead?.registerAnew() ?? false;
  }

  /** The session is over, and with it the links that it allowed. */
  signedOut() {
    this.#lose();
  }

  /** This browser is no device of the account any more. */
  async forget() {
    if (this.ownDevice !== '') await post('/chat/devices/remove', { device: this.ownDevice }).catch(() => undefined);
  }

  // --- leading --------------------------------------------------------------------------------------

  async #takeOver() {
    const { store, model, live } = this.#chat;
    const key = await loadDevice(/** @type {IDBDatabase} */ (store.db)).catch((error) => console.warn(error));
    if (!key) {
      // A browser that can't keep a key is none that can be linked to.
      this.enabled = false;
      this.#elected();
      return this.#chat.takeOver();
    }
    this.device = key.id;
    this.#publicKey = toBase64url(key.publicKey);
    this.isLeader = true;
    for (const talk of model.talks.values()) for (const { timestamp } of talk.records) this.passed(timestamp);
    const lead = new Lead(this.#chat, key, this.#posts, {
      stamp: () => this.stamp(),
      fire: (type, detail) => this.dispatchEvent(new CustomEvent(type, { detail })),
      met: (remote, publicKey) => void this.#met(remote, publicKey),
      refused: ({ peer, device }) => {
        this.#refusals.set(peer, device);
        this.#changed();
      },
      changed: () => this.#changed(),
    });
    this.#lead = lead;
    if (await lead.register()) live.setDevice(key.id);
    this.#elected();
    this.dispatchEvent(new CustomEvent('leader', { detail: { isLeader: true } }));
    await this.#chat.takeOver();
    if (model.ready) this.present();
    return this.#changed();
  }

  #lose() {
    if (!this.isLeader) return;
    this.isLeader = false;
    this.#lead?.close();
    this.#lead = null;
    this.#chat.live.setDevice(null);
    this.dispatchEvent(new CustomEvent('leader', { detail: { isLeader: false } }));
    this.#tabs?.postMessage({ ask: 'state' });
    this.#changed();
  }

  // --- other tabs -----------------------------------------------------------------------------------

  #changed() {
    this.#chat.changed();
    if (!this.#lead || this.#telling) return;
    this.#telling = true;
    setTimeout(() => {
      this.#telling = false;
      this.#tell();
    }, TELL_MS);
  }

  #ask() {
    if (!this.enabled) return;
    if (this.isLeader) return void this.#chat.adopt().catch(() => undefined);
    this.#tabs?.postMessage({ ask: 'state' });
    this.#unanswered += 1;
    if (this.#unanswered > QUESTIONS) void this.#chat.outbox.flush();
  }

  #tell() {
    if (!this.#lead) return;
    /** @type {Told} */
    const told = { views: this.#lead.links.views(), refusals: [...this.#refusals], device: this.device, publicKey: this.publicKey };
    this.#tabs?.postMessage({ told });
  }

  /** @param {any} data from another tab of this account */
  #hear(data) {
    if (data.trust) this.trust.take(data.trust);
    if (data.post) this.#posts.show(data);
    if (data.told && !this.isLeader) {
      this.#told = data.told;
      this.#unanswered = 0;
      this.#refusals = new Map(data.told.refusals);
      this.#elected();
    }
    if (data.ask === 'state') this.#tell();
    if (data.ask === 'connect' && this.#lead) this.connect(data.peer);
    if (data.ask === 'post' && this.#lead) this.post(data.channel, data.id, data.message);
    if (data.ask === 'dismiss') this.#refusals.delete(fold(data.peer));
    this.#chat.changed();
  }
}
