/**
 * Dialogs, short notices, and what screen readers are told.
 */

import { el, fill } from './dom.js';
import { icon } from './icons.js';
import { t } from './i18n.js';

/**
 * Opens a modal dialog: the browser keeps focus inside, Escape closes it, and focus returns to where it was.
 * @param {string} title
 * @param {(dialog: HTMLDialogElement) => (Node|string|null)[]} content
 * @param {{wide?: boolean, firm?: boolean, closed?: () => void}} [options]  `firm`: a press beside it doesn't close it
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, content, options = {}) {
  const heading = el('h2', { attrs: { id: `dialog-${Date.now()}` } }, title);
  const close = el('button', { class: 'quiet icon-only', attrs: { type: 'button', 'aria-label': t('close') } }, icon('close'));
  const dialog = el('dialog', { class: options.wide ? 'wide' : '', attrs: { 'aria-labelledby': heading.id } });
  close.addEventListener('click', () => dialog.close());
  // A press on the backdrop has the dialog itself as its target.
  if (!options.firm) dialog.addEventListener('pointerdown', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => {
    dialog.remove();
    options.closed?.();
  });
  fill(dialog, el('div', { class: 'dialog-body' }, el('header', { class: 'dialog-head' }, heading, close), ...content(dialog)));
  document.body.append(dialog);
  dialog.showModal();
  const first = dialog.querySelector('[autofocus], input:not([type=checkbox]):not([readonly])');
  if (first instanceof HTMLElement) first.focus();
  return dialog;
}

/**
 * A notice that goes away by itself.
 * @param {string} text
 * @param {'info'|'error'} [kind]
 */
export function toast(text, kind = 'info') {
  let shelf = document.getElementById('toasts');
  if (!shelf) {
    shelf = el('div', { attrs: { id: 'toasts', role: 'status' } });
    document.body.append(shelf);
  }
  // Above a modal dialog, which would hide it otherwise.
  const open = [...document.querySelectorAll('dialog[open]')].at(-1);
  (open ?? document.body).append(shelf);
  const note = el('p', { class: `toast ${kind}` }, text);
  shelf.append(note);
  setTimeout(() => note.remove(), 6000);
}

/** @type {ReturnType<typeof setTimeout>|undefined} */
let clearing;

/**
 * Tells a screen reader, politely.
 * @param {string} text
 */
export function announce(text) {
  const region = document.getElementById('announcer');
  if (!region) return;
  region.append(el('p', {}, text));
  while (region.childElementCount > 10) region.firstElementChild?.remove();
  clearTimeout(clearing);
  clearing = setTimeout(() => region.replaceChildren(), 10_000);
}

/**
 * Copies text, on http too, where the clipboard API is missing.
 * @param {string} text
 * @returns {Promise<boolean>}
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el('textarea', { class: 'sr', attrs: { readonly: true, 'aria-hidden': 'true' } });
    area.value = text;
    const open = [...document.querySelectorAll('dialog[open]')].at(-1);
    (open ?? document.body).append(area);
    const before = document.activeElement;
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    return copied;
  }
}

/**
 * Arrow keys, Home and End move among the items of a list; Tab goes past it.
 * @param {HTMLElement} list
 * @param {string} selector
 */
export function rove(list, selector) {
  list.addEventListener('keydown', (event) => {
    const items = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(selector)]);
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0) return;
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
    const to = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = items[Math.max(0, Math.min(items.length - 1, to))];
    for (const item of items) item.tabIndex = item === next ? 0 : -1;
    next.focus();
  });
}

/**
 * Keeps exactly one item of a roving list in the order of Tab.
 * @param {HTMLElement} list
 * @param {string} selector
 */
export function keepOneTabStop(list, selector) {
  const items = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(selector)]);
  const current = items.find((item) => item === document.activeElement)
    ?? items.find((item) => item.getAttribute('aria-current') === 'true') ?? items[0];
  for (const item of items) item.tabIndex = item === current ? 0 : -1;
}
