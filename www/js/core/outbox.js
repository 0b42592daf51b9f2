/**
 * What was written and is not acknowledged yet.
 *
 * Every message gets its id here, before the first attempt, and keeps it for all attempts: the tracker
 * answers a repeated id with the first result, so trying again can't double a message. What has no answer stays
 * `pending` and is tried again; only a refusal that no repetition can heal makes it `failed`, and then the person
 * decides. Messages to one conversation go out in the order of writing: those to a channel one after another, direct
 * ones without waiting for one another's answers, up to a window of them.
 *
 * @typedef {object} OutItem
 * @property {string} id
 * @property {'channel'|'direct'} kind
 * @property {string} target       A channel's name or a peer id.
 * @property {string} text
 * @property {number} created      Milliseconds since 1970.
 * @property {'pending'|'failed'|'reached'} state   `reached` is never kept: after a reload it is pending.
 * @property {string} [code]       Why it failed.
 * @property {string} [reason]     The same in the server's words.
 * @property {boolean} [reached]   A device of the receiver has it; others may still have to get it. Not kept.
 *
 * `rest`: what is left to be done although the message is sent; until then it is kept.
 * @typedef {{verdict: 'sent', answer: any, rest?: Promise<SendResult>}|{verdict: 'retry', after?: number}|{verdict: 'signin'}
 *   |{verdict: 'refused', code: string, reason: string}} SendResult
 */

import { fold } from './names.js';

/** Messages of one conversation that may be under way at once. */
const WINDOW = { channel: 1, direct: 64 };

/**
 * What an HTTP status means for a message: 0 is no answer at all. A full mailbox is a 429, but not one that
 * passes while somebody waits for it.
 * @param {number} status
 * @param {string} [code]
 * @returns {'sent'|'retry'|'signin'|'refused'}
 */
export function verdictOf(status, code) {
  if (code === 'mailbox_full') return 'refused';
  if (status >= 200 && status < 300) return 'sent';
  if (status === 401) return 'signin';
  if (status === 0 || status === 408 || status === 425 || status === 429 || status >= 500) return 'retry';
  return 'refused';
}

/**
 * @typedef {object} Lane              What is under way in one conversation.
 * @property {Map<string, Promise<boolean>>} flying   By id, in order: whether it came to an end.
 * @property {boolean} halted          One found no answer: the others wait for the next attempt.
 */

export class Outbox {
  /** @type {Map<string, OutItem>} */
  #items = new Map();
  /** @type {Map<string, Lane>} */
  #lanes = new Map();
  #hooks;

