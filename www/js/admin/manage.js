/**
 * What can be done with an account, each deed with what it means.
 *
 * @typedef {import('../types.js').User} User
 */

import { tokensPanel } from '../account/tokens.js';
import { securePost } from '../dialogs/reauth.js';
import { secretDialog } from '../dialogs/secret.js';
import { get } from '../net/api.js';
import { sureDialog } from '../dialogs/sure.js';
import { act, errorLine } from '../ui/act.js';
import { el, fill } from '../ui/dom.js';
import { t, when } from '../ui/i18n.js';
import { openDialog, toast } from '../ui/overlay.js';
import { publicLink } from './links.js';
import { facts } from './users.js';

/**
 * @param {User} user
 * @param {import('../ui/listing.js').Listing<User>} listing  shows what became of the account
 */
export function manageDialog(user, listing) {
  const note = el('p', { class: 'muted' });
  const error = errorLine();
  const deeds = el('ul', { class: 'deeds' });
  const { user_id } = user;

  /**
   * @param {import('../ui/i18n.js').Key} words
   * @param {import('../ui/i18n.js').Key} hint  what it means
   * @param {string} kind  a deed and the one that undoes it are of one kind
   * @param {(button: HTMLElement) => void} press
   */
  const deed = (words, hint, kind, press) => el('li', { class: 'deed' },
    el('p', { attrs: { id: hint } }, t(hint)),
    el('button', {
      class: kind === 'remove' ? 'small danger' : 'small', data: { kind }, attrs: { type: 'button', 'aria-describedby': hint },
      on: { click: (/** @type {MouseEvent} */ event) => press(/** @type {HTMLElement} */ (event.currentTarget)) },
    }, t(words)));

  /**
   * A change of the account, shown here and in the list.
   * @param {string} call
   * @param {object} [more]
   */
  const change = (call, more = {}) => (/** @type {HTMLElement} */ button) => act(button, error, async () => {
    show(await securePost(`/auth/admin/users/${call}`, { user_id, ...more }), button.dataset.kind);
  });

  /**
   * @param {import('../types.js').ChangedUser} changed
   * @param {string|undefined} kind
   */
  const show = ({ role, disabled, ended_sessions: ended }, kind) => {
    user = { ...user, role, disabled, sessions: ended > 0 ? 0 : user.sessions };
    toast(t('user.done', { name: user.username }));
    listing.change(listing.rows.map((row) => (row.user_id === user_id ? user : row)));
    draw();
    // On the way back from what was done, so that it can be undone at once.
    const back = /** @type {HTMLElement|null} */ (deeds.querySelector(`[data-kind="${kind}"]`) ?? deeds.querySelector('button'));
    back?.focus();
  };

  const resetLink = (/** @type {HTMLElement} */ button) => act(button, error, async () => {
    const link = /** @type {import('../types.js').ResetLink} */ (await securePost('/auth/admin/users/reset-link', { user_id }));
    const name = link.username;
    secretDialog(t('user.reset.link', { name }), await publicLink(link.path), t('user.reset.use', { name, time: when('time', Date.parse(link.expires_at)) }));
  });

  const removeFactors = () => sureDialog(
    { title: t('user.factors.title', { name: user.username }), text: t('user.factors.sure', { name: user.username }), verb: t('user.factors') },
    () => securePost('/auth/admin/users/remove-factors', { user_id }),
    (changed) => {
      user = { ...user, factors: false };
      show(changed, 'factors');
    },
  );

  const unlink = () => sureDialog(
    { title: t('user.unlink.title', { name: user.username }), text: t('user.unlink.sure'), verb: t('user.unlink') },
    () => securePost('/auth/admin/users/unlink', { user_id }),
    (changed) => {
      user = { ...user, linked: false };
      show(changed, 'unlink');
    },
  );

  const remove = () => sureDialog(
    { title: t('user.remove.title', { name: user.username }), text: t('user.remove.hint'), verb: t('user.remove') },
    () => securePost('/auth/admin/users/delete', { user_id }),
    () => {
      dialog.close();
      toast(t('user.removed', { name: user.username }));
      listing.change(listing.rows.filter((row) => row.user_id !== user_id));
    },
  );

  const draw = () => {
    const person = user.role !== 'bot';
    fill(note, facts(user));
    fill(deeds,
      person && user.role === 'member' ? deed('user.promote', 'user.promote.hint', 'role', change('role', { role: 'admin' })) : null,
      person && user.role === 'admin' ? deed('user.demote', 'user.demote.hint', 'role', change('role', { role: 'member' })) : null,
      person && user.sessions > 0 ? deed('user.end', 'user.end.hint', 'end', change('end-sessions')) : null,
      person ? deed('user.reset', 'user.reset.hint', 'reset', resetLink) : null,
      user.factors ? deed('user.factors', 'user.factors.hint', 'factors', removeFactors) : null,
      user.linked ? deed('user.unlink', 'user.unlink.hint', 'unlink', unlink) : null,
      user.disabled ? deed('user.enable', 'user.enable.hint', 'state', change('enable')) : deed('user.disable', 'user.disable.hint', 'state', change('disable')),
      deed('user.remove', 'user.remove.hint', 'remove', remove));
  };

  const dialog = openDialog(user.username, () => [
    note, error, deeds,
    ...(user.role === 'bot' ? [el('h3', {}, t('tokens')), ...tokensPanel({
      scopes: ['chat:read', 'chat:write'],
      list: () => get('/auth/admin/tokens', { user_id }),
      create: (token) => securePost('/auth/admin/tokens', { user_id, ...token }),
      revoke: (id) => securePost('/auth/admin/tokens/revoke', { user_id, id }),
    })] : []),
  ], {
    // The line that it was opened from may have been drawn anew.
    closed: () => /** @type {HTMLElement|null} */ (listing.list.querySelector(`[data-key="${CSS.escape(user_id)}"] button`))?.focus(),
  });
  draw();
}
