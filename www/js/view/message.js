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

/** @type {Partial<Record<MessageState, string>>} */
const MARKS = { pending: 'clock', failed: 'warn', queued: 'tray', delivered: 'checks', unknown: 'tray' };

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
      stateNode(chat, row)));
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
 * @param {import('../app/chat.js').Chat} chat
 * @param {MessageRow} row
 */
function stateNode(chat, row) {
  const mark = MARKS[row.state];
  if (!mark) return null;
  if (row.state !== 'failed') {
    return el('p', { class: `state ${row.state}`, attrs: { title: t(key(`state.${row.state}.long`)) } },
      icon(mark), el('span', {}, t(key(`state.${row.state}`))));
  }
  return el('p', { class: 'state failed' }, icon(mark),
    el('span', {}, t('state.failed', { reason: errorText(row.code ?? '', row.reason ?? '') })),
    el('button', { class: 'small', attrs: { type: 'button' }, on: { click: () => void chat.outbox.retry(row.id) } }, t('retry')),
    el('button', { class: 'small quiet', attrs: { type: 'button' }, on: { click: () => chat.outbox.settle(row.id) } }, t('discard')));
}

/**
 * States without a mark have no words either; the table above decides.
 * @param {string} name
 */
function key(name) {
  return /** @type {import('../ui/i18n.js').Key} */ (name);
}
