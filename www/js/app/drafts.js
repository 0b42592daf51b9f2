/**
 * What was begun and not sent, per conversation, over reloads.
 */

import { hashOf } from '../core/route.js';
import { fold } from '../core/names.js';
import { pref, setPref } from '../ui/prefs.js';

export class Drafts {
  #prefix;

  /** @param {string} account */
  constructor(account) {
    this.#prefix = draftPrefix(account);
  }

  /** @param {import('../core/route.js').Place} place */
  read(place) {
    return pref(this.#prefix + hashOf(place)) ?? '';
  }

  /**
   * @param {import('../core/route.js').Place} place
   * @param {string} text
   */
  keep(place, text) {
    setPref(this.#prefix + hashOf(place), text === '' ? null : text);
  }
}

/** @param {string} account */
export function draftPrefix(account) {
  return `draft:${fold(account)}:`;
}
