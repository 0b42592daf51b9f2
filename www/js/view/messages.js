/**
 * The window of messages. It sticks to the end while the reader is there, and otherwise keeps what is read
 * where it is, whether messages come below or history above.
 *
 * @typedef {import('../core/timeline.js').Row} Row
 * @typedef {import('../core/timeline.js').MessageRow} MessageRow
 */

import { atStart } from '../core/log.js';
import { talkWith, unseen } from '../core/directs.js';
import { unreadOf } from '../core/model.js';
import { channelRows, talkRows } from '../core/timeline.js';
import { hashOf } from '../core/route.js';
import { byId, el, reconcile, setText } from '../ui/dom.js';
import { dayName, lang, t, tn } from '../ui/i18n.js';
import { messageNode } from './message.js';

/** Within this many pixels of the end the reader counts as being at the end. */
const END = 60;
/** This close to the start, history is fetched. */
const START = 400;

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {(place: import('../core/route.js').Place) => import('../core/timeline.js').Extra[]} [extraRows]  What else belongs
 *   into a talk, by time. A node may change itself at any time; a new node under an old key takes its place.
 */
export function messagesView(chat, extraRows = () => []) {
  const scroller = byId('scroller');
  const list = byId('messages');
  const jump = byId('jump');
  let shown = '';
  let placed = false;

  const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < END;
  const toEnd = () => {
    scroller.scrollTop = scroller.scrollHeight;
  };

  const scrolled = () => {
    const end = atEnd();
    if (end !== chat.atEnd) {
      chat.atEnd = end;
      chat.changed();
    }
    if (end) chat.considerRead();
    if (scroller.scrollTop < START && chat.active?.kind === 'channel' && placed) void chat.sync.older(chat.active.name);
  };
  scroller.addEventListener('scroll', scrolled, { passive: true });
  jump.addEventListener('click', () => {
    toEnd();
    scrolled();
    byId('text').focus();
  });
  // The window's height changes with the composer, the banner and a phone's keyboard.
  new ResizeObserver(() => {
    if (chat.atEnd) toEnd();
  }).observe(scroller);

  return () => {
    const { active, model } = chat;
    const place = active ? hashOf(active) : '';
    const fresh = place !== shown;
    if (fresh) {
      list.replaceChildren();
      shown = place;
      placed = false;
    }
    const rows = rowsOf(chat, extraRows);
    const anchor = chat.atEnd || !placed ? null : anchorOf(scroller, list);
    reconcile(list, rows.map((row) => ({ ...row, sig: row.kind === 'extra' ? numberOf(row.node) : `${row.sig}|${lang()}` })), (row) => node(chat, row));
    const channel = active?.kind === 'channel' ? model.channels.get(active.name) : undefined;
    const loaded = active?.kind === 'direct' || channel?.log.loaded === true;
    byId('loading-older').hidden = !channel || (loaded && (atStart(channel.log) || !channel.loadingOlder));
    setText(byId('empty'), active ? '' : model.ready ? t('nowhere') : t('loading'));
    byId('empty').hidden = byId('empty').textContent === '';

    if (!placed && loaded) {
      placed = true;
      const divider = list.querySelector('.new-line');
      toEnd();
      if (divider instanceof HTMLElement) {
        // The first new message near the top, unless all of them fit on the screen anyway.
        scroller.scrollTop = Math.min(scroller.scrollTop, Math.max(0, divider.offsetTop - 80));
      }
      scrolled();
    } else if (anchor) {
      scroller.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    } else if (chat.atEnd) {
      toEnd();
    }
    // A first page that doesn't fill the window can't be scrolled, and would never ask for more.
    if (placed && channel && scroller.scrollHeight <= scroller.clientHeight + START) void chat.sync.older(channel.name);
    if (chat.atEnd) chat.considerRead();
    const unread = channel ? unreadOf(channel) : active ? unseen(talkWith(model.talks, active.name)).length : 0;
    jump.hidden = chat.atEnd;
    setText(byId('jump-text'), unread > 0 ? tn('new', unread) : t('jump'));
    jump.classList.toggle('has-new', unread > 0);
  };
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {(place: import('../core/route.js').Place) => import('../core/timeline.js').Extra[]} extraRows
 * @returns {Row[]}
 */
function rowsOf(chat, extraRows) {
  const { active, model } = chat;
  if (!active) return [];
  const waiting = chat.waiting(active);
  if (active.kind === 'direct') return talkRows(talkWith(model.talks, active.name), waiting, model.me, extraRows(active));
  const channel = model.channels.get(active.name);
  return channel ? channelRows(channel, waiting, model.me) : [];
}

/** @type {WeakMap<HTMLElement, string>} */
const numbers = new WeakMap();
let numbered = 0;

/**
 * A number for a node that somebody else made, so that another node under the same key is told from it.
 * @param {HTMLElement} node
 */
function numberOf(node) {
  const known = numbers.get(node);
  if (known) return known;
  numbered += 1;
  numbers.set(node, `node ${numbered}`);
  return `node ${numbered}`;
}

/**
 * The first message on the screen and where it stands.
 * @param {HTMLElement} scroller
 * @param {HTMLElement} list
 */
function anchorOf(scroller, list) {
  const top = scroller.getBoundingClientRect().top;
  for (const node of list.children) {
    if (!node.classList.contains('message')) continue;
    const box = node.getBoundingClientRect();
    if (box.bottom > top) return { node, top: box.top };
  }
  return null;
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {Row} row
 */
function node(chat, row) {
  switch (row.kind) {
    case 'day':
      return el('li', { class: 'day-line' }, el('span', {}, dayName(row.time, Date.now())));
    case 'new':
      return el('li', { class: 'new-line' }, el('span', {}, t('divider')));
    case 'start':
      return startNode(chat);
    case 'extra':
      return row.node;
    case 'message':
      return messageNode(chat, row);
  }
}

/** @param {import('../app/chat.js').Chat} chat */
function startNode(chat) {
  const { active } = chat;
  if (active?.kind === 'direct') {
    return el('li', { class: 'start-line' }, el('strong', {}, active.name), el('p', {}, t('start.direct', { name: active.name })));
  }
  const name = active?.name ?? '';
  return el('li', { class: 'start-line' }, el('strong', {}, `#${name}`), el('p', {}, t('start.channel', { channel: name })));
}
