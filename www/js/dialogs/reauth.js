/**
 * Step-up: what matters most is only done for someone who showed a moment ago who it is. When the server says so, the
 * password is asked for, and then what was wanted goes on.
 */

import { ApiError, post } from '../net/api.js';
import { act, Cancelled, errorLine } from '../ui/act.js';
import { el } from '../ui/dom.js';
import { t } from '../ui/i18n.js';
import { openDialog } from '../ui/overlay.js';
import { passwordField } from '../ui/password.js';

/**
 * Does something that may need a recent sign-in.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function steppedUp(work) {
  for (;;) {
    try {
      return await work();
    } catch (problem) {
      if (!(problem instanceof ApiError) || problem.code !== 'reauth_required') throw problem;
    }
    await reauthDialog();
  }
}

/**
 * A call that may need a recent sign-in.
 * @template T
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<T>}
 */
export function securePost(path, body) {
  return steppedUp(() => post(path, body));
}

/** @returns {Promise<void>} rejects with {@link Cancelled} when the dialog is closed */
function reauthDialog() {
  return new Promise((resolve, reject) => {
    let done = false;
    const { input, field } = passwordField('reauth-password', 'current-password');
    const error = errorLine();
    const submit = async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const form = /** @type {HTMLFormElement} */ (event.currentTarget);
      done = await act(form, error, () => post('/auth/reauth', { password: input.value }), () => input.select());
      if (done) dialog.close();
    };
    const dialog = openDialog(t('reauth'), () => [el('form', { class: 'stack', on: { submit } },
      el('p', {}, t('reauth.why')),
      el('label', { attrs: { for: input.id } }, t('password')), field, error,
      el('div', { class: 'actions' },
        el('button', { attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('cancel')),
        el('button', { class: 'primary', attrs: { type: 'submit' } }, t('reauth.go'))))], {
      closed: () => (done ? resolve() : reject(new Cancelled())),
    });
  });
}
