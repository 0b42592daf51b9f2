/**
 * Bringing what the page holds up to what the tracker has: the first load, the reload after a `reset`,
 * gaps in a channel, older history, the mailbox.
 *
 * The stream is open before the first load, so nothing can fall between the two.
 */

import { atStart, firstSeq, lastSeq, mergePage, missing, trim } from '../core/log.js';
import { applyChannels, channelState, setMembers, setPresences, unreadOf } from '../core/model.js';
import { undelivered } from '../core/directs.js';
import { verdictOf } from '../core/outbox.js';
import { get, post } from '../net/api.js';

const PAGE = 50;
const LONGEST_PAGE = 200;
/** Pages that are fetched to close a gap; beyond, the newest page replaces what is held. */
const GAP_PAGES = 5;
const KEEP = 400;
const IDS_PER_CALL = 500;

export class Sync {
  /** @type {import('./chat.js').Chat} */
  #chat;
  #loaded = false;
  /** @type {Map<string, Promise<void>>} */
  #running = new Map();

  /** @param {import('./chat.js').Chat} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  /** The stream is there. After an interruption it tells by itself what was missed. */
  async greeted() {
    void this.#chat.p2p.greeted();
    if (!this.#loaded) return this.snapshot();
    await Promise.all([this.peers().then(() => this.#chat.outbox.flush()), this.#deliveries()]);
    return undefined;
  }

  /** Loads everything that a list shows, and closes the gaps of what is open. */
  snapshot() {
    return this.#once('snapshot', async () => {
      const { model, outbox } = this.#chat;
      const before = this.#loaded ? this.#chat.active : null;
      await this.channels();
      this.#loaded = true;
      const stale = [...model.channels.values()].filter((channel) => missing(channel.log) !== null);
      await Promise.all([
        ...stale.map((channel) => this.newer(channel.name)),
        this.peers().then(() => outbox.flush()), this.mailbox().then(() => this.#deliveries()),
        ...(before?.kind === 'channel' ? [this.opened(before.name)] : []),
      ]);
    });
  }

  channels() {
    return this.#once('channels', async () => {
      const answer = /** @type {import('../types.js').Channels} */ (await get('/chat/channels', { scope: 'all' }));
      const first = !this.#chat.model.ready;
      applyChannels(this.#chat.model, answer.channels);
      if (first) this.#chat.dispatchEvent(new Event('ready'));
    });
  }

  peers() {
    return this.#once('peers', async () => {
      const asked = this.#chat.model.comings;
      const answer = /** @type {import('../types.js').Peers} */ (await get('/chat/peers'));
      setPresences(this.#chat.model, answer.peers, asked);
      this.#chat.p2p.present();
    });
  }

  /** @param {string} channel */
  members(channel) {
    return this.#once(`members ${channel}`, async () => {
      const asked = this.#chat.model.comings;
      const answer = /** @type {import('../types.js').Members} */ (await get('/chat/members', { channel }));
      setMembers(this.#chat.model, channel, answer.members, asked);
    });
  }

  /** @param {string} name */
  async opened(name) {
    const channel = this.#chat.model.channels.get(name);
    if (!channel) return;
    await Promise.all([channel.log.loaded ? this.newer(name) : this.#first(name), this.members(name)]);
  }

  /** @param {string} name */
  #first(name) {
    return this.#once(`first ${name}`, async () => {
      const channel = channelState(this.#chat.model, name);
      const limit = Math.min(LONGEST_PAGE, Math.max(PAGE, unreadOf(channel) + 20));
      const page = await this.#page(name, { limit });
      mergePage(channel.log, page.messages, page.head_seq);
      this.#chat.changed();
      await this.newer(name);
    });
  }

