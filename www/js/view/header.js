/**
 * The line above the messages: where one is, and what can be done there.
 */

import { fold, samePeer } from '../core/names.js';
import { byId, el, fill, setText } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { lang, t, tn } from '../ui/i18n.js';
import { presenceWord } from './people.js';

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {{members: () => void, leave: (channel: string) => void}} actions
 */
export function headerView(chat, actions) {
  const title = byId('place-title');
  const note = byId('place-note');
  const buttons = byId('place-actions');

  return () => {
    const { active, model } = chat;
    const channel = active?.kind === 'channel' ? model.channels.get(active.name) : undefined;
    const presence = active?.kind === 'direct' ? model.peers.get(fold(active.name)) : undefined;
    const sig = [active?.kind, active?.name, channel?.private, channel?.joined, channel?.membersCount, lang()].join();
    setText(note, noteText(chat, channel, presence));
    if (title.dataset.sig === sig) return;
    title.dataset.sig = sig;
    if (!active) {
      fill(title, t('app'));
      fill(buttons);
      return;
    }
    const mark = active.kind === 'direct' ? 'person' : channel?.private ? 'lock' : 'hash';
    fill(title, icon(mark), el('span', { class: 'sr' }, active.kind === 'channel' ? t('channel') : t('direct'), ' '),
      el('span', { class: 'title-text' }, active.name));
    fill(buttons,
      channel?.joined ? button('door', t('leave.title', { channel: channel.name }), () => actions.leave(channel.name)) : null,
      channel ? button('people', t('members'), actions.members, { id: 'members-toggle', 'aria-controls': 'members' }) : null);
  };
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {import('../core/model.js').ChannelState|undefined} channel
 * @param {import('../types.js').Presence|undefined} presence
 */
function noteText(chat, channel, presence) {
  if (channel) {
    const members = tn('members.count', channel.membersCount);
    return channel.private ? `${t('channel.private')} · ${members}` : members;
  }
  if (chat.active?.kind !== 'direct') return '';
  if (samePeer(chat.active.name, chat.model.me)) return t('direct.self');
  return t(`presence.${presenceWord(presence)}`);
}

/**
 * @param {string} mark
 * @param {string} label
 * @param {() => void} press
 * @param {Record<string, string>} [attrs]
 */
function button(mark, label, press, attrs = {}) {
  return el('button', {
    class: 'quiet icon-only', attrs: { type: 'button', 'aria-label': label, title: label, ...attrs }, on: { click: press },
  }, icon(mark));
}
