/**
 * Recovery codes: how many are left, new ones, and the dialog that shows them the one time that they are told.
 */

import { securePost } from '../dialogs/reauth.js';
import { sureDialog } from '../dialogs/sure.js';
import { download } from '../files/save.js';
import { el } from '../ui/dom.js';
import { t, tn, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, tag } from '../ui/listing.js';
import { copyText, openDialog, toast } from '../ui/overlay.js';

/** With fewer it is time for new ones. */
const FEW = 3;

/**
 * @param {{left: number}} row
 * @param {import('./factors.js').Section} section
 */
export function codesLine({ left }, section) {
  const renew = () => sureDialog(
    { title: t('recovery.renew.title'), text: t('recovery.renew.hint'), verb: t('recovery.renew') },
    () => securePost('/auth/recovery-codes'),
    ({ recovery_codes: codes }) => section.changed(codes, 'recovery'),
  );
  return item({
    mark: icon('key'),
    title: t('recovery'),
    tags: [tag(tn('recovery.left', left), left < FEW ? 'bad' : 'good')],
    notes: [t('recovery.hint')],
    actions: [el('button', { class: 'small', attrs: { type: 'button' }, on: { click: renew } }, t('recovery.renew'))],
  });
}

/**
 * @param {string} name  whose they are
 * @param {string[]} codes
 * @param {() => void} closed
 */
export function codesDialog(name, codes, closed) {
  const about = t('recovery.of', { name, address: location.host, time: when('short', Date.now()) });
  const text = `${about}\n${t('recovery.use')}\n\n${codes.join('\n')}\n`;
  const copy = async () => {
    if (await copyText(codes.join('\n'))) toast(t('copied'));
  };
  const save = () => download(new Blob([text], { type: 'text/plain' }), `recovery-codes-${name}.txt`);
  const press = (/** @type {string} */ mark, /** @type {import('../ui/i18n.js').Key} */ words, /** @type {() => void} */ click, /** @type {object} */ more = {}) => el(
    'button', { class: 'small', attrs: { type: 'button', ...more }, on: { click } }, icon(mark), t(words));
  openDialog(t('recovery'), (dialog) => [
    el('p', {}, t('recovery.use')),
    el('p', { class: 'hint' }, about),
    el('ol', { class: 'codes', attrs: { 'aria-label': t('recovery') } }, ...codes.map((code) => el('li', {}, el('code', {}, code)))),
    el('div', { class: 'row wrap' },
      press('copy', 'copy', copy, { autofocus: true }), press('file', 'recovery.save', save), press('print', 'recovery.print', () => window.print())),
    el('p', { class: 'notice' }, t('recovery.once')),
    el('div', { class: 'actions' }, el('button', { class: 'primary', attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('recovery.done'))),
  ], { firm: true, closed });
}
