/**
 * Where a reset link leads: its owner chooses a new password. The link's code stands behind the `#` of the address, which
 * no server sees; it is taken out of the address once it is used.
 */

import { ApiError, get, post } from '../net/api.js';
import { byId } from '../ui/dom.js';
import { errorText, t } from '../ui/i18n.js';
import { watchStrength } from '../ui/password.js';
import { complain, forgive, onSubmit, prepare } from './door.js';

const password = byId('password', HTMLInputElement);
const code = new URLSearchParams(location.hash.slice(1)).get('code');
let min = 12;
let done = false;
const hint = watchStrength(password, byId('password-hint'), () => ({ min, username: '' }));
prepare('reset.title', draw);

get('/auth/info').then((answer) => {
  min = /** @type {import('../types.js').Info} */ (answer).password_min;
  hint();
}, () => undefined);

function draw() {
  const notice = byId('notice');
  notice.hidden = !done && code !== null;
  notice.textContent = done ? t('reset.done') : code === null ? t('reset.nocode') : '';
  byId('form').hidden = done || code === null;
  hint();
}

onSubmit(async () => {
  forgive();
  try {
    await post('/reset', { code, new_password: password.value });
  } catch (problem) {
    const { code: what, message } = /** @type {ApiError} */ (problem);
    return complain('error', errorText(what, message), 'password');
  }
  done = true;
  password.value = '';
  history.replaceState(null, '', location.pathname);
  draw();
  return byId('login-link').focus();
});
