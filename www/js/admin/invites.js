/**
 * Invites: made, told once, listed, taken back.
 *
 * @typedef {import('../types.js').OpenInvite} OpenInvite
 */

import { securePost } from '../dialogs/reauth.js';
import { secretDialog } from '../dialogs/secret.js';
import { get } from '../net/api.js';
import { act } from '../ui/act.js';
import { choice, chosenIn } from '../ui/choice.js';
import { byId, el, fill } from '../ui/dom.js';
import { t, tn, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, Listing } from '../ui/listing.js';
import { toast } from '../ui/overlay.js';
import { publicLink } from './links.js';

const DAY = 86_400;
/** Days that an invite may live, and the one that is offered first. */
const LIVES = [1, 7, 30];
const USUAL = 7;

export function invitesPart() {
  const form = byId('invite-form', HTMLFormElement);
  const uses = byId('invite-uses', HTMLInputElement);
  const life = choice(t('invite.life'), 'invite-life', LIVES.map((days) => [String(days), tn('days', days)]), String(USUAL));
  fill(byId('invite-life'), life);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void act(form, byId('invite-error'), async () => {
      const made = /** @type {import('../types.js').Invite} */ (await securePost('/invites', { uses: uses.valueAsNumber, expires_in: Number(chosenIn(life)) * DAY }));
      secretDialog(t('invite.link'), await publicLink(made.path), t('invite.use', { time: when('short', Date.parse(made.expires_at)) }));
      await listing.reload();
    });
  });

  /** @param {OpenInvite} invite */
  const make = (invite) => {
    const left = t('invite.left', { left: invite.uses_left, uses: invite.uses });
    const revoke = (/** @type {MouseEvent} */ event) => act(/** @type {HTMLElement} */ (event.currentTarget), byId('invites-error'), async () => {
      await securePost('/auth/admin/invites/revoke', { id: invite.id });
      toast(t('invite.revoked'));
      await listing.reload();
    });
    return item({
      mark: icon('invite'),
      title: left,
      notes: [
        t('invite.ends', { time: when('short', Date.parse(invite.expires_at)) }),
        t('invite.by', { name: invite.created_by, time: when('short', Date.parse(invite.created_at)) }),
      ],
      actions: [el('button', {
        class: 'small', attrs: { type: 'button', 'aria-label': t('invite.revoke.of', { name: invite.created_by, left }) }, on: { click: revoke },
      }, t('revoke'))],
    });
  };

  /** @type {Listing<OpenInvite>} */
  const listing = new Listing(byId('invites-list'), {
    load: async () => ({ rows: /** @type {{invites: OpenInvite[]}} */ (await get('/auth/admin/invites')).invites }),
    key: (invite) => invite.id,
    make,
    none: t('invites.none'),
  });
  void listing.reload();
  return listing;
}
