/**
 * The login page.
 */

import { ApiError, get, post } from '../net/api.js';
import { act } from '../ui/act.js';
import { byId } from '../ui/dom.js';
import { errorText } from '../ui/i18n.js';
import { hindrance, showPasskey } from '../ui/passkey.js';
import { addressOf, complain, forgive, fromAddress, onSubmit, prepare, providerLink } from './door.js';

prepare('signin.title');
const next = fromAddress();
const username = byId('username', HTMLInputElement);
const password = byId('password', HTMLInputElement);
const remember = byId('remember', HTMLInputElement);

providerLink(remember);

// What the browser asks for. Once the password is sent, it is wanted no more.
let prompt = new AbortController();

onSubmit(async () => {
  prompt.abort();
  forgive();
  try {
    await post('/login', {
      username: username.value.trim(), password: password.value, remember: remember.checked, next,
    });
    location.assign(next);
  } catch (problem) {
    const { status, code, message, answer } = /** @type {ApiError} */ (problem);
    if (code === 'second_factor_needed') {
      const { factors } = /** @type {import('../types.js').SecondFactorNeeded} */ (answer);
      location.assign(addressOf('/login/code', { factors: factors.join(' '), next }));
    } else if (status === 401) complain('error', errorText(code, message), 'password');
    else complain('error', errorText(code, message));
  }
});

const passkey = byId('passkey', HTMLButtonElement);
passkey.addEventListener('click', () => {
  forgive();
  void act(passkey, byId('error'), async () => {
    prompt = new AbortController();
    const credential = await showPasskey(await post('/login/passkey'), prompt.signal);
    await post('/login/passkey/finish', { credential, remember: remember.checked });
    location.assign(next);
  });
});

// The very first visitor has nothing to sign in with; nobody needs an offer that is closed.
get('/auth/info').then((answer) => {
  const info = /** @type {import('../types.js').Info} */ (answer);
  if (info.first_run) location.replace(addressOf('/register', { next }));
  passkey.hidden = !info.passkeys || hindrance() !== null;
  byId('other').hidden = info.registration === 'closed';
}, () => undefined);
