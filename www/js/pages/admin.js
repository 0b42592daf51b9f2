/**
 * The page of administration: one part at a time, named by the address. The server refuses its calls to everyone else; the
 * page says so at once.
 */

import { auditPart } from '../admin/audit.js';
import { botsPart } from '../admin/bots.js';
import { invitesPart } from '../admin/invites.js';
import { usersPart } from '../admin/users.js';
import { whoAmI } from '../app/whoami.js';
import { byId, setAttr } from '../ui/dom.js';
import { placeIcons } from '../ui/icons.js';
import { errorText, t, translate } from '../ui/i18n.js';

/** @type {Record<string, (me: import('../types.js').Account) => {reload: () => Promise<void>}>} */
const PARTS = { users: usersPart, invites: invitesPart, bots: botsPart, audit: auditPart };
/** @type {Map<string, {reload: () => Promise<void>}>} Those that were shown already. */
const made = new Map();

translate(document);
placeIcons(document);
document.title = `${t('admin')} · ${t('app')}`;
const who = byId('who');
const me = await whoAmI(({ code, message }) => {
  who.textContent = errorText(code, message);
});
if (me.roles.includes('admin')) {
  who.textContent = `${me.username} · ${t('role.admin')}`;
  byId('tabs').hidden = false;
  addEventListener('hashchange', show);
  show();
} else {
  who.textContent = t('admin.only');
}

/** Each time a part is shown it asks anew: what was done in another one shows there. */
function show() {
  const asked = location.hash.slice(1);
  const name = Object.hasOwn(PARTS, asked) ? asked : 'users';
  for (const section of document.querySelectorAll('[data-part]')) {
    setAttr(section, 'hidden', section.getAttribute('data-part') !== name);
  }
  for (const link of byId('tabs').children) setAttr(link, 'aria-current', link.getAttribute('href') === `#${name}` && 'page');
  const part = made.get(name);
  if (part) void part.reload();
  else made.set(name, PARTS[name](me));
}
