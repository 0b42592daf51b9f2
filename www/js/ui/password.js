/**
 * Fields for passwords: a button that shows what is typed, and words below that say how good a new one would be.
 */

import { afterPause } from '../core/pause.js';
import { BARS, judge } from '../core/strength.js';
import { post } from '../net/api.js';
import { el, fill } from './dom.js';
import { t } from './i18n.js';
import { icon } from './icons.js';

/** A pause in typing after which the server is asked. */
const PAUSE_MS = 300;

/**
 * @param {HTMLElement} button
 * @param {HTMLInputElement} input
 */
export function showButton(button, input) {
  button.addEventListener('click', () => {
    const show = input.type === 'password';
    input.type = show ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(show));
    input.focus();
  });
}

/**
 * A field with its button, for forms that a script makes.
 * @param {string} id
 * @param {'current-password'|'new-password'} kind
 * @returns {{input: HTMLInputElement, field: HTMLElement}}
 */
export function passwordField(id, kind) {
  const input = el('input', { attrs: { id, type: 'password', autocomplete: kind, required: true, maxlength: 1024 } });
  const button = el('button', {
    class: 'quiet icon-only', attrs: { type: 'button', 'aria-pressed': 'false', 'aria-label': t('password.show'), title: t('password.show') },
  }, icon('eye'));
  showButton(button, input);
  return { input, field: el('div', { class: 'password-field' }, input, button) };
}

/**
 * Says while a new password is typed how good it would be.
 * @param {HTMLInputElement} input
 * @param {HTMLElement} hint
 * @param {() => {min: number, username: string}} about
 * @returns {() => void} says it again, in another language for example
 */
export function watchStrength(input, hint, about) {
  /** @type {{of: string, strength: import('../types.js').Strength}|null} */
  let known = null;
  const draw = () => {
    const { grade, key, n } = judge(input.value, about().min, known?.of === input.value ? known.strength : null);
    hint.dataset.grade = grade;
    fill(hint, grade === '' ? null : el('span', { class: 'strength', data: { bars: String(BARS[grade]) }, attrs: { 'aria-hidden': 'true' } }), t(key, { n }));
  };
  const ask = async () => {
    const { min, username } = about();
    const password = input.value;
    if ([...password].length < min) return;
    try {
      known = { of: password, strength: await post('/auth/password/strength', { password, username }) };
    } catch {
      // The length says something too.
      return;
    }
    draw();
  };
  input.addEventListener('input', draw);
  input.addEventListener('input', afterPause(() => void ask(), PAUSE_MS));
  draw();
  return draw;
}
