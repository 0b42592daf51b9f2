/**
 * Two languages, chosen by the browser's preference or by the reader. Static markup names its text with
 * `data-i18n` and its attributes with `data-i18n-attrs` (pairs `attribute:key`).
 *
 * @typedef {keyof typeof import('../i18n/en.js').default} Key
 * @typedef {'en'|'vi'} Lang
 */

import en from '../i18n/en.js';
import vi from '../i18n/vi.js';
import { pref, setPref } from './prefs.js';

/** @type {Record<Lang, Record<Key, string>>} */
const TEXTS = { en, vi };

/** @returns {Lang} */
function preferred() {
  const chosen = pref('lang');
  if (chosen === 'en' || chosen === 'vi') return chosen;
  for (const wanted of navigator.languages ?? [navigator.language]) {
    const short = wanted.toLowerCase().split('-')[0];
    if (short === 'en' || short === 'vi') return short;
  }
  return 'en';
}

let current = preferred();
let plurals = new Intl.PluralRules(current);
document.documentElement.lang = current;

export function lang() {
  return current;
}

/** @param {Lang} next */
export function setLang(next) {
  setPref('lang', next);
  current = next;
  plurals = new Intl.PluralRules(next);
  formats.clear();
  document.documentElement.lang = next;
  translate(document);
  dispatchEvent(new Event('languagechosen'));
}

/**
 * @param {Key} key
 * @param {Record<string, string|number>} [values]
 */
export function t(key, values = {}) {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * A text with a number in it: `key_one` or `key_other`.
 * @param {string} key
 * @param {number} n
 */
export function tn(key, n) {
  const form = plurals.select(n) === 'one' ? 'one' : 'other';
  return t(/** @type {Key} */ (`${key}_${form}`), { n: number(n) });
}

/**
 * A text, if there is one in this language.
 * @param {string} key
 * @param {string} fallback
 */
export function textOr(key, fallback) {
  return key in TEXTS[current] ? t(/** @type {Key} */ (key)) : fallback;
}

/**
 * The text for an error's code.
 * @param {string} code
 * @param {string} fallback
 */
export function errorText(code, fallback) {
  return textOr(`error.${code}`, fallback || t('error.unknown'));
}

/** @param {ParentNode} root */
export function translate(root) {
  for (const node of root.querySelectorAll('[data-i18n]')) {
    node.textContent = t(/** @type {Key} */ (node.getAttribute('data-i18n')));
  }
  for (const node of root.querySelectorAll('[data-i18n-attrs]')) {
    for (const pair of (node.getAttribute('data-i18n-attrs') ?? '').split(' ')) {
      const [name, key] = pair.split(':');
      node.setAttribute(name, t(/** @type {Key} */ (key)));
    }
  }
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {'time'|'day'|'full'|'short'} style
 * @param {number} at
 */
export function when(style, at) {
  let format = formats.get(style);
  if (!format) {
    /** @type {Record<string, Intl.DateTimeFormatOptions>} */
    const options = {
      time: { hour: '2-digit', minute: '2-digit' },
      day: { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' },
      full: { dateStyle: 'full', timeStyle: 'medium' },
      short: { dateStyle: 'medium', timeStyle: 'short' },
    };
    format = new Intl.DateTimeFormat(current, options[style]);
    formats.set(style, format);
  }
  return format.format(at);
}

/**
 * The heading of a day: today and yesterday by name.
 * @param {number} at
 * @param {number} now
 */
export function dayName(at, now) {
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return t('day.today');
  return days === 1 ? t('day.yesterday') : when('day', at);
}

/**
 * An amount of bytes: with a unit that leaves few digits.
 * @param {number} n
 */
export function bytes(n) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let at = 0;
  for (; n >= 1000 && at < units.length - 1; at += 1) n /= 1000;
  const digits = at === 0 || n >= 100 ? 0 : 1;
  return `${new Intl.NumberFormat(current, { maximumFractionDigits: digits }).format(n)} ${units[at]}`;
}

/** @param {number} n */
export function number(n) {
  return new Intl.NumberFormat(current).format(n);
}
