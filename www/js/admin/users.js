/**
 * Accounts: found by name, and managed one at a time.
 *
 * @typedef {import('../types.js').User} User
 */

import { afterPause } from '../core/pause.js';
import { get } from '../net/api.js';
import { choice, chosenIn } from '../ui/choice.js';
import { byId, el, fill } from '../ui/dom.js';
import { t, tn, when } from '../ui/i18n.js';
import { item, Listing, tag } from '../ui/listing.js';
import { avatar } from '../view/people.js';
import { manageDialog } from './manage.js';

const PAUSE_MS = 250;

/** @param {import('../types.js').Account} me */
export function usersPart(me) {
  const find = byId('users-find', HTMLInputElement);
  const which = choice(t('users.which'), 'users-which', [
    ['all', t('users.all')], ['admin', t('users.admins')], ['member', t('users.members')], ['disabled', t('users.disabled')],
  ], 'all', () => listing.reload());
  fill(byId('users-which'), which);
  const listing = usersListing(byId('users-list'), me, t('users.none'), () => {
    const chosen = chosenIn(which);
    return {
      q: find.value.trim() || undefined,
      role: chosen === 'admin' || chosen === 'member' ? chosen : undefined,
      disabled: chosen === 'disabled' ? 'true' : undefined,
    };
  });
  find.addEventListener('input', afterPause(() => void listing.reload(), PAUSE_MS));
  return listing;
}

/**
 * A list of accounts, each with its dialog.
 * @param {HTMLElement} list
 * @param {import('../types.js').Account} me
 * @param {string} none
 * @param {() => Record<string, string|undefined>} query
 * @returns {Listing<User>}
 */
export function usersListing(list, me, none, query) {
  /** @type {Listing<User>} */
  const listing = new Listing(list, {
    load: async (after) => {
      const { users, next } = /** @type {import('../types.js').Users} */ (await get('/auth/admin/users', { ...query(), after }));
      return { rows: users, next };
    },
    key: ({ user_id }) => user_id,
    make: (user) => line(user, me, () => manageDialog(user, listing)),
    none,
  });
  void listing.reload();
  return listing;
}

/**
 * @param {User} user
 * @param {import('../types.js').Account} me
 * @param {() => void} manage
 */
function line(user, me, manage) {
  return item({
    mark: avatar(user.username),
    title: user.username,
    tags: [
      user.user_id === me.user_id ? el('span', { class: 'muted' }, t('you.mark')) : null,
      user.role === 'member' ? null : tag(t(`role.${user.role}`), 'good'),
      user.disabled ? tag(t('user.disabled'), 'bad') : null,
    ],
    notes: [facts(user)],
    actions: [el('button', { class: 'small', attrs: { type: 'button', 'aria-label': t('user.manage.of', { name: user.username }) }, on: { click: manage } }, t('user.manage'))],
  });
}

/** @param {User} user */
export function facts(user) {
  return [
    t('user.made', { time: when('short', Date.parse(user.created_at)) }),
    user.role === 'bot' ? null : tn('user.sessions', user.sessions),
    user.last_seen === undefined ? null : t('user.seen', { time: when('short', Date.parse(user.last_seen)) }),
  ].filter((part) => part !== null).join(' · ');
}
