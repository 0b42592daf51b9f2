/**
 * The page of one's own account. One module a section: what is added later is a section in the page and a line here.
 */

import { factorsSection } from '../account/factors.js';
import { linkedSection } from '../account/linked.js';
import { passwordSection } from '../account/password.js';
import { sessionsSection } from '../account/sessions.js';
import { tokensPanel } from '../account/tokens.js';
import { whoAmI } from '../app/whoami.js';
import { get } from '../net/api.js';
import { securePost } from '../dialogs/reauth.js';
import { byId } from '../ui/dom.js';
import { placeIcons } from '../ui/icons.js';
import { errorText, t, translate } from '../ui/i18n.js';

translate(document);
placeIcons(document);
document.title = `${t('account')} · ${t('app')}`;
const who = byId('who');
const me = await whoAmI(({ code, message }) => {
  who.textContent = errorText(code, message);
});
const admin = me.roles.includes('admin');
who.textContent = `${me.username} · ${t(admin ? 'role.admin' : 'role.member')}`;
byId('to-admin').hidden = !admin;

const sessions = sessionsSection();
passwordSection(me, () => void sessions.reload());
linkedSection(() => void sessions.reload());
factorsSection(me, () => void sessions.reload());
byId('tokens').append(...tokensPanel({
  scopes: admin ? ['chat:read', 'chat:write', 'audit:read'] : ['chat:read', 'chat:write'],
  list: () => get('/auth/tokens'),
  create: (token) => securePost('/auth/tokens', token),
  revoke: (id) => securePost('/auth/tokens/revoke', { id }),
}));
