/**
 * Account and appearance: theme, language, notifications, password, signing out.
 */

import { draftPrefix } from '../app/drafts.js';
import { notifications, setNotifications } from '../app/notify.js';
import { devicesDialog } from './devices.js';
import { post } from '../net/api.js';
import { forget } from '../store/db.js';
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
      el('button', { attrs: { type: 'button' }, on: { click: () => replace(dialog, passwordDialog) } }, icon('lock'), t('password.change')),
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

/**
 * @param {string} title
 * @param {string} name
 * @param {[string, string][]} options
 * @param {string} current
 * @param {(value: string) => void} chosen
 */
function choice(title, name, options, current, chosen) {
  return el('fieldset', { class: 'choice' }, el('legend', {}, title),
    el('div', { class: 'segments' }, ...options.map(([value, text]) => {
      const input = el('input', { attrs: { type: 'radio', name: `choice-${name}`, value, checked: value === current } });
      input.addEventListener('change', () => chosen(value));
      return el('label', {}, input, el('span', { attrs: { lang: name === 'lang' ? value : null } }, text));
    })));
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

function passwordDialog() {
  const field = (/** @type {string} */ id, /** @type {'current-password'|'new-password'} */ kind, /** @type {string} */ label) => {
    const input = el('input', { attrs: { id, type: 'password', autocomplete: kind, required: true, maxlength: 1024 } });
    return { input, nodes: [el('label', { attrs: { for: id } }, label), input] };
  };
  const current = field('password-current', 'current-password', t('password.current'));
  const next = field('password-new', 'new-password', t('password.new'));
  const error = el('p', { class: 'error', attrs: { role: 'alert' } });
  openDialog(t('password.change'), (dialog) => [el('form', {
    class: 'stack',
    on: {
      submit: async (event) => {
        event.preventDefault();
        error.textContent = '';
        try {
          await post('/password', { current_password: current.input.value, new_password: next.input.value });
          dialog.close();
          toast(t('password.changed'));
        } catch (problem) {
          const { code, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
          error.textContent = errorText(code, message);
          current.input.focus();
        }
      },
    },
  }, ...current.nodes, ...next.nodes, el('p', { class: 'hint' }, t('password.others')), error,
  el('div', { class: 'actions' }, el('button', { class: 'primary', attrs: { type: 'submit' } }, t('password.save'))))]);
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
