/**
 * Direct messages: kept on disk first, then acknowledged, so that the tracker may forget them; and the news of
 * how far own ones have come.
 *
 * @typedef {import('../core/directs.js').DirectRecord} DirectRecord
 */

import { directKey, place, recordOf, talkWith } from '../core/directs.js';
import { fold, samePeer } from '../core/names.js';
import { post } from '../net/api.js';

/** So many deliveries are remembered for answers that come late. */
const REMEMBERED = 1000;

export class Mail {
  /** @type {import('./chat.js').Chat} */
  #chat;
  /**
   * Own messages (by key) known to be delivered: the news may be faster than the answer to sending.
   * @type {Set<string>}
   */
  #delivered = new Set();
  /** @type {{records: DirectRecord[], done: (kept: DirectRecord[]|null) => void}[]} */
  #waiting = [];
  #writing = false;

  /** @param {import('./chat.js').Chat} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  /** What this browser kept. */
  async restore() {
    for (const record of await this.#chat.store.directs()) place(this.#chat.model.talks, record);
  }

  /**
   * Takes messages from the tracker.
   * @param {import('../types.js').DirectMessage[]} messages
   */
  async take(messages) {
    const { model, outbox, store } = this.#chat;
    const stored = await this.keep(messages.map((message) => recordOf(message, model.me)));
    for (const message of messages) if (samePeer(message.from, model.me)) outbox.settle(message.id);
    if (!stored || !store.durable) return;
    const refs = messages.filter((message) => samePeer(message.to, model.me)).map(({ from, id }) => ({ from, id }));
    // Without an answer the message comes again with the mailbox, and is acknowledged then.
    if (refs.length > 0) await post('/chat/mailbox/ack', { messages: refs }).catch(() => undefined);
  }

  /**
   * @param {DirectRecord[]} records
   * @returns {Promise<boolean>} whether they are on disk
   */
  async keep(records) {
    const written = await this.#write(records);
    const kept = written ?? records;
    for (const { timestamp } of kept) this.#chat.p2p.passed(timestamp);
    this.#chat.tabs.direct(kept);
    for (const record of kept) {
      if (this.place(record) && !record.seen) {
        this.#chat.arrived({ kind: 'direct', name: this.#nameOf(record.peer) }, record.from, record.message, record.key);
      }
    }
    const ahead = kept.filter((record) => record.delivery === 'queued' && this.#delivered.has(record.key));
    if (ahead.length > 0) await this.keep(ahead.map((record) => ({ ...record, delivery: 'delivered' })));
    return written !== null;
  }

  /**
   * One transaction for all that came while the last one was being written: a disk takes few in a second.
   * @param {DirectRecord[]} records
   * @returns {Promise<DirectRecord[]|null>} the merged ones; null when the disk doesn't take them
   */
  #write(records) {
    return new Promise((done) => {
      this.#waiting.push({ records, done });
      if (!this.#writing) void this.#writeAll();
    });
  }

  async #writeAll() {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const kept = await this.#chat.store.putDirects(batch.flatMap(({ records }) => records)).catch(() => null);
      let at = 0;
      for (const { records, done } of batch) {
        done(kept && kept.slice(at, at + records.length));
        at += records.length;
      }
    }
    this.#writing = false;
  }

  /**
   * Puts a record before the eyes.
   * @param {DirectRecord} record
   * @returns {boolean} whether it is new
   */
  place(record) {
    const fresh = place(this.#chat.model.talks, record);
    this.#chat.changed();
    return fresh;
  }

  /**
   * The recipient has acknowledged an own message.
   * @param {string} id
   */
  async delivered(id) {
    this.#delivered.add(directKey(this.#chat.model.me, id));
    const [oldest] = this.#delivered;
    if (this.#delivered.size > REMEMBERED) this.#delivered.delete(oldest);
    await this.states([{ id, delivery: 'delivered' }]);
  }

  /**
   * Takes what the tracker says about own messages.
   * @param {import('../types.js').Deliveries['deliveries']} deliveries
   */
  async states(deliveries) {
    const { model } = this.#chat;
    const told = new Map(deliveries.map(({ id, delivery }) => [directKey(model.me, id), delivery]));
    const records = [...model.talks.values()].flatMap((talk) => talk.records).filter((record) => told.has(record.key));
    const fresh = records.map((record) => ({ ...record, delivery: told.get(record.key) }));
    if (fresh.length > 0) await this.keep(fresh);
  }

  /**
   * The spelling of the open conversation, if it is this peer's, else the talk's own.
   * @param {string} peer folded
   */
  #nameOf(peer) {
    const { active, model } = this.#chat;
    if (active?.kind === 'direct' && fold(active.name) === peer) return active.name;
    return talkWith(model.talks, peer).peer;
  }
}
