/**
 * Appearance, language, notifications, signing out, and the way to the pages of the account and of administration.
 */

import { draftPrefix } from '../app/drafts.js';
import { notifications, setNotifications } from '../app/notify.js';
import { devicesDialog } from './devices.js';
import { post } from '../net/api.js';
import { forget } from '../store/db.js';
import { choice } from '../ui/choice.js';
import { el } from '../ui/dom.js';
import { errorText, lang, setLang, t } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { openDialog, toast } from '../ui/overlay.js';
import { dropPrefs } from '../ui/prefs.js';
import { setTheme, theme } from '../ui/theme.js';
import { avatar } from '../view/people.js';

/** @param {import('../app/chat.js').Chat} chat */
export function settingsDialog(chat) {
  const { me, roles } = chat.model;
  openDialog(t('settings'), (dialog) => [
    el('div', { class: 'who' }, avatar(me), el('div', {}, el('strong', {}, me),
      el('p', { class: 'muted' }, t(roles.includes('admin') ? 'role.admin' : 'role.member')))),
    choice(t('theme'), 'theme', [['auto', t('theme.auto')], ['light', t('theme.light')], ['dark', t('theme.dark')]], theme(),
      (value) => setTheme(/** @type {import('../ui/theme.js').Theme} */ (value))),
    choice(t('language'), 'lang', [['en', 'English'], ['vi', 'Tiếng Việt']], lang(), (value) => {
      dialog.close();
      setLang(/** @type {import('../ui/i18n.js').Lang} */ (value));
      settingsDialog(chat);
    }),
    notificationRow(),
    el('div', { class: 'actions spread' },
      chat.p2p.enabled ? el('button', { attrs: { type: 'button', id: 'own-devices' }, on: { click: () => replace(dialog, () => devicesDialog(chat)) } }, icon('devices'), t('devices')) : null,
      el('a', { class: 'button', attrs: { href: '/account' } }, icon('lock'), t('account')),
      roles.includes('admin') ? el('a', { class: 'button', attrs: { href: '/admin' } }, icon('shield'), t('admin')) : null,
      el('button', { attrs: { type: 'button', id: 'sign-out' }, on: { click: () => replace(dialog, () => signOutDialog(chat)) } }, icon('door'), t('signout'))),
  ]);
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {() => void} next
 */
function replace(dialog, next) {
  dialog.addEventListener('close', () => next(), { once: true });
  dialog.close();
}

function notificationRow() {
  const state = notifications();
  const box = el('input', { attrs: { type: 'checkbox', id: 'notify', disabled: state === 'unsupported' || state === 'denied' } });
  box.checked = state === 'on';
  const hint = el('p', { class: 'hint' }, state === 'unsupported' || state === 'denied' ? t(`notify.${state}`) : '');
  box.addEventListener('change', async () => {
    await setNotifications(box.checked);
    const now = notifications();
    box.checked = now === 'on';
    hint.textContent = now === 'denied' ? t('notify.denied') : '';
  });
  return el('div', { class: 'stack' }, el('label', { class: 'check' }, box, el('span', {}, t('notify'))), hint);
}

/** @param {import('../app/chat.js').Chat} chat */
function signOutDialog(chat) {
  const wipe = el('input', { attrs: { type: 'checkbox', id: 'wipe' } });
  openDialog(t('signout'), () => [
    el('p', {}, t('signout.kept')),
    el('label', { class: 'check' }, wipe, el('span', {}, t('signout.wipe'))),
    chat.outbox.size > 0 ? el('p', { class: 'error' }, t('signout.unsent')) : null,
    el('div', { class: 'actions' }, el('button', {
      class: 'primary', attrs: { type: 'button', autofocus: true },
      on: {
        click: async () => {
          if (wipe.checked) await chat.p2p.forget();
          try {
            await post('/logout');
          } catch (problem) {
            const { status, code, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
            if (status !== 401) return toast(errorText(code, message), 'error');
          }
          chat.live.signedOut();
          if (wipe.checked) {
            chat.store.close();
            dropPrefs(draftPrefix(chat.model.me));
            await forget(chat.model.me);
          }
          return location.assign('/login');
        },
      },
    }, t('signout'))),
  ]);
}
