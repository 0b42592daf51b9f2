/**
 * Passkeys among what the browser offers for the name's field: whoever picks one there is signed in by it.
 *
 * The browser needs the server's question for that before anybody asked for anything, and the question is good for five minutes. It is
 * renewed before they are over, but only while the page shows, and only a few times: a page that stands open for hours keeps no server busy.
 * A browser has one question at a time: where another of its pages asked for one, that of this page is over, and renewed when it shows again.
 *
 * @typedef {import('../types.js').PasskeyOptions} PasskeyOptions
 * @typedef {import('../crypto/webauthn.js').Json} Json
 */

/** A minute less than the question is good for. */
export const RENEWED_AFTER = 4 * 60_000;
/** Questions that a page asks for by itself. */
export const MOST = 8;

/** To the other pages; an older browser has none, and signing in must not fail for that. */
function channel() {
  return 'BroadcastChannel' in globalThis ? new BroadcastChannel('passkey') : null;
}

export class Suggestions {
  #able;
  #ask;
  #show;
  #picked;
  #page;
  #others;
  #wanted = false;
  #left = MOST;
  /** There is no question, or it is over. */
  #over = true;
  #current = new AbortController();
  /** What the last question came to: two at a time would take each other's place. */
  #turn = Promise.resolve();

  /**
   * @param {object} way
   * @param {Promise<boolean>} way.able  whether browser and server can do it at all
   * @param {() => Promise<PasskeyOptions>} way.ask  gets a question from the server
   * @param {(asked: PasskeyOptions, signal: AbortSignal) => Promise<Json>} way.show  has the browser offer passkeys
   * @param {(credential: Json) => Promise<boolean>} way.picked  somebody picked one; whether that led in
   * @param {EventTarget & {readonly hidden: boolean}} [way.page]
   * @param {(EventTarget & {postMessage: (what: string) => void})|null} [way.others]  the other pages of this browser
   */
  constructor({ able, ask, show, picked, page = document, others = channel() }) {
    this.#able = able;
    this.#ask = ask;
    this.#show = show;
    this.#picked = picked;
    this.#page = page;
    this.#others = others;
    page.addEventListener('visibilitychange', () => this.#renew());
    others?.addEventListener('message', () => { this.#over = true; });
  }

  /** From now on passkeys are offered. */
  start() {
    this.#wanted = true;
    this.#renew();
  }

  /**
   * They are wanted no more: the person chose another way, or leaves.
   * @returns {Promise<void>} once nothing is under way
   */
  stop() {
    this.#wanted = false;
    this.#end();
    return this.#turn;
  }

  /** A question of the server; those of the other pages are over. */
  async question() {
    const asked = await this.#ask();
    this.#others?.postMessage('asked');
    return asked;
  }

  #end() {
    this.#over = true;
    this.#current.abort();
  }

  #renew() {
    if (!this.#wanted || !this.#over || this.#page.hidden) return;
    this.#end();
    if (this.#left === 0) return;
    this.#left -= 1;
    this.#over = false;
    const current = this.#current = new AbortController();
    this.#turn = this.#turn.then(() => this.#offer(current.signal));
  }

  /** @param {AbortSignal} signal */
  async #offer(signal) {
    if (!await this.#able || signal.aborted) return;
    const late = setTimeout(() => this.#again(), RENEWED_AFTER);
    signal.addEventListener('abort', () => clearTimeout(late));
    try {
      const credential = await this.#show(await this.question(), signal);
      if (signal.aborted) return;
      clearTimeout(late);
      if (!await this.#picked(credential)) this.#again();
    } catch {
      // Nobody asked for anything: there is nothing to complain about, and the other ways are open.
    }
  }

  #again() {
    this.#over = true;
    this.#renew();
  }
}
