/**
 * The panels at both sides: beside the messages where there is room, over them where there is not. A panel over
 * the messages keeps focus; Escape or a press beside it closes it. Alt with an arrow key goes through the conversations.
 */

import { unreadOf } from '../core/model.js';
import { byId } from '../ui/dom.js';
import { placeOf } from '../core/route.js';

const NARROW = matchMedia('(max-width: 760px)');
const MEMBERS_OVER = matchMedia('(max-width: 1060px)');

/** @param {import('../app/chat.js').Chat} chat */
export function panels(chat) {
  const { body } = document;
  const sidebar = byId('sidebar');
  const members = byId('members');
  const main = byId('main');
  const menu = byId('menu');
  /** @type {'sidebar'|'members'|null} */
  let over = null;
  let membersShown = true;

  const arrange = () => {
    const sidebarOver = NARROW.matches && over === 'sidebar';
    const membersOver = MEMBERS_OVER.matches && over === 'members';
    body.classList.toggle('sidebar-open', sidebarOver);
    body.classList.toggle('members-open', membersOver);
    body.classList.toggle('members-hidden', !membersShown);
    // What can't be seen must not be reached by Tab.
    sidebar.inert = (NARROW.matches && !sidebarOver) || membersOver;
    members.inert = (MEMBERS_OVER.matches ? !membersOver : !membersShown) || sidebarOver;
    main.inert = sidebarOver || membersOver;
    byId('scrim').hidden = !sidebarOver && !membersOver;
    menu.setAttribute('aria-expanded', String(sidebarOver));
    document.getElementById('members-toggle')?.setAttribute('aria-expanded', String(!members.inert));
  };
  const show = (/** @type {'sidebar'|'members'|null} */ panel) => {
    const before = over;
    over = panel;
    arrange();
    if (panel === 'sidebar') byId('sidebar-close').focus();
    else if (panel === 'members') byId('members-close').focus();
    else if (before === 'sidebar' && NARROW.matches) menu.focus();
    else if (before === 'members') document.getElementById('members-toggle')?.focus();
  };

  menu.addEventListener('click', () => show('sidebar'));
  byId('sidebar-close').addEventListener('click', () => show(null));
  byId('members-close').addEventListener('click', () => show(null));
  byId('scrim').addEventListener('click', () => show(null));
  chat.addEventListener('chosen', () => {
    over = null;
    arrange();
    if (NARROW.matches) byId('place-title').focus();
  });
  // The back button changes the conversation too.
  chat.addEventListener('opened', () => {
    over = null;
    arrange();
  });
  for (const query of [NARROW, MEMBERS_OVER]) query.addEventListener('change', () => show(null));
  document.addEventListener('keydown', (event) => {
    // A dialog is above the panels: the key is its own.
    if (document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape' && over !== null) show(null);
    if (!event.altKey || (event.key !== 'ArrowDown' && event.key !== 'ArrowUp')) return;
    event.preventDefault();
    step(chat, event.key === 'ArrowDown' ? 1 : -1, event.shiftKey);
  });
  chat.addEventListener('change', arrange);
  arrange();

  return {
    toggleMembers: () => {
      if (MEMBERS_OVER.matches) {
        show(over === 'members' ? null : 'members');
      } else {
        membersShown = !membersShown;
        arrange();
      }
    },
  };
}

/**
 * The next or previous conversation of the list; with Shift the next that has something unread.
 * @param {import('../app/chat.js').Chat} chat
 * @param {1|-1} by
 * @param {boolean} unreadOnly
 */
function step(chat, by, unreadOnly) {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll('.places a')]);
  const at = links.findIndex((link) => link.getAttribute('aria-current') === 'true');
  for (let next = at + by; next >= 0 && next < links.length; next += by) {
    const place = placeOf(links[next].hash);
    if (!place) continue;
    const channel = place.kind === 'channel' ? chat.model.channels.get(place.name) : undefined;
    if (unreadOnly && (channel ? unreadOf(channel) === 0 : !links[next].classList.contains('unread'))) continue;
    chat.open(place);
    return;
  }
}
