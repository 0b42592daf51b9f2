/**
 * Passkeys: a line for what they are, with adding one, and a line for each that the account has.
 *
 * @typedef {import('../types.js').Passkey} Passkey
 */

import { securePost } from '../dialogs/reauth.js';
import { sureDialog } from '../dialogs/sure.js';
import { act, errorLine } from '../ui/act.js';
import { el } from '../ui/dom.js';
import { t, tn, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, tag } from '../ui/listing.js';
import { openDialog, toast } from '../ui/overlay.js';
import { hindrance, makePasskey } from '../ui/passkey.js';

/**
 * @param {{count: number, served: boolean}} row  `served`: the server has passkeys
 * @param {import('./factors.js').Section} section
 */
export function passkeysLine({ count, served }, section) {
  const why = hindrance() ?? (served ? null : 'passkey.unserved');
  return item({
    mark: icon('finger'),
    title: t('passkeys'),
    tags: [count > 0 ? tag(tn('passkeys.count', count), 'good') : tag(t('factor.off'))],
    notes: [t('passkeys.hint'), ...(why ? [t(why)] : [])],
    actions: [why ? null : el('button', {
      class: 'small primary', attrs: { type: 'button', 'aria-label': t('passkey.add.title') }, on: { click: () => addDialog(section) },
    }, t('passkey.add'))],
  });
}

/**
 * @param {{passkey: Passkey}} row
 * @param {import('./factors.js').Section} section
 */
export function passkeyLine({ passkey: { id, name, created_at: since, last_used: used, host } }, section) {
  const remove = () => sureDialog(
    { title: t('passkey.remove.title', { name }), text: t('passkey.remove.hint'), verb: t('passkey.remove') },
    () => securePost('/auth/passkeys/remove', { id }),
    () => {
      toast(t('passkey.removed', { name }));
      section.changed([]);
    },
  );
  const line = item({
    mark: icon('key'),
    title: name,
    notes: [
      t('passkey.added', { time: when('short', Date.parse(since)) }),
      ...(host === undefined || host === location.hostname ? [] : [t('passkey.elsewhere', { host })]),
      used === undefined ? t('passkey.unused') : t('passkey.used', { time: when('short', Date.parse(used)) }),
    ],
    actions: [
      el('button', {
        class: 'small', attrs: { type: 'button', 'aria-label': t('passkey.rename.of', { name }) }, on: { click: () => renameDialog(id, name, section) },
      }, t('passkey.rename')),
      el('button', { class: 'small', attrs: { type: 'button', 'aria-label': t('passkey.remove.of', { name }) }, on: { click: remove } }, t('passkey.remove')),
    ],
  });
  line.classList.add('part');
  return line;
}

/**
 * @param {string} id
 * @param {string} old
 * @param {import('./factors.js').Section} section
 */
function renameDialog(id, old, section) {
  const name = el('input', {
    attrs: { id: 'passkey-name', type: 'text', required: true, maxlength: 64, autocomplete: 'off', 'aria-describedby': 'passkey-error' },
  });
  name.value = old;
  const error = errorLine();
  error.id = 'passkey-error';
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const done = await act(/** @type {HTMLFormElement} */ (event.currentTarget), error, async () => {
      await securePost('/auth/passkeys/rename', { id, name: name.value });
      dialog.close();
      section.renamed(id);
      toast(t('passkey.renamed', { name: name.value.trim() }));
    });
    if (!done) name.focus();
  };
  const dialog = openDialog(t('passkey.rename.title', { name: old }), () => [el('form', { class: 'stack', on: { submit } },
    el('label', { attrs: { for: name.id } }, t('passkey.name')), name, error,
    el('div', { class: 'actions' },
      el('button', { attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('cancel')),
      el('button', { class: 'primary', attrs: { type: 'submit' } }, t('passkey.rename'))))], { firm: true });
  name.select();
}

/** @param {import('./factors.js').Section} section */
function addDialog(section) {
  const name = el('input', {
    attrs: {
      id: 'passkey-name', type: 'text', required: true, maxlength: 64, autocomplete: 'off', placeholder: t('passkey.example'),
      'aria-describedby': 'passkey-name-hint passkey-error',
    },
  });
  const gone = new AbortController();
  const error = errorLine();
  error.id = 'passkey-error';
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const done = await act(form, error, async () => {
      const credential = await makePasskey(await securePost('/auth/passkeys/begin'), gone.signal);
      const { recovery_codes: codes } = /** @type {import('../types.js').RecoveryCodes} */ (
        await securePost('/auth/passkeys', { name: name.value, credential }));
      dialog.close();
      section.changed(codes, 'passkeys');
      toast(t('passkey.done', { name: name.value.trim() }));
    });
    // The name is still there, for another try.
    if (!done) name.focus();
  };
  const dialog = openDialog(t('passkey.add.title'), () => [el('form', { class: 'stack', on: { submit } },
    el('label', { attrs: { for: name.id } }, t('passkey.name')), name,
    el('p', { class: 'hint', attrs: { id: 'passkey-name-hint' } }, t('passkey.name.hint')), error,
    el('div', { class: 'actions' },
      el('button', { attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('cancel')),
      el('button', { class: 'primary', attrs: { type: 'submit' } }, t('passkey.make'))))], { firm: true, closed: () => gone.abort() });
}
