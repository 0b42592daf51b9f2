/**
 * The authenticator app: added with its first code, and removed.
 */

import { securePost } from '../dialogs/reauth.js';
import { sureDialog } from '../dialogs/sure.js';
import { act, errorLine } from '../ui/act.js';
import { el, svgAddress } from '../ui/dom.js';
import { t, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, tag } from '../ui/listing.js';
import { copyText, openDialog, toast } from '../ui/overlay.js';

/**
 * @param {{since?: string}} row
 * @param {import('./factors.js').Section} section
 */
export function appLine({ since }, section) {
  const add = section.deed(async () => addDialog(await securePost('/auth/totp'), section));
  const remove = () => sureDialog(
    { title: t('totp.remove.title'), text: t('totp.remove.hint'), verb: t('totp.remove') },
    () => securePost('/auth/totp/remove'),
    () => {
      toast(t('totp.removed'));
      section.changed([]);
    },
  );
  return item({
    mark: icon('phone'),
    title: t('totp'),
    tags: [tag(t(since === undefined ? 'factor.off' : 'factor.on'), since === undefined ? '' : 'good')],
    notes: [since === undefined ? t('totp.hint') : t('factor.since', { time: when('short', Date.parse(since)) })],
    actions: [since === undefined
      ? el('button', { class: 'small primary', attrs: { type: 'button', 'aria-label': t('totp.add.title') }, on: { click: add } }, t('totp.add'))
      : el('button', { class: 'small', attrs: { type: 'button', 'aria-label': t('totp.remove.of') }, on: { click: remove } }, t('totp.remove'))],
  });
}

/**
 * @param {import('../types.js').TotpEnrolment} enrolment
 * @param {import('./factors.js').Section} section
 */
function addDialog({ secret, uri, qr_svg: svg }, section) {
  const code = el('input', {
    attrs: {
      id: 'totp-code', type: 'text', inputmode: 'numeric', autocomplete: 'one-time-code', spellcheck: 'false', maxlength: 16, required: true,
      'aria-describedby': 'totp-code-hint totp-error',
    },
  });
  const error = errorLine();
  error.id = 'totp-error';
  const copy = async () => {
    if (await copyText(secret)) toast(t('copied'));
  };
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    code.removeAttribute('aria-invalid');
    await act(/** @type {HTMLElement} */ (event.currentTarget), error, async () => {
      const { recovery_codes: codes } = /** @type {import('../types.js').RecoveryCodes} */ (await securePost('/auth/totp/confirm', { code: code.value }));
      dialog.close();
      section.changed(codes);
      toast(t('totp.added'));
    }, ({ code: what }) => {
      if (what === 'wrong_code') code.setAttribute('aria-invalid', 'true');
      code.select();
    });
  };
  const dialog = openDialog(t('totp.add.title'), () => [el('form', { class: 'stack', on: { submit } },
    el('p', {}, t('totp.scan')),
    el('img', { class: 'qr', attrs: { src: svgAddress(svg), alt: t('totp.qr'), width: 200, height: 200 } }),
    el('p', {}, t('totp.type')),
    el('p', { class: 'typed-key' }, el('code', { attrs: { id: 'totp-secret' } }, (secret.match(/.{1,4}/g) ?? []).join(' '))),
    el('div', { class: 'row wrap' },
      // The way on begins here: a field would cover the picture with a phone's keyboard.
      el('button', { class: 'small', attrs: { type: 'button', autofocus: true }, on: { click: copy } }, icon('copy'), t('totp.copy')),
      el('a', { class: 'button small', attrs: { href: uri } }, icon('phone'), t('totp.open'))),
    el('label', { attrs: { for: code.id } }, t('totp.code')), code,
    el('p', { class: 'hint', attrs: { id: 'totp-code-hint' } }, t('totp.code.hint')), error,
    el('div', { class: 'actions' },
      el('button', { attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('cancel')),
      el('button', { class: 'primary', attrs: { type: 'submit' } }, t('totp.confirm'))))], { firm: true });
}
