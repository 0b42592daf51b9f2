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
import { applyEvent, createModel, takeMessage, unreadOf } from '../core/model.js';
import { directKey, recordOf, talkWith, unseen } from '../core/directs.js';
import { messageId } from '../core/names.js';
import { Outbox, verdictOf } from '../core/outbox.js';
import { hashOf, samePlace } from '../core/route.js';
import { ApiError, get, post } from '../net/api.js';
import { Live } from '../net/live.js';
import { P2p } from '../p2p/p2p.js';
import { Mail } from './mail.js';
import { Sync } from './sync.js';
import { Tabs } from './tabs.js';

/** A message that another tab wrote and has not sent after so long is sent by the leading one. */
const ORPHAN_MS = 10_000;

export class Chat extends EventTarget {
  /** @type {Place|null} */
  active = null;
  /** Whether the end of the open conversation is on the screen; the message view says so. */
  atEnd = true;
  #changing = false;
  #sendAttempt = 0;
  #readTimer = 0;
  #written = 0;
  /** What goes to the mailbox beside a link goes in order. */
  #beside = /** @type {Promise<unknown>} */ (Promise.resolve());
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
      send: (item, earlier) => (item.kind === 'channel' ? this.#broadcast(item) : this.#direct(item, earlier)),
      save: (item) => {
        const kept = store.putOut(item);
        // Not once it is kept: a tab that is just being closed doesn't live to see that.
        if (item.kind === 'direct') this.tabs.written(item);
        return kept;
      },
      remove: (item) => store.removeOut(item.id),
      sent: (item, answer) => this.#sent(item, answer),
      changed: () => this.changed(),
      retryLater: (after) => this.#retryLater(after),
      signin: () => this.live.signedOut(),
      mine: (item) => item.kind === 'channel' || this.p2p.sends,
    });
    this.sync = new Sync(this);
    this.mail = new Mail(this);
    this.tabs = new Tabs(account.username, {
      direct: (records) => records.forEach((record) => this.mail.place(record)),
      settled: (id) => {
        // On the disk too: the other tab may have been faster than this one with keeping it.
        if (this.outbox.drop(id)) void store.removeOut(id).catch(() => undefined);
      },
      written: (item) => {
        this.outbox.take(item);
        if (this.p2p.sends) void this.outbox.flush();
      },
    });
    this.p2p = new P2p(this);
    this.live = new Live({
      event: (event) => this.#event(event),
      status: ({ state }) => {
        if (state === 'signed-out') this.p2p.signedOut();
        this.changed();
      },
      probe: async () => {
        const status = await get('/chat/me').then(() => 200, (error) => error.status);
        return status === 200 && (await this.p2p.reregister()) ? 404 : status;
      },
    });
  }

  /** Shows what this browser kept, then connects; the stream's greeting starts the first load. */
  async start() {
    await this.mail.restore();
    this.#restoreOutbox(await this.store.outbox());
    for (const type of ['visibilitychange', 'focus']) document.addEventListener(type, () => this.considerRead());
    addEventListener('focus', () => this.considerRead());
    await this.p2p.start();
    this.live.start();
    this.changed();
  }

  /** This tab sends for all of them from now on. */
  async takeOver() {
    this.#restoreOutbox(await this.store.outbox());
    // Otherwise the stream's greeting sends it.
    if (this.live.status.state === 'online') await this.outbox.flush();
  }

  /** Sends what a tab left that didn't live to send it; one that is only slow loses nothing, as the id is the same. */
  async adopt() {
    const before = Date.now() - ORPHAN_MS;
    const orphans = (await this.store.outbox()).filter(({ id, created, state }) => state !== 'failed' && created < before && !this.outbox.get(id));
    if (orphans.length === 0) return;
    this.#restoreOutbox(orphans);
    await this.outbox.flush();
  }

  /** @param {OutItem[]} items */
  #restoreOutbox(items) {
    for (const item of items) {
      if (item.kind !== 'direct') continue;
      // Sent by an earlier page, which didn't live to see the end of it.
      const record = talkWith(this.model.talks, item.target).records.find(({ key }) => key === directKey(this.model.me, item.id));
      item.reached = record?.delivery === 'direct' || record?.delivery === 'relayed';
    }
    this.outbox.restore(items);
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
    if (event.type === 'signal') return this.p2p.signal(event);
    for (const effect of applyEvent(this.model, event)) this.effect(effect);
    if (event.type === 'presence') this.p2p.present(event.peer_id);
    return this.changed();
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
      this.p2p.connect(place.name);
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
      this.tabs.direct(fresh);
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
    // One after another also within a millisecond: ids and times tell the order.
    const now = Math.max(Date.now(), this.#written + 1);
    this.#written = now;
    const { kind, name } = this.active;
    await this.outbox.add({ id: messageId(now), kind, target: name, text, created: now, state: 'pending' });
  }

  /** @param {Place} place */
  waiting(place) {
    return this.outbox.for(place.kind, place.name);
  }

  /**
   * The person gives a message up.
   * @param {string} id
   */
  discard(id) {
    this.outbox.settle(id);
    this.tabs.settled(id);
  }

  /** @param {OutItem} item */
  #broadcast(item) {
    const { id, target, text } = item;
    this.p2p.post(target, id, text);
    return this.#call(() => post('/broadcast-peer', { peer_id: this.model.me, channel: target, message: text, id }));
  }

  /**
   * Straight to the devices of the receiver; by the mailbox where that doesn't work.
   * @param {OutItem} item
   * @param {Promise<boolean>} earlier
   * @returns {Promise<import('../core/outbox.js').SendResult>}
   */
  async #direct(item, earlier) {
    const { p2p } = this;
    // Those before it are just going to the mailbox.
    if (p2p.mailing(item.target) && !(await earlier)) return { verdict: 'retry' };
    const reached = await p2p.deliver(item);
    if (reached) {
      const answer = { timestamp: reached.timestamp, delivery: reached.way };
      const rest = reached.missed.then((missed) => (missed ? this.#mailBeside(item) : { verdict: /** @type {const} */ ('sent'), answer }));
      return { verdict: 'sent', answer, rest };
    }
    try {
      // The mailbox has the messages in the order of writing.
      const inOrder = await earlier;
      return inOrder && p2p.sends ? await this.#mail(item) : { verdict: 'retry' };
    } finally {
      p2p.mailed(item);
    }
  }

  /** @param {OutItem} item */
  #mail({ id, target, text }) {
    return this.#call(() => post('/send-peer', { from_peer: this.model.me, to_peer: target, message: text, id }));
  }

  /**
   * For the devices that a link didn't reach.
   * @param {OutItem} item
   */
  #mailBeside(item) {
    const turn = this.#beside.then(async () => {
      const result = await this.#mail(item);
      if (result.verdict === 'sent') await this.#sent(item, result.answer);
      return result;
    });
    this.#beside = turn;
    return turn;
  }

  /**
   * @param {() => Promise<unknown>} call
   * @returns {Promise<import('../core/outbox.js').SendResult>}
   */
  async #call(call) {
    try {
      const answer = await call();
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
   * @param {import('../types.js').Broadcasted & Omit<import('../types.js').Sent, 'delivery'> & {delivery: import('../core/directs.js').OwnState|null}} answer
   */
  async #sent(item, answer) {
    const { id, text, target } = item;
    if (item.kind === 'channel') {
      this.tabs.settled(id);
      // The server is there: no need to wait for the next attempt at a stream.
      this.live.retryNow();
      const message = { seq: answer.seq, id, from: this.model.me, message: text, timestamp: answer.timestamp };
      for (const effect of takeMessage(this.model, target, message)) if (effect.do !== 'own-message') this.effect(effect);
      return;
    }
    if (answer.delivery === null) return;
    const linked = answer.delivery === 'direct' || answer.delivery === 'relayed';
    if (!linked) this.live.retryNow();
    const direct = { id, from: this.model.me, to: target, message: text, timestamp: answer.timestamp };
    await this.mail.keep([recordOf(direct, this.model.me, answer.delivery)]);
    this.tabs.settled(id);
  }

  /** @param {number|undefined} after */
  #retryLater(after) {
    clearTimeout(this.#retryTimer);
    const delay = after ?? backoff(this.#sendAttempt, Math.random());
    this.#sendAttempt += 1;
    this.#retryTimer = setTimeout(() => void this.outbox.flush(), delay);
  }
}
