/**
 * Asks whether something is meant that can't be taken back, and does it then.
 */

import { act, errorLine } from '../ui/act.js';
import { el } from '../ui/dom.js';
import { t } from '../ui/i18n.js';
import { openDialog } from '../ui/overlay.js';

/**
 * @template T
 * @param {{title: string, text: string, verb: string}} words
 * @param {() => Promise<T>} work  what fails is said in the dialog
 * @param {(made: T) => void} done  once the dialog is gone
 */
export function sureDialog({ title, text, verb }, work, done) {
  const failed = errorLine();
  const press = (/** @type {MouseEvent} */ event) => act(/** @type {HTMLElement} */ (event.currentTarget), failed, async () => {
    const made = await work();
    dialog.close();
    done(made);
  });
  const dialog = openDialog(title, () => [
    el('p', {}, text), failed,
    el('div', { class: 'actions' },
      el('button', { attrs: { type: 'button', autofocus: true }, on: { click: () => dialog.close() } }, t('cancel')),
      el('button', { class: 'danger', attrs: { type: 'button' }, on: { click: press } }, verb)),
  ]);
}
