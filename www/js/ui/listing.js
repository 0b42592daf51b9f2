/**
 * A list that comes from the server, page by page: it says when that takes long, that there is nothing, or that it
 * failed, and then offers to try again. What it shows stays until there is something newer.
 */

import { ApiError } from '../net/api.js';
import { act, complain, errorLine } from './act.js';
import { el, fill, reconcile, setText } from './dom.js';
import { t } from './i18n.js';

/** Less is not worth a word. */
const SILENT_MS = 300;

/** @template R */
export class Listing {
  /** @type {R[]} */
  rows = [];

  /** @type {string|number|undefined} */
  #next;
  #round = 0;

  /**
   * @param {HTMLElement} list
   * @param {object} what
   * @param {(next?: string|number) => Promise<{rows: R[], next?: string|number}>} what.load  a page; `next` of the one before
   * @param {(row: R) => string} what.key
   * @param {(row: R) => Element} what.make
   * @param {string} what.none  what is said of an empty list
   */
  constructor(list, what) {
    this.list = list;
    this.what = what;
    this.state = el('p', { class: 'muted listing-state', attrs: { role: 'status' } });
    this.error = errorLine();
    this.again = el('button', { class: 'small', attrs: { type: 'button', hidden: true }, on: { click: () => this.reload() } }, t('retry'));
    this.further = el('button', { attrs: { type: 'button', hidden: true }, on: { click: () => this.#more() } }, t('more'));
    list.after(this.state, this.error, this.again, this.further);
  }

  /** From the start. An answer that was overtaken by a later question counts for nothing. */
  async reload() {
    const round = this.#round += 1;
    const timer = setTimeout(() => setText(this.state, t('loading')), SILENT_MS);
    try {
      const { rows, next } = await this.what.load();
      if (round !== this.#round) return;
      this.#next = next;
      fill(this.error);
      this.again.hidden = true;
      this.change(rows);
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      if (round !== this.#round) return;
      setText(this.state, '');
      complain(this.error, problem);
      this.again.hidden = false;
    } finally {
      clearTimeout(timer);
    }
  }

  async #more() {
    const round = this.#round;
    await act(this.further, this.error, async () => {
      const { rows, next } = await this.what.load(this.#next);
      if (round !== this.#round) return;
      const first = this.rows.length;
      this.#next = next;
      this.change([...this.rows, ...rows]);
      if (next === undefined) this.#focus(first);
    });
  }

  /**
   * Shows other rows. Whoever was in one that is gone finds the focus in the one that took its place.
   * @param {R[]} rows
   */
  change(rows) {
    this.rows = rows;
    const at = [...this.list.children].findIndex((child) => child.contains(document.activeElement));
    reconcile(this.list, rows.map((row) => ({ key: this.what.key(row), sig: JSON.stringify(row), row })), ({ row }) => this.what.make(row));
    setText(this.state, rows.length === 0 ? this.what.none : '');
    this.further.hidden = this.#next === undefined;
    // A row that was drawn anew takes the focus by itself, a little later.
    if (at >= 0) queueMicrotask(() => this.list.contains(document.activeElement) || this.#focus(at));
  }

  /** @param {number} at */
  #focus(at) {
    const row = this.list.children[Math.min(at, this.list.childElementCount - 1)];
    const target = row?.querySelector('button') ?? row ?? this.list;
    if (!(target instanceof HTMLElement)) return;
    if (target.tagName !== 'BUTTON') target.tabIndex = -1;
    target.focus();
  }
}

/**
 * A line of a list: what it is, what is known about it, and what can be done with it.
 * @param {object} about
 * @param {Node} about.mark
 * @param {string} about.title
 * @param {(Node|null)[]} [about.tags]
 * @param {(Node|null)[]} [about.actions]
 * @param {string[]} about.notes
 */
export function item({ mark, title, tags = [], actions = [], notes }) {
  const node = el('li', { class: 'item' }, mark,
    el('div', { class: 'item-text' }, el('p', { class: 'item-head' }, el('strong', {}, title), ...tags),
      ...notes.map((note) => el('p', { class: 'muted' }, note))));
  const held = actions.filter((action) => action !== null);
  if (held.length > 0) {
    const shelf = el('div', { class: 'item-actions' });
    fill(shelf, ...held);
    node.append(shelf);
  }
  return node;
}

/**
 * @param {string} text
 * @param {''|'good'|'bad'} [kind]
 */
export function tag(text, kind = '') {
  return el('span', { class: `tag ${kind}`.trim() }, text);
}
