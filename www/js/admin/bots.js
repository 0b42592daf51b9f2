/**
 * Bots: accounts of programs, with tokens instead of a password.
 */

import { securePost } from '../dialogs/reauth.js';
import { act } from '../ui/act.js';
import { byId } from '../ui/dom.js';
import { t } from '../ui/i18n.js';
import { manageDialog } from './manage.js';
import { usersListing } from './users.js';

/** @param {import('../types.js').Account} me */
export function botsPart(me) {
  const form = byId('bot-form', HTMLFormElement);
  const name = byId('bot-name', HTMLInputElement);
  const listing = usersListing(byId('bots-list'), me, t('bots.none'), () => ({ role: 'bot' }));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void act(form, byId('bot-error'), async () => {
      const { user_id } = /** @type {{user_id: string}} */ (await securePost('/auth/admin/bots', { username: name.value.trim() }));
      name.value = '';
      await listing.reload();
      // A bot without a token can do nothing: on to that.
      const bot = listing.rows.find((row) => row.user_id === user_id);
      if (bot) manageDialog(bot, listing);
    }, () => name.focus());
  });
  return listing;
}
