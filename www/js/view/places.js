/**
 * The list at the side: channels and talks, with what is unread.
 */

import { unseen } from '../core/directs.js';
import { totalUnread, unreadOf } from '../core/model.js';
import { fold, samePeer } from '../core/names.js';
import { hashOf } from '../core/route.js';
import { byId, el, fill, reconcile, setAttr } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { lang, t, tn } from '../ui/i18n.js';
import { keepOneTabStop, rove } from '../ui/overlay.js';
import { avatar, dot, presenceWord } from './people.js';

/** @typedef {{key: string, sig: string, place: import('../core/route.js').Place, unread: number, current: boolean, lead: () => Node, note: string}} Row */

/** @param {import('../app/chat.js').Chat} chat */
export function placesView(chat) {
  const channels = byId('channel-list');
  const directs = byId('direct-list');
  for (const list of [channels, directs]) rove(list, 'a');

  return () => {
    reconcile(channels, channelRows(chat), (row) => item(chat, row));
    reconcile(directs, directRows(chat), (row) => item(chat, row));
    for (const list of [channels, directs]) {
      list.hidden = list.childElementCount === 0;
      keepOneTabStop(list, 'a');
    }
    // On a phone this list is behind a button, which tells what waits there.
    const waiting = totalUnread(chat.model);
    const menu = byId('menu');
    menu.classList.toggle('has-unread', waiting > 0);
    setAttr(menu, 'aria-label', waiting > 0 ? `${t('conversations')}, ${tn('unread', waiting)}` : t('conversations'));
    const me = chat.model.me;
    const account = byId('account');
    const state = chat.live.status.state === 'online';
    const sig = [me, state, lang()].join();
    if (account.dataset.sig !== sig) {
      account.dataset.sig = sig;
      account.setAttribute('aria-label', t('settings.open', { name: me }));
      fill(account, el('span', { class: 'face' }, avatar(me), dot(state ? 'online' : 'away')),
        el('span', { class: 'account-name' }, me), icon('gear'));
    }
  };
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @returns {Row[]}
 */
function channelRows(chat) {
  const { active, model } = chat;
  return [...model.channels.values()]
    .filter((channel) => channel.joined || (active?.kind === 'channel' && active.name === channel.name))
    .sort((one, other) => order(one.name, other.name))
    .map((channel) => {
      const current = active?.kind === 'channel' && active.name === channel.name;
      const unread = unreadOf(channel);
      return {
        key: channel.name, sig: [unread, current, channel.private, lang()].join(), unread, current,
        place: { kind: 'channel', name: channel.name },
        lead: () => el('span', { class: 'lead' }, icon(channel.private ? 'lock' : 'hash')),
        note: channel.private ? t('channel.private') : '',
      };
    });
}

/**
 * #general first, then by name.
 * @param {string} one
 * @param {string} other
 */
function order(one, other) {
  if (one === 'general' || other === 'general') return one === 'general' ? -1 : 1;
  return one.localeCompare(other);
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @returns {Row[]}
 */
function directRows(chat) {
  const { active, model } = chat;
  const open = active?.kind === 'direct' ? fold(active.name) : null;
  return [...model.talks.entries()]
    .filter(([key, talk]) => talk.records.length > 0 || model.files.has(key) || key === open || chat.waiting({ kind: 'direct', name: talk.peer }).length > 0)
    .sort(([one], [other]) => lastTime(model, other).localeCompare(lastTime(model, one)))
    .map(([key, talk]) => {
      const current = key === open;
      const unread = unseen(talk).length + (model.files.get(key)?.offers ?? 0);
      const presence = model.peers.get(key);
      const name = presence?.peer_id ?? talk.peer;
      const word = presenceWord(presence);
      return {
        key, sig: [unread, current, name, word, lang()].join(), unread, current,
        place: { kind: 'direct', name },
        lead: () => el('span', { class: 'face' }, avatar(name), dot(word)),
        note: samePeer(name, model.me) ? t('you') : t(`presence.${word}`),
      };
    });
}

/**
 * When something was last said or offered in a talk; one that is just begun comes first.
 * @param {import('../core/model.js').Model} model
 * @param {string} peer folded
 */
function lastTime(model, peer) {
  const said = model.talks.get(peer)?.records.at(-1)?.timestamp ?? '';
  const offered = model.files.get(peer)?.last ?? '';
  return (said > offered ? said : offered) || '9';
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {Row} row
 */
function item(chat, row) {
  const { place, unread } = row;
  const link = el('a', {
    class: unread > 0 ? 'place unread' : 'place',
    attrs: { href: hashOf(place), 'aria-current': row.current ? 'true' : null },
    on: {
      click: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        chat.open(place);
        chat.dispatchEvent(new Event('chosen'));
      },
    },
  },
  row.lead(),
  el('span', { class: 'place-label' }, place.name),
  row.note ? el('span', { class: 'sr' }, `, ${row.note}`) : null,
  unread > 0 ? el('span', { class: 'badge', attrs: { 'aria-hidden': 'true' } }, unread > 99 ? '99+' : String(unread)) : null,
  unread > 0 ? el('span', { class: 'sr' }, `, ${tn('unread', unread)}`) : null);
  return el('li', {}, link);
}
