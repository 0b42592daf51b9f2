/**
 * The heart of the chat page: holds what is known, sends what is written, and takes what arrives. Views
 * read from it and listen for `change`; they hold nothing of their own that matters.
 *
 * @typedef {import('../core/route.js').Place} Place
 * @typedef {import('../core/outbox.js').OutItem} OutItem
 * @typedef {import('../core/model.js').Effect} Effect
 * @typedef {import('../types.js').Account} Account
 */

import { backoff } from '../core/backoff.js';
import { recordOf, talkWith, unseen } from '../core/directs.js';
import { applyEvent, createModel, takeMessage, unreadOf } from '../core/model.js';
import { messageId } from '../core/names.js';
import { Outbox, verdictOf } from '../core/outbox.js';
import { hashOf, samePlace } from '../core/route.js';
import { ApiError, get, post } from '../net/api.js';
import { Live } from '../net/live.js';
import { Mail } from './mail.js';
import { Sync } from './sync.js';
import { Tabs } from './tabs.js';

export class Chat extends EventTarget {
  /** @type {Place|null} */
  active = null;
  /** Whether the end of the open conversation is on the screen; the message view says so. */
  atEnd = true;
  #changing = false;
  #sendAttempt = 0;
  #readTimer = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retryTimer;

  /**
   * @param {Account} account
   * @param {import('../store/db.js').Store} store
   */
  constructor(account, store) {
    super();
    this.store = store;
    this.model = createModel(account.username, account.roles);
    this.outbox = new Outbox({
      send: (item) => this.#send(item),
      save: (item) => store.putOut(item),
      remove: (item) => store.removeOut(item.id),
      sent: (item, answer) => this.#sent(item, answer),
      changed: () => this.changed(),
      retryLater: (after) => this.#retryLater(after),
      signin: () => this.live.signedOut(),
    });
    this.sync = new Sync(this);
    this.mail = new Mail(this);
    this.tabs = new Tabs(account.username, {
      direct: (record) => this.mail.place(record),
      settled: (id) => this.outbox.settle(id),
    });
    this.live = new Live({
      event: (event) => this.#event(event),
      status: () => this.changed(),
      probe: () => get('/chat/me').then(() => 200, (error) => error.status),
    });
  }

  /** Shows what this browser kept, then connects; the stream's greeting starts the first load. */
  async start() {
    await this.mail.restore();
    this.outbox.restore(await this.store.outbox());
    for (const type of ['visibilitychange', 'focus']) document.addEventListener(type, () => this.considerRead());
    addEventListener('focus', () => this.considerRead());
    this.live.start();
    this.changed();
  }

  /** Views draw once for any number of changes in a row. */
  changed() {
    if (this.#changing) return;
    this.#changing = true;
    const tell = () => {
      this.#changing = false;
      this.dispatchEvent(new Event('change'));
    };
    // Browsers hold back the timers of hidden pages, whose title must still tell what is new.
    if (document.hidden) queueMicrotask(tell);
    else setTimeout(tell);
  }

  /** @param {import('../net/live.js').Received} event */
  #event(event) {
    if (event.type === 'hello') void this.sync.greeted();
    for (const effect of applyEvent(this.model, event)) this.effect(effect);
    this.changed();
  }

  /** @param {Effect} effect */
  effect(effect) {
    switch (effect.do) {
      case 'reload':
        return void this.sync.snapshot();
      case 'channels':
        return void this.sync.channels();
      case 'members':
        return void this.sync.members(effect.channel);
      case 'fetch-newer':
        return void this.sync.newer(effect.channel);
      case 'own-message':
        return this.outbox.settle(effect.id);
      case 'store-direct':
        return void this.mail.take([effect.message]);
      case 'delivered':
        return void this.mail.delivered(effect.id);
      case 'left':
        return void (samePlace(this.active, { kind: 'channel', name: effect.channel }) && this.goHome());
      case 'arrived':
        return this.arrived({ kind: 'channel', name: effect.channel }, effect.message.from, effect.message.message, effect.message.seq);
    }
  }

  // --- conversations -------------------------------------------------------------------------------

  /**
   * Opens a conversation; the address bar follows.
   * @param {Place} place
   */
  open(place) {
    if (samePlace(this.active, place)) return;
    this.#clearDivider();
    this.active = place;
    this.atEnd = true;
    if (place.kind === 'channel') {
      const channel = this.model.channels.get(place.name);
      if (channel) channel.divider = unreadOf(channel) > 0 ? channel.read : null;
      void this.sync.opened(place.name);
    } else {
      const talk = talkWith(this.model.talks, place.name);
      talk.divider = unseen(talk)[0]?.key ?? null;
    }
    if (location.hash !== hashOf(place)) history.pushState(null, '', hashOf(place));
    this.dispatchEvent(new Event('opened'));
    this.changed();
  }

