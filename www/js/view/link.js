/**
 * How a talk's two sides are linked: the line in its header that opens the dialog about it, and the strip above the
 * messages that tells of new devices and of one that could not prove who it is.
 *
 * @typedef {import('../p2p/p2p.js').TalkState} TalkState
 * @typedef {import('../ui/i18n.js').Key} Key
 */

import { samePeer } from '../core/names.js';
import { spelling } from '../core/model.js';
import { connectionDialog } from '../dialogs/connection.js';
import { byId, el, fill } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { lang, t } from '../ui/i18n.js';

/** @type {Record<TalkState, string>} */
const MARKS = { direct: 'link', relayed: 'relay', connecting: 'clock', none: 'tray', idle: 'link', offline: 'tray', off: 'tray' };

/** @param {import('../app/chat.js').Chat} chat */
export function linkView(chat) {
  const button = byId('link-state', HTMLButtonElement);
  const strip = byId('talk-notices');
  button.addEventListener('click', () => {
    if (chat.active?.kind === 'direct') connectionDialog(chat, chat.active.name);
  });

  return () => {
    const { active, model } = chat;
    const peer = active?.kind === 'direct' && !samePeer(active.name, model.me) ? active.name : null;
    button.hidden = peer === null;
    if (peer !== null) drawState(button, peer, chat.p2p.talkState(peer));
    drawNotices(chat, strip, peer);
  };
}

/**
 * @param {HTMLButtonElement} button
 * @param {string} peer
 * @param {TalkState} state
 */
function drawState(button, peer, state) {
  const sig = [peer, state, lang()].join();
  if (button.dataset.sig === sig) return;
  button.dataset.sig = sig;
  button.dataset.state = state;
  const word = t(/** @type {Key} */ (`link.${state}`));
  button.title = t(/** @type {Key} */ (`link.${state}.long`));
  button.setAttribute('aria-label', t('link.open', { name: peer, state: word }));
  fill(button, icon(MARKS[state]), el('span', {}, word));
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {HTMLElement} strip
 * @param {string|null} peer
 */
function drawNotices(chat, strip, peer) {
  const { p2p, model } = chat;
  const refused = peer === null ? null : p2p.refusal(peer);
  const fresh = peer === null ? [] : [...p2p.trust.of(peer), ...p2p.trust.of(model.me)].filter((known) => known.notice);
  const sig = [peer, refused, ...fresh.map((known) => `${known.key} ${known.label}`), lang()].join();
  strip.hidden = refused === null && fresh.length === 0;
  if (strip.dataset.sig === sig) return;
  strip.dataset.sig = sig;
  fill(strip,
    refused === null || peer === null ? null : el('div', { class: 'talk-notice refused', attrs: { role: 'alert' } },
      icon('warn'), el('p', {}, t('link.refused', { name: peer })),
      el('button', { class: 'small', attrs: { type: 'button' }, on: { click: () => p2p.dismissRefusal(peer) } }, t('link.dismiss'))),
    ...fresh.map((known) => {
      const mine = samePeer(known.peer, model.me);
      const label = known.label || t('link.unnamed');
      return el('div', { class: 'talk-notice', attrs: { role: 'status' } }, icon('devices'),
        el('p', {}, mine ? t('link.newdevice.mine', { label }) : t('link.newdevice', { name: spelling(model, known.peer), label })),
        el('div', { class: 'row' },
          mine ? null : el('button', { class: 'small', attrs: { type: 'button' }, on: { click: () => connectionDialog(chat, known.peer) } }, t('link.compare')),
          el('button', {
            class: 'small quiet', attrs: { type: 'button' },
            on: { click: () => void p2p.trust.mark(known, { notice: false }).then(() => chat.changed()) },
          }, t('link.dismiss'))));
    }));
}
