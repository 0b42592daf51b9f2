/**
 * One message as nodes. Its text only ever becomes text nodes and, for web addresses, links.
 *
 * @typedef {import('../core/timeline.js').MessageRow} MessageRow
 * @typedef {import('../core/timeline.js').MessageState} MessageState
 */

import { parts } from '../core/text.js';
import { el } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { errorText, t, when } from '../ui/i18n.js';
import { avatar } from './people.js';

/**
 * The mark of each state; one without a mark has no words either.
 * @type {Partial<Record<MessageState, string>>}
 */
export const MARKS = {
  pending: 'clock', failed: 'warn', direct: 'link', relayed: 'relay', queued: 'tray', delivered: 'checks', unknown: 'tray', copy: 'devices',
  'got-direct': 'link', 'got-relayed': 'relay', 'got-mailbox': 'tray', post: 'clock',
};

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {MessageRow} row
 */
export function messageNode(chat, row) {
  const time = el('time', {
    attrs: { datetime: new Date(row.time).toISOString(), title: when('full', row.time) },
  }, when('time', row.time));
  const from = el('span', { class: 'from' }, row.from);
  return el('li', { class: `message ${row.state}${row.head ? ' head' : ''}${row.mine ? ' mine' : ''}`, data: { id: row.id } },
    row.head ? avatar(row.from) : el('span', { class: 'side-time', attrs: { 'aria-hidden': 'true' } }, when('time', row.time)),
    el('div', { class: 'message-body' },
      row.head ? el('p', { class: 'by' }, from, ' ', time) : el('p', { class: 'sr' }, row.from, ' ', time.cloneNode(true)),
      el('div', { class: 'said', attrs: { dir: 'auto' } }, ...textNodes(row.text)),
      row.state === 'failed' ? failedNode(chat, row) : null),
    stateNode(row));
}

/** @param {string} text */
function textNodes(text) {
  return parts(text).map((part) => {
    switch (part.kind) {
      case 'link':
        return el('a', { attrs: { href: part.href, target: '_blank', rel: 'noopener noreferrer nofollow' } }, part.text);
      case 'code':
        return el('code', {}, part.text);
      case 'block':
        return el('pre', { attrs: { tabindex: '0' } }, el('code', {}, part.text));
      default:
        return part.text;
    }
  });
}

/**
 * Which way a message went, at its side: a mark, and a word for it where there is room.
 * @param {MessageRow} row
 */
function stateNode({ state }) {
  const mark = MARKS[state];
  if (!mark || state === 'failed') return null;
  return el('p', { class: `state ${state}`, attrs: { title: t(key(`state.${state}.long`)) } },
    icon(mark), el('span', {}, t(key(`state.${state}`))));
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {MessageRow} row
 */
function failedNode(chat, row) {
  return el('p', { class: 'state failed' }, icon('warn'),
    el('span', {}, t('state.failed', { reason: errorText(row.code ?? '', row.reason ?? '') })),
    el('button', { class: 'small', attrs: { type: 'button' }, on: { click: () => void chat.outbox.retry(row.id) } }, t('retry')),
    el('button', { class: 'small quiet', attrs: { type: 'button' }, on: { click: () => chat.discard(row.id) } }, t('discard')));
}

/**
 * States without a mark have no words either; the table above decides.
 * @param {string} name
 */
function key(name) {
  return /** @type {import('../ui/i18n.js').Key} */ (name);
}
