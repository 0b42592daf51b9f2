/**
 * Step-up: what matters most is only done for someone who showed a moment ago who it is. When the server says so, the
 * password is asked for, and then what was wanted goes on. Whoever has none shows a passkey, or goes to the provider.
 */

import { ApiError, get, post } from '../net/api.js';
import { act, Cancelled, errorLine } from '../ui/act.js';
import { el } from '../ui/dom.js';
import { t } from '../ui/i18n.js';
import { openDialog } from '../ui/overlay.js';
import { hindrance, showPasskey } from '../ui/passkey.js';
import { passwordField } from '../ui/password.js';

/**
 * By what one can show again who one is.
 * @typedef {{password: boolean, passkey: boolean, provider?: string}} Ways
 */

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

/** By what the account can show again who it is. Where that can't be told, by its password, as most can. @returns {Promise<Ways>} */
async function waysToShow() {
  try {
    const { password, passkeys, oidc, linked } = /** @type {import('../types.js').Factors} */ (await get('/auth/factors'));
    return {
      password,
      passkey: !password && passkeys.length > 0 && hindrance() === null,
      provider: linked.some(({ current }) => current) ? oidc : undefined,
    };
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    return { password: true, passkey: false };
  }
}

/** @returns {Promise<void>} rejects with {@link Cancelled} when the dialog is closed */
async function reauthDialog() {
  const { password, passkey, provider } = await waysToShow();
  return new Promise((resolve, reject) => {
    let done = false;
    const { input, field } = passwordField('reauth-password', 'current-password');
    const error = errorLine();
    const show = (/** @type {HTMLElement} */ pressed, /** @type {() => Promise<unknown>} */ work) => act(pressed, error, work, () => input.select()).then((well) => {
      done = well;
      if (done) dialog.close();
    });
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      void show(/** @type {HTMLElement} */ (event.currentTarget), () => post('/auth/reauth', { password: input.value }));
    };
    // A passkey needs no name and no password: showing one is a sign-in.
    const showKey = (/** @type {MouseEvent} */ event) => void show(/** @type {HTMLElement} */ (event.currentTarget), async () => {
      await post('/login/passkey/finish', { credential: await showPasskey(await post('/login/passkey')) });
    });
    const ways = [
      ...(passkey ? [el('button', { attrs: { type: 'button' }, on: { click: showKey } }, t('code.passkey'))] : []),
      // What was wanted is asked for again afterwards: the page is left for it.
      ...(provider === undefined ? [] : [el('a', { class: 'button', attrs: { href: toProvider() } }, t('signin.oidc', { name: provider }))]),
    ];
    const dialog = openDialog(t('reauth'), () => [el('form', { class: 'stack', on: { submit } },
      el('p', {}, t(password ? 'reauth.why' : 'reauth.why.other')),
      ...(password ? [el('label', { attrs: { for: input.id } }, t('password')), field] : []), error, ...ways,
      el('div', { class: 'actions' },
        el('button', { attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('cancel')),
        ...(password ? [el('button', { class: 'primary', attrs: { type: 'submit' } }, t('reauth.go'))] : [])))], {
      closed: () => (done ? resolve() : reject(new Cancelled())),
    });
  });
}

/** To the provider, where one shows again who one is, and back to this page. */
function toProvider() {
  return `/auth/oidc/login?${new URLSearchParams({ again: 'true', next: location.pathname })}`;
}