  /** @param {string} name */
  newer(name) {
    return this.#once(`newer ${name}`, async () => {
      const { log } = channelState(this.#chat.model, name);
      for (let pages = 0; missing(log) !== null; pages += 1) {
        const before = lastSeq(log);
        const page = await this.#page(name, pages < GAP_PAGES ? { after_seq: before, limit: LONGEST_PAGE } : { limit: PAGE });
        mergePage(log, page.messages, page.head_seq);
        this.#chat.changed();
        if (lastSeq(log) === before) return;
      }
    });
  }

  /**
   * Loads what stands before the first message held.
   * @param {string} name
   */
  async older(name) {
    const channel = this.#chat.model.channels.get(name);
    if (!channel?.log.loaded || atStart(channel.log) || channel.loadingOlder) return;
    channel.loadingOlder = true;
    this.#chat.changed();
    try {
      const page = await this.#page(name, { before_seq: firstSeq(channel.log), limit: PAGE });
      mergePage(channel.log, page.messages, page.head_seq);
    } catch {
      // Scrolling again asks again.
    } finally {
      channel.loadingOlder = false;
      this.#chat.changed();
    }
  }

  /**
   * Lets go of old history of channels that are not on the screen, or whose end is.
   */
  tidy() {
    for (const channel of this.#chat.model.channels.values()) {
      const here = this.#chat.active?.kind === 'channel' && this.#chat.active.name === channel.name;
      if ((!here || this.#chat.atEnd) && channel.log.messages.length > KEEP * 2) trim(channel.log, KEEP);
    }
  }

  mailbox() {
    return this.#once('mailbox', async () => {
      for (;;) {
        const box = /** @type {import('../types.js').Mailbox} */ (await get('/chat/mailbox', { limit: LONGEST_PAGE }));
        if (box.messages.length === 0) return;
        await this.#chat.mail.take(box.messages);
        // What can't be stored is not acknowledged, and would come again for ever.
        if (!box.more || !this.#chat.store.durable) return;
      }
    });
  }

  /** Asks how far own direct messages have come that were queued when last heard of. */
  async #deliveries() {
    const queued = undelivered(this.#chat.model.talks);
    for (let at = 0; at < queued.length; at += IDS_PER_CALL) {
      const ids = queued.slice(at, at + IDS_PER_CALL).map((record) => record.id);
      /** @type {import('../types.js').Deliveries|null} */
      const answer = await post('/chat/direct/status', { ids }).then((one) => /** @type {any} */ (one), () => null);
      if (answer) await this.#chat.mail.states(answer.deliveries);
    }
  }

  /**
   * @param {string} channel
   * @param {Record<string, number>} bounds
   * @returns {Promise<import('../types.js').Messages>}
   */
  #page(channel, bounds) {
    return get('/chat/messages', { channel, ...bounds });
  }

  /**
   * One run of a kind at a time; a second call while one runs gets one more run after it, so that nothing that
   * happened in between is missed. Failures on the way are healed by the next greeting.
   * @param {string} name
   * @param {() => Promise<void>} work
   * @returns {Promise<void>}
   */
  #once(name, work) {
    const running = this.#running.get(name);
    const again = this.#running.get(`${name} again`);
    if (again) return again;
    /** @type {Promise<void>} */
    const run = (running ? running.then(work) : work()).catch((error) => this.#failed(error)).finally(() => {
      for (const key of [name, `${name} again`]) if (this.#running.get(key) === run) this.#running.delete(key);
      const next = this.#running.get(`${name} again`);
      if (next) {
        this.#running.delete(`${name} again`);
        this.#running.set(name, next);
      }
      this.#chat.changed();
    });
    this.#running.set(running ? `${name} again` : name, run);
    return run;
  }

  /** @param {unknown} error */
  #failed(error) {
    const status = error instanceof Error && 'status' in error ? error.status : null;
    if (status === 401) this.#chat.live.signedOut();
    else if (typeof status !== 'number') console.error(error);
    // The server or the link, not the question itself: worth another try.
    else if (verdictOf(status) === 'retry') setTimeout(() => void this.#heal(), 3000);
  }

  #healing = false;

  /** A load failed while the stream stayed up: try again, gently. */
  async #heal() {
    if (this.#healing || this.#chat.live.status.state !== 'online') return;
    this.#healing = true;
    await this.snapshot();
    this.#healing = false;
  }
}
