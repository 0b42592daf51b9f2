/**
 * Where one is signed in, and signing out elsewhere.
 *
 * @typedef {import('../types.js').Session} Session
 */

import { securePost } from '../dialogs/reauth.js';
import { get } from '../net/api.js';
import { act } from '../ui/act.js';
import { byId, el } from '../ui/dom.js';
import { t, tn, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, Listing, tag } from '../ui/listing.js';
import { toast } from '../ui/overlay.js';

export function sessionsSection() {
  const error = byId('sessions-error');
  const others = byId('end-others', HTMLButtonElement);

  /**
   * @param {HTMLElement} button
   * @param {{id: string}|{which: 'others'}} which
   */
  const end = (button, which) => act(button, error, async () => {
    const { ended } = /** @type {{ended: number}} */ (await securePost('/auth/sessions/revoke', which));
    toast(tn('sessions.ended', ended));
    // To say who it is gave this session another id as well.
    await listing.reload();
  });

  /** @param {Session} session */
  const make = (session) => item({
    mark: icon('devices'),
    title: session.device,
    tags: [session.current ? tag(t('devices.this'), 'good') : null],
    notes: [
      t('sessions.used', { time: when('short', Date.parse(session.last_seen)), address: session.ip }),
      t('sessions.since', { time: when('short', Date.parse(session.created_at)), end: when('short', Date.parse(session.ends_at)) }),
    ],
    actions: [session.current ? null : el('button', {
      class: 'small', attrs: { type: 'button', 'aria-label': t('sessions.end.of', { device: session.device, address: session.ip }) },
      on: { click: (/** @type {MouseEvent} */ event) => end(/** @type {HTMLElement} */ (event.currentTarget), { id: session.id }) },
    }, t('signout'))],
  });

  /** @type {Listing<Session>} */
  const listing = new Listing(byId('sessions'), {
    load: async () => {
      const { sessions } = /** @type {import('../types.js').Sessions} */ (await get('/auth/sessions'));
      others.hidden = sessions.length < 2;
      return { rows: sessions };
    },
    key: (session) => session.id,
    make,
    none: '',
  });
  others.addEventListener('click', () => end(others, { which: 'others' }));
  void listing.reload();
  return listing;
}
