/**
 * Who is in the open channel, at the side or, on narrow screens, over the messages.
 */

import { byId, el, fill, reconcile } from '../ui/dom.js';
import { lang, t } from '../ui/i18n.js';
import { keepOneTabStop, rove } from '../ui/overlay.js';
import { byPresence, personLine, presenceWord } from './people.js';

/** @param {import('../app/chat.js').Chat} chat */
export function membersView(chat) {
  const panel = byId('members');
  const list = byId('member-list');
  rove(list, 'button');

  return () => {
    const { active, model } = chat;
    const channel = active?.kind === 'channel' ? model.channels.get(active.name) : undefined;
    document.body.classList.toggle('no-members', !channel);
    if (!channel) {
      fill(list);
      return;
    }
    const members = [...(channel.members ?? [])]
      .map((key) => model.peers.get(key) ?? { peer_id: key, active: false, online: false, last_seen: null })
      .sort(byPresence);
    const rows = members.map((member) => ({
      key: member.peer_id, sig: [presenceWord(member), lang()].join(), member,
    }));
    reconcile(list, rows, ({ member }) => el('li', {}, el('button', {
      class: 'person', attrs: { type: 'button', title: t('people.write', { name: member.peer_id }) },
      on: {
        click: () => {
          chat.open({ kind: 'direct', name: member.peer_id });
          chat.dispatchEvent(new Event('chosen'));
        },
      },
    }, ...personLine(member, model.me))));
    keepOneTabStop(list, 'button');
    byId('add-member').hidden = !channel.joined;
    panel.dataset.count = String(members.length);
  };
}
