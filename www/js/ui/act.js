/**
 * What a press or a form asks of a server: once at a time, seen to be under way, and what went wrong is said where it
 * belongs. Nothing that was typed is touched.
 */

import { ApiError } from '../net/api.js';
import { loginPage } from '../view/banner.js';
import { el, fill } from './dom.js';
import { errorText, t } from './i18n.js';

/** Somebody thought better of it: nothing to complain about. */
export class Cancelled extends Error {}

/**
 * @param {HTMLElement} pressed  a button or a form: busy meanwhile, and deaf
 * @param {HTMLElement} error  where a complaint goes
 * @param {() => Promise<unknown>} work
 * @param {(problem: ApiError) => void} [failed]  what else a failure asks for: the field to correct
 * @returns {Promise<boolean>} whether it went well
 */
export async function act(pressed, error, work, failed) {
  if (pressed.getAttribute('aria-busy') === 'true') return false;
  pressed.setAttribute('aria-busy', 'true');
  fill(error);
  try {
    await work();
    return true;
  } catch (problem) {
    if (problem instanceof ApiError) {
      complain(error, problem);
      failed?.(problem);
    } else if (!(problem instanceof Cancelled)) throw problem;
    return false;
  } finally {
    pressed.removeAttribute('aria-busy');
  }
}

/** The session is over, or there was none. Other refusals with the same status are about what was typed. */
const NO_SESSION = /^(unauthenticated|http_401)$/;

/**
 * Says what went wrong. A session that is over is begun anew in another window, so that this one keeps what was typed.
 * @param {HTMLElement} where
 * @param {ApiError} problem
 */
export function complain(where, problem) {
  fill(where, errorText(problem.code, problem.message),
    NO_SESSION.test(problem.code) ? el('a', { attrs: { href: loginPage(), target: '_blank' } }, t('signin')) : null);
}

/** A place for complaints, for what a script makes. */
export function errorLine() {
  return el('p', { class: 'error', attrs: { role: 'alert' } });
}
