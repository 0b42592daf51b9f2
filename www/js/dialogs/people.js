/**
 * Choosing a person: to write to, or to add to a channel.
 */

import { fold, isPeerId } from '../core/names.js';
import { post } from '../net/api.js';
import { el, reconcile } from '../ui/dom.js';
import { errorText, lang, t } from '../ui/i18n.js';
import { openDialog, rove, toast } from '../ui/overlay.js';
import { byPresence, personLine, presenceWord } from '../view/people.js';
import { setPlaceholder } from './channels.js';

/** @param {import('../app/chat.js').Chat} chat */
export function peopleDialog(chat) {
  choose(chat, t('people.find'), () => true, (peer, dialog) => {
    dialog.close();
    chat.open({ kind: 'direct', name: peer });
    chat.dispatchEvent(new Event('chosen'));
  });
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} channel
 */
export function addMemberDialog(chat, channel) {
  const members = chat.model.channels.get(channel)?.members ?? new Set();
  choose(chat, t('members.addto', { channel }), (peer) => !members.has(fold(peer)), async (peer, dialog) => {
    try {
      await post('/chat/channels/join', { channel, member: peer });
      dialog.close();
      toast(t('members.added', { name: peer, channel }));
      await chat.sync.members(channel);
    } catch (problem) {
      const { code, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
      toast(errorText(code, message), 'error');
    }
  });
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} title
 * @param {(peer: string) => boolean} fits
 * @param {(peer: string, dialog: HTMLDialogElement) => void} chosen
 */
function choose(chat, title, fits, chosen) {
  /** @type {() => void} */
  let draw = () => undefined;
  const again = () => draw();
  openDialog(title, (dialog) => {
    const filter = el('input', { attrs: { type: 'search', id: 'people-filter', autocomplete: 'off', autofocus: true } });
    const list = el('ul', { class: 'people pick-list', attrs: { 'aria-label': t('people') } });
    const none = el('p', { class: 'muted pad' }, t('people.none'));
    rove(list, 'button');
    const matching = () => {
      const wanted = fold(filter.value.trim());
      return [...chat.model.peers.values()]
        .filter((presence) => fits(presence.peer_id) && fold(presence.peer_id).includes(wanted))
        .sort(byPresence);
    };
    draw = () => {
      // Lines that are the same stay: what is pressed while the list is drawn anew would be lost otherwise.
      const rows = matching().map((presence) => ({
        key: presence.peer_id, sig: [presenceWord(presence), lang()].join(), presence,
      }));
      reconcile(list, rows, ({ presence }) => el('li', {}, el('button', {
        class: 'person', attrs: { type: 'button' }, data: { peer: presence.peer_id },
        on: { click: () => chosen(presence.peer_id, dialog) },
      }, ...personLine(presence, chat.model.me))));
      none.hidden = rows.length > 0;
    };
    filter.addEventListener('input', draw);
    filter.addEventListener('keydown', (event) => {
      const first = list.querySelector('button');
      if (event.key === 'ArrowDown') {
        event.preventDefault();
        first?.focus();
      } else if (event.key === 'Enter' && !event.isComposing) {
        event.preventDefault();
        const people = matching();
        const exact = people.find((presence) => fold(presence.peer_id) === fold(filter.value.trim()));
        const peer = exact ?? (people.length === 1 ? people[0] : undefined);
        if (peer && isPeerId(peer.peer_id)) chosen(peer.peer_id, dialog);
      }
    });
    draw();
    return [
      el('label', { class: 'sr', attrs: { for: 'people-filter' } }, t('people.filter')),
      setPlaceholder(filter, t('people.filter')), list, none,
    ];
  }, { closed: () => chat.removeEventListener('change', again) });
  chat.addEventListener('change', again);
  void chat.sync.peers();
}