  /**
   * @param {object} hooks
   * @param {(item: OutItem, earlier: Promise<boolean>) => Promise<SendResult>} hooks.send   `earlier`: once those before it in the
   *   conversation are done, whether all of them came to an end.
   * @param {(item: OutItem) => Promise<void>} hooks.save     Keeps an item over a reload.
   * @param {(item: OutItem) => Promise<void>} hooks.remove
   * @param {(item: OutItem, answer: any) => Promise<void>} hooks.sent   Done once the answer is kept.
   * @param {() => void} hooks.changed
   * @param {(after: number|undefined) => void} hooks.retryLater
   * @param {() => void} hooks.signin
   * @param {(item: OutItem) => boolean} [hooks.mine]         Whether this page sends it; another tab does otherwise.
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /**
   * What an earlier page left, or another tab wrote.
   * @param {OutItem[]} items
   */
  restore(items) {
    for (const item of [...items].sort((one, other) => one.created - other.created)) {
      if (!this.#items.has(item.id)) this.#items.set(item.id, item);
    }
  }

  /**
   * Another tab changed an item.
   * @param {OutItem} item
   */
  take(item) {
    const known = this.#items.get(item.id);
    if (known) Object.assign(known, { code: undefined, reason: undefined }, item);
    else this.#items.set(item.id, item);
    this.#hooks.changed();
  }

  /** @param {string} id */
  get(id) {
    return this.#items.get(id);
  }

  /**
   * What waits for one conversation, oldest first.
   * @param {OutItem['kind']} kind
   * @param {string} target
   */
  for(kind, target) {
    const lane = laneOf({ kind, target });
    return [...this.#items.values()].filter((item) => laneOf(item) === lane);
  }

  get size() {
    return this.#items.size;
  }

  /**
   * Takes a new message, keeps it, and sends it.
   * @param {OutItem} item
   */
  async add(item) {
    this.#items.set(item.id, item);
    this.#hooks.changed();
    await this.#hooks.save(item);
    await this.flush();
  }

  /**
   * The person wants to try a failed one again.
   * @param {string} id
   */
  async retry(id) {
    const item = this.#items.get(id);
    if (!item) return;
    item.state = 'pending';
    delete item.code;
    delete item.reason;
    this.#hooks.changed();
    await this.#hooks.save(item);
    await this.flush();
  }

  /**
   * The message is known to have arrived (an event told it), or the person gave it up.
   * @param {string} id
   */
  settle(id) {
    const item = this.#items.get(id);
    if (!item) return;
    this.#items.delete(id);
    void this.#hooks.remove(item);
    this.#hooks.changed();
  }

  /**
   * Another tab has settled it.
   * @param {string} id
   * @returns {boolean} whether it was here
   */
  drop(id) {
    const known = this.#items.delete(id);
    if (known) this.#hooks.changed();
    return known;
  }

  /** Sends whatever is pending; conversations don't wait for each other. */
  async flush() {
    for (const lane of this.#lanes.values()) lane.halted = false;
    const names = new Set([...this.#items.values()].map(laneOf));
    await Promise.all([...names].map((name) => this.#drain(name)));
  }

  /**
   * Starts as many as may be under way.
   * @param {string} name
   */
  async #drain(name) {
    const lane = this.#lanes.get(name) ?? { flying: new Map(), halted: false };
    this.#lanes.set(name, lane);
    /** @type {Promise<boolean>[]} */
    const started = [];
    for (const item of [...this.#items.values()]) {
      if (lane.halted) break;
      if (laneOf(item) !== name) continue;
      if (lane.flying.size >= WINDOW[item.kind]) break;
      if (item.state !== 'pending' || lane.flying.has(item.id) || this.#hooks.mine?.(item) === false) continue;
      const earlier = Promise.all(lane.flying.values()).then((ends) => ends.every(Boolean));
      const attempt = this.#attempt(lane, item, earlier);
      lane.flying.set(item.id, attempt);
      started.push(attempt.then((ended) => (ended ? this.#drain(name).then(() => true) : false)));
    }
    await Promise.all(started);
  }

  /**
   * @param {Lane} lane
   * @param {OutItem} item
   * @param {Promise<boolean>} earlier
   * @returns {Promise<boolean>} whether it came to an end
   */
  async #attempt(lane, item, earlier) {
    try {
      const result = await this.#hooks.send(item, earlier);
      return await this.#take(item, result);
    } finally {
      lane.flying.delete(item.id);
      if (item.state === 'pending' && this.#items.has(item.id) && !item.reached) lane.halted = true;
    }
  }

  /**
   * @param {OutItem} item
   * @param {SendResult} result
   */
  async #take(item, result) {
    switch (result.verdict) {
      case 'sent':
        await this.#hooks.sent(item, result.answer);
        if (result.rest) this.#finish(item, result.rest);
        else this.settle(item.id);
        return true;
      case 'refused':
        item.state = 'failed';
        item.code = result.code;
        item.reason = result.reason;
        await this.#hooks.save(item);
        this.#hooks.changed();
        return true;
      case 'signin':
        this.#hooks.signin();
        return false;
      default:
        this.#hooks.retryLater(result.after);
        return false;
    }
  }

  /**
   * One device has it; whatever is left goes on beside the messages that follow.
   * @param {OutItem} item
   * @param {Promise<SendResult>} rest
   */
  #finish(item, rest) {
    item.reached = true;
    item.state = 'reached';
    void rest.then((result) => {
      // It has arrived: a refusal by the mailbox changes nothing for the person.
      if (result.verdict === 'sent' || result.verdict === 'refused') return this.settle(item.id);
      item.state = 'pending';
      if (result.verdict === 'signin') return this.#hooks.signin();
      return this.#hooks.retryLater(result.after);
    });
  }
}

/** @param {Pick<OutItem, 'kind'|'target'>} item */
function laneOf({ kind, target }) {
  return `${kind}\n${kind === 'direct' ? fold(target) : target}`;
}
