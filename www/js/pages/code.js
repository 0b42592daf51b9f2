/**
 * The second step of signing in: the page for the code. What the account can show stands in the address, as the first step
 * found it; where that says nothing, both kinds of codes are offered.
 *
 * @typedef {import('../ui/i18n.js').Key} Key
 */

import { ApiError, post } from '../net/api.js';
import { byId, setAttr } from '../ui/dom.js';
import { errorText, t } from '../ui/i18n.js';
import { addressOf, complain, complaintInAddress, forgive, nextInAddress, onSubmit, prepare } from './door.js';

/**
 * How each kind of code is asked for.
 * @type {Record<string, {label: Key, hint: Key, instead: Key, inputmode: string, autocomplete: string}>}
 */
const WAYS = {
  totp: { label: 'code.app', hint: 'code.app.hint', instead: 'code.app.instead', inputmode: 'numeric', autocomplete: 'one-time-code' },
  // Passwords are not to be offered for it, nor is it to be kept.
  recovery_code: { label: 'code.recovery', hint: 'code.recovery.hint', instead: 'code.recovery.instead', inputmode: 'text', autocomplete: 'off' },
};

const code = byId('code', HTMLInputElement);
const other = byId('other-way', HTMLButtonElement);
const back = byId('back', HTMLAnchorElement);
const next = nextInAddress();
const known = (new URLSearchParams(location.search).get('factors') ?? '').split(' ').filter((name) => Object.hasOwn(WAYS, name));
const ways = known.length > 0 ? known : Object.keys(WAYS);
let way = ways[0];

back.href = addressOf('/login', { next });
prepare('code.title', draw);
complaintInAddress();

function draw() {
  const { label, hint, inputmode, autocomplete } = WAYS[way];
  const instead = ways.find((one) => one !== way);
  byId('code-label').textContent = t(label);
  byId('code-hint').textContent = t(hint);
  setAttr(code, 'inputmode', inputmode);
  setAttr(code, 'autocomplete', autocomplete);
  other.hidden = instead === undefined;
  other.textContent = instead === undefined ? '' : t(WAYS[instead].instead);
}

other.addEventListener('click', () => {
  way = ways.find((one) => one !== way) ?? way;
  forgive();
  code.value = '';
  draw();
  code.focus();
});

onSubmit(async () => {
  forgive();
  try {
    await post('/login/code', { code: code.value });
    location.assign(next);
  } catch (problem) {
    const { code: what, message } = /** @type {ApiError} */ (problem);
    const text = errorText(what, message);
    if (what !== 'sign_in_again') {
      complain('error', text, 'code');
      code.select();
      return;
    }
    // No code helps any more: on from where one can go on.
    complain('error', text);
    back.focus();
  }
});
