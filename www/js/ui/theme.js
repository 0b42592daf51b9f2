/**
 * Light, dark, or as the system says. Loaded before the page is drawn, so that it doesn't flash.
 *
 * @typedef {'auto'|'light'|'dark'} Theme
 */

import { pref, setPref } from './prefs.js';

/** @returns {Theme} */
export function theme() {
  const chosen = pref('theme');
  return chosen === 'light' || chosen === 'dark' ? chosen : 'auto';
}

/** @param {Theme} choice */
export function setTheme(choice) {
  setPref('theme', choice === 'auto' ? null : choice);
  show();
}

function show() {
  const choice = theme();
  if (choice === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

show();
addEventListener('storage', (event) => {
  if (event.key === 'theme') show();
});
