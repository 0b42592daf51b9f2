/**
 * What a first visitor sees above the messages: that this works now, how to bring others, what to do first.
 */

import { fold } from '../core/names.js';
import { invitePanel } from '../dialogs/invite.js';
import { byId, el, fill } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { lang, t } from '../ui/i18n.js';
import { pref, setPref } from '../ui/prefs.js';

/** @param {import('../app/chat.js').Chat} chat */
export function welcomeView(chat) {
  const card = byId('welcome');
  const key = `welcomed:${fold(chat.model.me)}`;
  let drawn = '';

  const dismiss = () => {
    setPref(key, 'yes');
    card.hidden = true;
    fill(card);
    byId('text').focus();
  };

  return () => {
    const wanted = pref(key) === null && chat.model.ready && chat.active?.kind === 'channel' && chat.active.name === 'general';
    card.hidden = !wanted;
    if (!wanted || drawn === lang()) return;
    drawn = lang();
    const admin = chat.model.roles.includes('admin');
    fill(card,
      el('div', { class: 'welcome-head' },
        el('h2', {}, t('welcome.title', { name: chat.model.me })),
        el('button', { class: 'quiet icon-only', attrs: { type: 'button', 'aria-label': t('welcome.dismiss'), title: t('welcome.dismiss') }, on: { click: dismiss } }, icon('close'))),
      el('p', {}, t(admin ? 'welcome.admin' : 'welcome.member')),
      el('p', { class: 'muted' }, t('welcome.write')),
      el('h3', {}, t('welcome.invite')),
      invitePanel(chat));
  };
}
