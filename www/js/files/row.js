/**
 * One transfer in a talk. The node stays the same for the transfer's life: figures change in place, and buttons only when
 * what can be done changes, so that a keyboard's focus and a screen reader's place are kept.
 *
 * @typedef {import('./shown.js').Shown} Shown
 * @typedef {import('./words.js').Other} Other
 *
 * @typedef {object} RowActions
 * @property {(one: Shown) => void} accept
 * @property {(one: Shown) => void} decline
 * @property {(one: Shown) => void} cancel
 * @property {(one: Shown) => void} save
 * @property {(one: Shown) => void} discard
 * @property {(one: Shown) => void} free
 * @property {(one: Shown) => void} again
 * @property {(one: Shown) => void} choose
 * @property {(one: Shown) => void} remove
 * @property {(one: Shown) => boolean} has            Whether the file is at hand in this page.
 * @property {(one: Shown) => Promise<{url: string, width: number, height: number}|null>} preview
 * @property {() => void} grown                       A row takes more room than before.
 */

import { el, fill, setAttr, setText } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { lang, t, when } from '../ui/i18n.js';
import { avatar } from '../view/people.js';
import { figures, sizeText, stateText } from './words.js';

/** @type {Partial<Record<Shown['stage'], string>>} */
const MARKS = { done: 'check', declined: 'close', cancelled: 'close', failed: 'warn' };
/** The longer side of a preview, in pixels of the page. */
const PREVIEW = 280;

export class FileRow {
  node;
  #actions;
  #me;
  #sig = '';
  #by = el('p', { class: 'by' });
  #name = el('p', { class: 'file-name', attrs: { dir: 'auto' } });
  #note = el('p', { class: 'file-note' });
  #remove = el('div', { class: 'file-remove' });
  #preview = el('div', { class: 'file-preview', attrs: { hidden: true } });
  #bar = el('progress', { attrs: { max: 1, value: 0 } });
  #state = el('p', { class: 'file-state' });
  #words = el('span');
  #way = el('span', { class: 'file-way', attrs: { hidden: true } });
  #buttons = el('div', { class: 'file-actions' });
  /** @type {'none'|'asked'|'shown'} */
  #pictured = 'none';

