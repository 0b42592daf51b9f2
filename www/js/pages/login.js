/**
 * The login page.
 */

import { ApiError, get, post } from '../net/api.js';
import { act } from '../ui/act.js';
import { byId } from '../ui/dom.js';
import { errorText } from '../ui/i18n.js';
import { canSuggest, hindrance, showPasskey } from '../ui/passkey.js';
import { addressOf, complain, forgive, fromAddress, onSubmit, prepare, providerLink } from './door.js';
import { Suggestions } from './suggestions.js';

prepare('signin.title');
const next = fromAddress();
const username = byId('username', HTMLInputElement);
const password = byId('password', HTMLInputElement);
const remember = byId('remember', HTMLInputElement);
const passkey = byId('passkey', HTMLButtonElement);
/** @type {Promise<import('../types.js').Info>} */
const info = get('/auth/info');

providerLink(remember);

// What the browser asks for. Once the password is sent, it is wanted no more.
let prompt = new AbortController();

const suggestions = new Suggestions({
  able: info.then((told) => told.passkeys && !told.first_run && canSuggest()).catch(() => false),
  ask: () => post('/login/passkey'),
  show: (asked, signal) => showPasskey(asked, signal, 'conditional'),
  picked: (credential) => {
    forgive();
    return act(passkey, byId('error'), () => enter(credential));
  },
});
suggestions.start();
addEventListener('pagehide', () => void suggestions.stop());
addEventListener('pageshow', (event) => event.persisted && suggestions.start());

/** @param {import('../crypto/webauthn.js').Json} credential  a passkey's answer */
async function enter(credential) {
  await post('/login/passkey/finish', { credential, remember: remember.checked });
  location.assign(next);
}

onSubmit(async () => {
  prompt.abort();
  void suggestions.stop();
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
      return;
    }
    if (status === 401) complain('error', errorText(code, message), 'password');
    else complain('error', errorText(code, message));
    suggestions.start();
  }
});

passkey.addEventListener('click', () => {
  forgive();
  void act(passkey, byId('error'), async () => {
    const { signal } = prompt = new AbortController();
    try {
      // A browser asks for one passkey at a time.
      await suggestions.stop();
      await enter(await showPasskey(await suggestions.question(), signal));
    } catch (problem) {
      if (!signal.aborted) suggestions.start();
      throw problem;
    }
  });
});

// The very first visitor has nothing to sign in with; nobody needs an offer that is closed.
info.then((told) => {
  if (told.first_run) location.replace(addressOf('/register', { next }));
  passkey.hidden = !told.passkeys || hindrance() !== null;
  byId('other').hidden = told.registration === 'closed';
}, () => undefined);
