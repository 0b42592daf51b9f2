/**
 * What was written and is not acknowledged yet.
 *
 * Every message gets its id here, before the first attempt, and keeps it for all attempts: the tracker
 * answers a repeated id with the first result, so trying again can't double a message. What has no answer stays
 * `pending` and is tried again; only a refusal that no repetition can heal makes it `failed`, and then the person
 * decides. Messages to one conversation go out one after another, in the order of writing.
 *
 * @typedef {object} OutItem
 * @property {string} id
 * @property {'channel'|'direct'} kind
 * @property {string} target       A channel's name or a peer id.
 * @property {string} text
 * @property {number} created      Milliseconds since 1970.
 * @property {'pending'|'failed'} state
 * @property {string} [code]       Why it failed.
 * @property {string} [reason]     The same in the server's words.
 *
 * @typedef {{verdict: 'sent', answer: any}|{verdict: 'retry', after?: number}|{verdict: 'signin'}
 *   |{verdict: 'refused', code: string, reason: string}} SendResult
 */

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

export class Outbox {
  /** @type {Map<string, OutItem>} */
  #items = new Map();
  /** @type {Set<string>} */
  #busy = new Set();
  #hooks;

  /**
   * @param {object} hooks
   * @param {(item: OutItem) => Promise<SendResult>} hooks.send
   * @param {(item: OutItem) => Promise<void>} hooks.save     Keeps an item over a reload.
   * @param {(item: OutItem) => Promise<void>} hooks.remove
   * @param {(item: OutItem, answer: any) => Promise<void>} hooks.sent   Done once the answer is kept.
   * @param {() => void} hooks.changed
   * @param {(after: number|undefined) => void} hooks.retryLater
   * @param {() => void} hooks.signin
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /**
   * What an earlier page left.
   * @param {OutItem[]} items
   */
  restore(items) {
    for (const item of [...items].sort((one, other) => one.created - other.created)) {
      if (!this.#items.has(item.id)) this.#items.set(item.id, item);
    }
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
    return [...this.#items.values()].filter((item) => item.kind === kind && item.target === target);
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

  /** Sends whatever is pending; conversations don't wait for each other. */
  async flush() {
    const lanes = new Set([...this.#items.values()].map(laneOf));
    await Promise.all([...lanes].map((lane) => this.#drain(lane)));
  }

  /** @param {string} lane */
  async #drain(lane) {
    if (this.#busy.has(lane)) return;
    this.#busy.add(lane);
    try {
      for (;;) {
        const item = [...this.#items.values()].find((one) => laneOf(one) === lane && one.state === 'pending');
        if (!item) return;
        const result = await this.#hooks.send(item);
        if (result.verdict === 'sent') {
          await this.#hooks.sent(item, result.answer);
          this.settle(item.id);
        } else if (result.verdict === 'refused') {
          item.state = 'failed';
          item.code = result.code;
          item.reason = result.reason;
          await this.#hooks.save(item);
          this.#hooks.changed();
        } else {
          if (result.verdict === 'signin') this.#hooks.signin();
          else this.#hooks.retryLater(result.after);
          return;
        }
      }
    } finally {
      this.#busy.delete(lane);
    }
  }
}

/** @param {OutItem} item */
function laneOf(item) {
  return `${item.kind}\n${item.target}`;
}
