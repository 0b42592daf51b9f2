/**
 * What the tabs of one account tell each other about files. The leader says how all transfers stand; the others hand it
 * what the person wants done, and the files themselves. A wish is repeated to a new leader until one has taken it.
 *
 * @typedef {import('./shown.js').Shown} Shown
 * @typedef {{do: 'send', key: string, peer: string, file: File}|{do: 'accept'|'decline'|'refuse'|'cancel'|'saved'|'free'|'dismiss', key: string}} Wish
 *   `refuse`: declined for want of room.
 *
 * @typedef {{leads: true}|{asks: true}|{all: Shown[]}|{some: Shown[]}|{news: Shown}|{needs: string[]}|{wish: Wish, id: string}|{took: string}} Said
 *
 * @typedef {object} TabHooks
 * @property {() => boolean} leading
 * @property {() => void} asked                       Another tab wants to know how all stands.
 * @property {(shown: Shown[], all: boolean) => void} told
 * @property {(shown: Shown) => void} news
 * @property {(keys: string[]) => void} needed        The leader lacks the files of these transfers.
 * @property {(wish: Wish) => void} wished
 */

import { fold, messageId } from '../core/names.js';

export class FileTabs {
  /** @type {BroadcastChannel|null} */
  #channel = null;
  #hooks;
  /** @type {Map<string, Wish>} by id, in order */
  #open = new Map();
  /** @type {Set<string>} ids of wishes that were taken; a repeated one isn't done twice */
  #taken = new Set();

  /**
   * @param {string} account
   * @param {TabHooks} hooks
   */
  constructor(account, hooks) {
    this.#hooks = hooks;
    if (!('BroadcastChannel' in globalThis)) return;
    this.#channel = new BroadcastChannel(`hybrid-chat-files:${fold(account)}`);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#say({ asks: true });
  }

  /** @param {Said} said */
  #say(said) {
    this.#channel?.postMessage(said);
  }

  /** @param {Said} said */
  #hear(said) {
    const leading = this.#hooks.leading();
    if ('asks' in said && leading) return this.#hooks.asked();
    if ('wish' in said && leading) {
      this.#say({ took: said.id });
      if (!this.#taken.has(said.id)) this.#hooks.wished(said.wish);
      this.#taken.add(said.id);
      return undefined;
    }
    if ('took' in said) return void this.#open.delete(said.took);
    if (leading) return undefined;
    if ('leads' in said) return this.#repeat();
    if ('all' in said) return this.#hooks.told(said.all, true);
    if ('some' in said) return this.#hooks.told(said.some, false);
    if ('news' in said) return this.#hooks.news(said.news);
    if ('needs' in said) return this.#hooks.needed(said.needs);
    return undefined;
  }

  #repeat() {
    for (const [id, wish] of this.#open) this.#say({ wish, id });
  }

  /**
   * Hands the leader something to do. The tab that leads does it itself.
   * @param {Wish} wish
   */
  wish(wish) {
    if (this.#hooks.leading()) return this.#hooks.wished(wish);
    const id = messageId(Date.now());
    this.#open.set(id, wish);
    return this.#say({ wish, id });
  }

  /** This tab leads from now on: it does what it asked for itself. */
  leads() {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const wish of open) this.#hooks.wished(wish);
    this.#say({ leads: true });
  }

  /** @param {Shown[]} shown */
  all(shown) {
    this.#say({ all: shown });
  }

  /** @param {Shown[]} shown */
  some(shown) {
    if (shown.length > 0) this.#say({ some: shown });
  }

  /** @param {Shown} shown */
  news(shown) {
    this.#say({ news: shown });
  }

  /** @param {string[]} keys */
  needs(keys) {
    if (keys.length > 0) this.#say({ needs: keys });
  }
}
