/**
 * Telling a person who looks elsewhere: the number in the title, and desktop notifications once the person has
 * asked for them. Browsers offer notifications on https and localhost only.
 */

import { excerpt } from '../core/text.js';
import { totalUnread } from '../core/model.js';
import { pref, setPref } from '../ui/prefs.js';
import { t } from '../ui/i18n.js';
import { announce } from '../ui/overlay.js';
import { hashOf } from '../core/route.js';

/** @returns {'on'|'off'|'denied'|'unsupported'} */
export function notifications() {
  if (!('Notification' in window) || !window.isSecureContext) return 'unsupported';
  if (Notification.permission === 'denied') return 'denied';
  return Notification.permission === 'granted' && pref('notify') === 'on' ? 'on' : 'off';
}

/**
 * Called by a press of a button only: browsers refuse to ask otherwise.
 * @param {boolean} on
 */
export async function setNotifications(on) {
  if (on && Notification.permission === 'default') await Notification.requestPermission();
  setPref('notify', on && Notification.permission === 'granted' ? 'on' : null);
}

/** @param {import('./chat.js').Chat} chat */
export function watchArrivals(chat) {
  chat.addEventListener('arrived', (event) => {
    const { place, from, text, here, said } = /** @type {CustomEvent} */ (event).detail;
    const where = place.kind === 'channel' ? `#${place.name}` : t('direct');
    if (said) announce(said);
    else if (here) announce(t('said', { from, text: excerpt(text, 200) }));
    else if (place.kind === 'direct') announce(t('announce.direct', { from }));
    if (notifications() !== 'on' || (here && chat.reading && document.hasFocus())) return;
    try {
      const note = new Notification(`${from} · ${where}`, { body: excerpt(text, 160), tag: hashOf(place), icon: '/icon.svg' });
      note.onclick = () => {
        window.focus();
        chat.open(place);
        note.close();
      };
    } catch {
      // Phones allow notifications from service workers only.
    }
  });
}

/** @param {import('./chat.js').Chat} chat */
export function showTitle(chat) {
  const unread = totalUnread(chat.model);
  const { active } = chat;
  const place = active ? `${active.kind === 'channel' ? '#' : ''}${active.name} · ` : '';
  const title = `${unread > 0 ? `(${unread > 99 ? '99+' : unread}) ` : ''}${place}${t('app')}`;
  if (document.title !== title) document.title = title;
}
