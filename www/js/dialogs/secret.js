/**
 * What is told once: a token, a link. It is gone with the dialog, which no press beside it closes.
 */

import { el } from '../ui/dom.js';
import { t } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { copyText, openDialog, toast } from '../ui/overlay.js';

/**
 * @param {string} title
 * @param {string} secret
 * @param {string} hint  what it is for
 */
export function secretDialog(title, secret, hint) {
  const shown = el('input', { class: 'secret', attrs: { type: 'text', readonly: true, spellcheck: 'false', autocomplete: 'off', 'aria-label': title } });
  shown.value = secret;
  shown.addEventListener('focus', () => shown.select());
  const copy = async () => {
    if (await copyText(secret)) toast(t('copied'));
    else shown.focus();
  };
  openDialog(title, (dialog) => [
    el('p', {}, hint),
    el('div', { class: 'row' }, shown, el('button', { class: 'primary', attrs: { type: 'button', autofocus: true }, on: { click: copy } }, icon('copy'), t('copy'))),
    el('p', { class: 'notice' }, t('secret.once')),
    el('div', { class: 'actions' }, el('button', { attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('secret.done'))),
  ], { firm: true });
}