  /**
   * @param {string} me
   * @param {Shown} one
   * @param {RowActions} actions
   */
  constructor(me, one, actions) {
    this.#me = me;
    this.#actions = actions;
    const mine = one.dir === 'out';
    this.node = el('li', { class: `message head file${mine ? ' mine' : ''}`, data: { file: one.key, dir: one.dir } },
      avatar(mine ? me : one.peer),
      el('div', { class: 'message-body' }, this.#by,
        el('div', { class: 'file-card' },
          el('div', { class: 'file-head' }, el('span', { class: 'file-icon' }, icon('file')),
            el('div', { class: 'file-what' }, this.#name, this.#note), this.#remove),
          this.#preview, this.#bar, this.#state, this.#buttons)));
  }

  /**
   * @param {Shown} one
   * @param {Other} other
   */
  update(one, other) {
    const { node } = this;
    setText(this.#name, one.name);
    node.dataset.stage = one.stage;
    node.dataset.phase = one.phase ?? '';
    node.dataset.from = String(one.from);
    this.#flow(one);
    const can = this.#can(one);
    const sig = [stateText(one, other), one.phase, one.stage, one.way, other.name, one.at, can.join(), lang()].join('|');
    if (sig !== this.#sig) {
      this.#sig = sig;
      this.#redraw(one, other, can);
    }
    this.#picture(one);
  }

  /**
   * What changes with every byte.
   * @param {Shown} one
   */
  #flow(one) {
    this.#bar.hidden = one.phase === null || one.stage !== 'accepted';
    this.#bar.value = one.size === 0 ? 1 : one.moved / one.size;
    setAttr(this.#bar, 'aria-label', t('file.progress', { file: one.name }));
    if (one.phase === 'moving') setText(this.#words, figures(one));
  }

  /**
   * @param {Shown} one
   * @param {Other} other
   * @param {string[]} can
   */
  #redraw(one, other, can) {
    const from = one.dir === 'out' ? this.#me : other.name;
    const at = Date.parse(one.at);
    fill(this.#by, el('span', { class: 'from' }, from), ' ',
      el('time', { attrs: { datetime: one.at, title: when('full', at) } }, when('time', at)));
    fill(this.#note, el('span', { class: 'sr' }, one.dir === 'out' ? t('file.to', { name: other.name }) : t('file.from', { name: other.name }), ' '),
      sizeText(one.size));
    if (one.phase !== 'moving') setText(this.#words, stateText(one, other));
    const mark = MARKS[one.stage];
    fill(this.#state, mark ? icon(mark) : null, el('span', {}, this.#words, ' ', this.#way));
    this.#way.hidden = one.way === '' || (one.phase !== null && one.phase !== 'moving' && one.phase !== 'checking') || (one.phase === null && one.stage !== 'done');
    setText(this.#way, one.way === 'relayed' ? t('file.way.relayed') : t('file.way.direct'));
    setAttr(this.#way, 'title', one.way === 'relayed' ? t('file.way.relayed.long') : t('file.way.direct.long'));
    this.#redrawButtons(one, can);
  }

  /**
   * @param {Shown} one
   * @param {string[]} can
   */
  #redrawButtons(one, can) {
    const focused = this.node.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.act : undefined;
    const removable = can.includes('remove');
    fill(this.#buttons, ...can.filter((act) => act !== 'remove').map((act, index) => this.#button(one, act, index === 0)));
    this.#buttons.hidden = this.#buttons.childElementCount === 0;
    fill(this.#remove, removable ? el('button', {
      class: 'quiet icon-only small', data: { act: 'remove' },
      attrs: { type: 'button', 'aria-label': t('file.remove', { file: one.name }), title: t('file.remove', { file: one.name }) },
      on: { click: () => this.#actions.remove(one) },
    }, icon('close')) : null);
    if (focused === undefined) return;
    const all = /** @type {HTMLElement[]} */ ([...this.node.querySelectorAll('button')]);
    (all.find((button) => button.dataset.act === focused) ?? all[0] ?? document.getElementById('text'))?.focus();
  }

  /**
   * @param {Shown} one
   * @param {string} act
   * @param {boolean} first
   */
  #button(one, act, first) {
    const words = {
      accept: t('file.accept'), decline: t('file.decline'), cancel: t('file.cancel'), choose: t('file.choose'), again: t('retry'),
      save: one.saved ? t('file.save.again') : t('file.save'), discard: t('discard'), free: t('file.free'),
    };
    const primary = first && (act === 'accept' || (act === 'save' && !one.saved));
    const press = this.#actions[/** @type {keyof typeof words} */ (act)];
    return el('button', { class: primary ? 'small primary' : 'small', data: { act }, attrs: { type: 'button' }, on: { click: () => press(one) } },
      words[/** @type {keyof typeof words} */ (act)], el('span', { class: 'sr' }, ` ${one.name}`));
  }

  /**
   * What the person can do, the likeliest first.
   * @param {Shown} one
   * @returns {(keyof RowActions)[]}
   */
  #can(one) {
    if (one.phase === 'offer') return ['accept', 'decline'];
    if (one.phase === 'lost') return ['choose', 'cancel'];
    if (one.phase !== null) return ['cancel'];
    if (one.dir === 'in' && one.stage === 'done' && one.held) return one.saved ? ['save', 'free'] : ['save', 'discard'];
    if (one.dir === 'out' && one.stage !== 'done') return [this.#actions.has(one) ? 'again' : 'choose', 'remove'];
    return ['remove'];
  }

  /** @param {Shown} one */
  #picture(one) {
    const wanted = one.stage === 'done' && one.dir === 'in' && one.held;
    if (!wanted) {
      this.#preview.hidden = true;
      this.close();
      return;
    }
    if (this.#pictured !== 'none') return;
    this.#pictured = 'asked';
    void this.#actions.preview(one).then((picture) => {
      if (!picture || this.#pictured !== 'asked') return picture && URL.revokeObjectURL(picture.url);
      this.#pictured = 'shown';
      const scale = Math.min(1, PREVIEW / Math.max(picture.width, picture.height));
      const [width, height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
      const image = el('img', { attrs: { src: picture.url, alt: t('file.preview', { file: one.name }), width, height, decoding: 'async' } });
      image.addEventListener('error', () => (this.#preview.hidden = true));
      fill(this.#preview, image);
      this.#preview.hidden = false;
      return this.#actions.grown();
    });
  }

  /** Lets go of what the browser keeps for the preview. */
  close() {
    const image = this.#preview.querySelector('img');
    if (image) URL.revokeObjectURL(image.src);
    this.#preview.replaceChildren();
    this.#pictured = 'none';
  }
}
