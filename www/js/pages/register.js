/**
 * The registration page. The first account administers, which its maker is told; later ones may need an invite. The code of
 * an invite link stands behind the `#` of the address, which no server sees.
 */

import { isPeerId } from '../core/names.js';
import { ApiError, get, post } from '../net/api.js';
import { byId } from '../ui/dom.js';
import { errorText, t } from '../ui/i18n.js';
import { watchStrength } from '../ui/password.js';
import { complain, forgive, fromAddress, onSubmit, prepare, providerLink } from './door.js';

/** @type {import('../types.js').Info} */
let info = { registration: 'open', first_run: false, passkeys: false, password_min: 12 };
const username = byId('username', HTMLInputElement);
const password = byId('password', HTMLInputElement);
const invite = byId('invite', HTMLInputElement);

const hint = watchStrength(password, byId('password-hint'), () => ({ min: info.password_min, username: username.value.trim() }));
prepare('register.title', draw);
const next = fromAddress();
providerLink();
invite.value = new URLSearchParams(location.hash.slice(1)).get('invite') ?? '';

get('/auth/info').then((answer) => {
  info = /** @type {import('../types.js').Info} */ (answer);
  draw();
}, () => undefined);

function draw() {
  const notice = byId('notice');
  const closed = info.registration === 'closed' && !info.first_run;
  const byInvite = info.registration === 'invite' && !info.first_run;
  notice.hidden = !info.first_run && !closed && !byInvite;
  notice.textContent = info.first_run ? t('register.first') : closed ? t('register.closed') : byInvite ? t('register.byinvite') : '';
  byId('form').hidden = closed;
  byId('invite-field').hidden = !byInvite;
  invite.disabled = !byInvite;
  hint();
}

onSubmit(async () => {
  forgive();
  const name = username.value.trim();
  if (!isPeerId(name)) return complain('username-error', t('username.bad'), 'username');
  if ([...password.value].length < info.password_min) {
    return complain('password-error', t('password.tooshort', { n: info.password_min }), 'password');
  }
  try {
    await post('/register', { username: name, password: password.value, ...(invite.disabled ? {} : { invite: invite.value.trim() }) });
    location.assign(next);
  } catch (problem) {
    const { code, message } = /** @type {ApiError} */ (problem);
    const text = errorText(code, message);
    if (/user|name/.test(code)) complain('username-error', text, 'username');
    else if (/password/.test(code)) complain('password-error', text, 'password');
    else if (/invite/.test(code)) complain('error', text, 'invite');
    else complain('error', text);
  }
  return undefined;
});
