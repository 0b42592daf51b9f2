/**
 * People on the page: a face made of letters, and whether they are there.
 *
 * @typedef {import('../types.js').Presence} Presence
 */

import { hueOf, initials } from '../core/names.js';
import { el } from '../ui/dom.js';
import { t } from '../ui/i18n.js';

/** @param {string} name */
export function avatar(name) {
  return el('span', { class: `avatar hue-${hueOf(name)}`, attrs: { 'aria-hidden': 'true' } }, initials(name));
}

/**
 * @param {Presence|undefined} presence
 * @returns {'online'|'active'|'away'}
 */
export function presenceWord(presence) {
  if (presence?.online) return 'online';
  return presence?.active ? 'active' : 'away';
}

/** @param {'online'|'active'|'away'} word */
export function dot(word) {
  return el('span', { class: `dot ${word}`, attrs: { 'aria-hidden': 'true' } });
}

/**
 * A person's line in a list.
 * @param {Presence} presence
 * @param {string} me
 * @param {string} [note]
 */
export function personLine(presence, me, note = '') {
  const word = presenceWord(presence);
  const name = presence.peer_id;
  return [
    el('span', { class: 'face' }, avatar(name), dot(word)),
    el('span', { class: 'person-name' }, name, name === me ? el('span', { class: 'muted' }, ` ${t('you.mark')}`) : null),
    el('span', { class: 'person-note' }, note || t(`presence.${word}`)),
  ];
}

/**
 * Those who are there first, then by name.
 * @param {Presence} one
 * @param {Presence} other
 */
export function byPresence(one, other) {
  const rank = (/** @type {Presence} */ who) => (who.online ? 0 : who.active ? 1 : 2);
  return rank(one) - rank(other) || one.peer_id.localeCompare(other.peer_id);
}
