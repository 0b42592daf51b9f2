/**
 * The second step of signing in: the page for the code or the passkey. What the account can show stands in the address, as the
 * first step found it; where that says nothing, everything is offered.
 *
 * @typedef {import('../ui/i18n.js').Key} Key
 * @typedef {{label: Key, hint: Key, instead: Key, inputmode: string, autocomplete: string}} Typed
 */

import { ApiError, post } from '../net/api.js';
import { Cancelled } from '../ui/act.js';
import { byId, el, fill, setAttr } from '../ui/dom.js';
import { errorText, t } from '../ui/i18n.js';
import { hindrance, showPasskey } from '../ui/passkey.js';
import { complain, complaintInAddress, forgive, nextInAddress, onSubmit, prepare } from './door.js';

/**
 * How each kind of code is asked for.
 * @type {Record<string, Typed>}
 */
const CODES = {
  totp: { label: 'code.app', hint: 'code.app.hint', instead: 'code.app.instead', inputmode: 'numeric', autocomplete: 'one-time-code' },
  // Passwords are not to be offered for it, nor is it to be kept.
  recovery_code: { label: 'code.recovery', hint: 'code.recovery.hint', instead: 'code.recovery.instead', inputmode: 'text', autocomplete: 'off' },
};
const PASSKEY = 'passkey';

const code = byId('code', HTMLInputElement);
const label = byId('code-label');
const hint = byId('code-hint');
const others = byId('other-ways');
const submit = byId('submit', HTMLButtonElement);
const back = byId('back', HTMLAnchorElement);
const next = nextInAddress();
const blocked = hindrance();
const ways = waysIn(new URLSearchParams(location.search).get('factors') ?? '');
let way = ways[0];
let prompt = new AbortController();

prepare('code.title', draw);
complaintInAddress();
// The field has the focus by the page; where there is none, the press that goes on takes it.
if (way === PASSKEY) submit.focus();

/** @param {string} told  what the first step said */
function waysIn(told) {
  const all = ['totp', 'recovery_code', PASSKEY];
  const known = told.split(' ').filter((name) => all.includes(name));
  const can = (known.length > 0 ? known : all).filter((name) => name !== PASSKEY || !blocked);
  // It has nothing but passkeys, and they don't work here: that is what there is to say.
  return can.length > 0 ? can : [PASSKEY];
}

function draw() {
  const typed = way === PASSKEY ? null : CODES[way];
  // A field that isn't shown must not be asked for.
  code.hidden = code.disabled = label.hidden = typed === null;
  submit.hidden = typed === null && blocked !== null;
  submit.textContent = t(typed ? 'signin' : 'code.passkey');
  hint.textContent = t(typed?.hint ?? blocked ?? 'code.passkey.hint');
  if (typed) {
    label.textContent = t(typed.label);
    setAttr(code, 'inputmode', typed.inputmode);
    setAttr(code, 'autocomplete', typed.autocomplete);
  }
  setAttr(submit, 'aria-describedby', typed ? null : hint.id);
  fill(others, ...ways.filter((one) => one !== way).map((one) => el(
    'button', { attrs: { type: 'button' }, on: { click: () => choose(one) } }, t(CODES[one]?.instead ?? 'code.passkey.instead'))));
  others.hidden = others.childElementCount === 0;
}

/** @param {string} chosen */
function choose(chosen) {
  way = chosen;
  // What the browser still asks for is wanted no more.
  prompt.abort();
  forgive();
  code.value = '';
  draw();
  (way === PASSKEY ? submit : code).focus();
}

onSubmit(async () => {
  forgive();
  const shown = way;
  try {
    if (shown === PASSKEY) {
      prompt = new AbortController();
      const credential = await showPasskey(await post('/login/second/passkey'), prompt.signal);
      await post('/login/second/passkey/finish', { credential });
    } else await post('/login/code', { code: code.value });
    location.assign(next);
  } catch (problem) {
    // Somebody closed the browser's prompt, and may go on either way.
    if (problem instanceof Cancelled) return;
    const { code: what, message } = /** @type {ApiError} */ (problem);
    const text = errorText(what, message);
    if (what === 'sign_in_again') {
      // Nothing helps any more: on from where one can go on.
      complain('error', text);
      back.focus();
    } else if (shown === PASSKEY) complain('error', text);
    else {
      complain('error', text, 'code');
      code.select();
    }
  }
});