  /** Goes where a person starts: #general, or the first channel. */
  goHome() {
    const joined = [...this.model.channels.values()].filter((channel) => channel.joined);
    const home = joined.find((channel) => channel.name === 'general') ?? joined[0];
    if (home) {
      this.open({ kind: 'channel', name: home.name });
    } else {
      this.active = null;
      this.dispatchEvent(new Event('opened'));
      this.changed();
    }
  }

  #clearDivider() {
    if (this.active?.kind === 'channel') {
      const channel = this.model.channels.get(this.active.name);
      if (channel) channel.divider = null;
    } else if (this.active) {
      talkWith(this.model.talks, this.active.name).divider = null;
    }
  }

  /** Whether a new message in the open conversation would be seen. */
  get reading() {
    return document.visibilityState === 'visible' && this.atEnd;
  }

  /**
   * @param {Place} place
   * @param {string} from
   * @param {string} text
   * @param {number|string} mark  `seq` or record key
   */
  arrived(place, from, text, mark) {
    const here = samePlace(this.active, place);
    if (here && !this.reading) {
      if (typeof mark === 'number') {
        const channel = this.model.channels.get(place.name);
        if (channel && channel.read >= mark - 1) channel.divider = mark - 1;
      } else {
        const talk = talkWith(this.model.talks, place.name);
        if (unseen(talk).length <= 1) talk.divider = mark;
      }
    }
    this.dispatchEvent(new CustomEvent('arrived', { detail: { place, from, text, here } }));
    if (here) this.considerRead();
  }

  /** Moves the read marker when the reader really has the end before the eyes. */
  considerRead() {
    if (!this.active || !this.reading) return;
    if (this.active.kind === 'direct') {
      const fresh = unseen(talkWith(this.model.talks, this.active.name));
      if (fresh.length === 0) return;
      for (const record of fresh) record.seen = true;
      void this.store.putDirects(fresh.map((record) => ({ ...record }))).catch(() => undefined);
      for (const record of fresh) this.tabs.direct(record);
      this.changed();
      return;
    }
    const channel = this.model.channels.get(this.active.name);
    if (!channel?.joined || !channel.log.loaded || channel.read >= channel.log.head) return;
    channel.read = channel.log.head;
    const name = channel.name;
    clearTimeout(this.#readTimer);
    this.#readTimer = window.setTimeout(() => {
      // Lost on a bad link: the next reading says it again, and the marker only ever moves forward.
      post('/chat/read', { channel: name, seq: channel.read }).catch(() => undefined);
    }, 250);
    this.changed();
  }

  // --- sending -------------------------------------------------------------------------------------

  /** @param {string} text */
  async write(text) {
    if (!this.active) return;
    this.#clearDivider();
    const now = Date.now();
    const { kind, name } = this.active;
    await this.outbox.add({ id: messageId(now), kind, target: name, text, created: now, state: 'pending' });
  }

  /** @param {Place} place */
  waiting(place) {
    return this.outbox.for(place.kind, place.name);
  }

  /**
   * @param {OutItem} item
   * @returns {Promise<import('../core/outbox.js').SendResult>}
   */
  async #send(item) {
    const me = this.model.me;
    try {
      const answer = item.kind === 'channel'
        ? await post('/broadcast-peer', { peer_id: me, channel: item.target, message: item.text, id: item.id })
        : await post('/send-peer', { from_peer: me, to_peer: item.target, message: item.text, id: item.id });
      this.#sendAttempt = 0;
      return { verdict: 'sent', answer };
    } catch (error) {
      const { status, code, message, retryAfter } = /** @type {ApiError} */ (error);
      const verdict = verdictOf(status, code);
      if (verdict === 'refused') return { verdict, code, reason: message };
      return verdict === 'signin' ? { verdict } : { verdict: 'retry', after: retryAfter };
    }
  }

  /**
   * @param {OutItem} item
   * @param {import('../types.js').Broadcasted & import('../types.js').Sent} answer
   */
  async #sent(item, answer) {
    const { id, text, target } = item;
    this.tabs.settled(id);
    // The server is there: no need to wait for the next attempt at a stream.
    this.live.retryNow();
    if (item.kind === 'channel') {
      const message = { seq: answer.seq, id, from: this.model.me, message: text, timestamp: answer.timestamp };
      for (const effect of takeMessage(this.model, target, message)) if (effect.do !== 'own-message') this.effect(effect);
      return;
    }
    const direct = { id, from: this.model.me, to: target, message: text, timestamp: answer.timestamp };
    await this.mail.keep([recordOf(direct, this.model.me, answer.delivery)]);
  }

  /** @param {number|undefined} after */
  #retryLater(after) {
    clearTimeout(this.#retryTimer);
    const delay = after ?? backoff(this.#sendAttempt, Math.random());
    this.#sendAttempt += 1;
    this.#retryTimer = setTimeout(() => void this.outbox.flush(), delay);
  }
}
