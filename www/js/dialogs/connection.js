/**
 * The connection with a person: which devices they have, how each is linked, and the numbers by which two people find
 * out that nobody sits between them.
 *
 * @typedef {import('../types.js').Device} Device
 * @typedef {import('../ui/i18n.js').Key} Key
 */

import { liveDevices, spelling } from '../core/model.js';
import { safetyNumber } from '../p2p/proof.js';
import { get } from '../net/api.js';
import { el, reconcile, setText } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { bytes, lang, t, when } from '../ui/i18n.js';
import { openDialog } from '../ui/overlay.js';
import { MARKS } from '../view/message.js';

/** The marks that a talk's messages can have. */
const LEGEND = /** @type {const} */ (['pending', 'direct', 'relayed', 'queued', 'delivered', 'copy', 'got-mailbox']);

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} peer
 */
export function connectionDialog(chat, peer) {
  const name = spelling(chat.model, peer);
  /** @type {Device[]} */
  let listed = [];
  const state = el('p', { attrs: { id: 'link-now' } });
  const none = el('p', { class: 'muted' }, t('link.nodevices'));
  const list = el('ul', { class: 'device-list', attrs: { 'aria-label': t('link.devices') } });
  const draw = () => {
    const now = t(/** @type {Key} */ (`link.${chat.p2p.talkState(peer)}.long`));
    if (state.textContent !== now) state.textContent = now;
    const devices = devicesOf(chat, peer, listed);
    none.hidden = devices.length > 0;
    // A line stays as it is while somebody reads its number aloud; only the count of bytes goes on.
    reconcile(list, devices.map((device) => {
      const { link, lastSeen, ...rest } = device;
      return { key: device.device, sig: JSON.stringify([rest, link?.state, link?.way, chat.p2p.publicKey, lang()]), device };
    }), ({ device }) => line(chat, peer, device));
    for (const { device, link } of devices) {
      const count = list.querySelector(`[data-device="${device}"] .device-bytes`);
      if (count && link) setText(count, ` · ${t('link.bytes', { sent: bytes(link.sent), received: bytes(link.received) })}`);
    }
  };
  const ask = () => get('/chat/devices', { of: peer }).then((answer) => {
    listed = /** @type {import('../types.js').Devices} */ (answer).devices;
    draw();
  }, () => undefined);

  openDialog(t('link.title', { name }), () => [
    state, el('p', { class: 'hint' }, t('link.number.hint', { name })),
    window.isSecureContext ? null : el('p', { class: 'notice', attrs: { id: 'link-http' } }, t('link.http')),
    list, none,
    el('details', { class: 'legend' }, el('summary', {}, t('link.legend')), el('dl', {}, ...LEGEND.flatMap((one) => [
      el('dt', { class: `state ${one}` }, icon(MARKS[one] ?? ''), t(`state.${one}`)),
      el('dd', {}, t(`state.${one}.long`)),
    ]))),
  ], { closed: () => chat.removeEventListener('change', draw) });
  chat.addEventListener('change', draw);
  draw();
  void ask();
}

/**
 * A device as the list shows it: what the tracker tells, what this browser remembers, and how it is linked now.
 * @typedef {object} Shown
 * @property {string} device
 * @property {string} label
 * @property {string} publicKey
 * @property {boolean} live
 * @property {string} lastSeen
 * @property {import('../p2p/links.js').LinkView|null} link
 * @property {boolean} verified
 * @property {boolean} fresh
 */

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} peer
 * @param {Device[]} listed
 * @returns {Shown[]}
 */
function devicesOf(chat, peer, listed) {
  const { trust } = chat.p2p;
  const views = chat.p2p.views(peer);
  const live = new Set(liveDevices(chat.model, peer));
  const remembered = trust.of(peer).filter((known) => !listed.some((one) => one.device === known.device) && views.some((view) => view.device === known.device));
  const all = [
    ...listed.map((one) => ({ device: one.device, label: one.label, publicKey: one.public_key, lastSeen: one.last_seen })),
    ...remembered.map((known) => ({ device: known.device, label: known.label, publicKey: known.publicKey, lastSeen: '' })),
  ];
  return all.map((one) => {
    const known = trust.find(peer, one.device);
    return {
      // What the device itself has proven goes before what the tracker says.
      ...one, publicKey: known?.publicKey ?? one.publicKey, live: live.has(one.device), link: views.find((view) => view.device === one.device) ?? null,
      verified: known?.verified ?? false, fresh: known?.notice ?? false,
    };
  }).sort((one, other) => Number(other.live) - Number(one.live) || other.lastSeen.localeCompare(one.lastSeen));
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} peer
 * @param {Shown} device
 */
function line(chat, peer, device) {
  const label = device.label || t('link.unnamed');
  const { link } = device;
  const up = link?.state === 'up';
  const state = up ? t(`link.device.${link.way}`) : device.live ? t(`link.device.${link && link.state !== 'up' ? link.state : 'idle'}`)
    : t('link.device.away', { time: device.lastSeen ? when('short', Date.parse(device.lastSeen)) : '' });
  return el('li', { class: 'device', data: { device: device.device } },
    el('div', { class: 'device-head' }, icon('devices'), el('strong', {}, label),
      device.fresh ? el('span', { class: 'tag' }, t('link.new')) : null,
      device.verified ? el('span', { class: 'tag good' }, icon('check'), t('link.verified')) : null),
    el('p', { class: `device-state${up ? ' up' : ''}` }, up ? icon(link.way === 'direct' ? 'link' : 'relay') : null, state,
      up ? el('span', { class: 'muted device-bytes' }) : null),
    el('p', { class: 'muted device-key' }, t('link.key', { id: device.device.replace(/(.{8})(?=.)/g, '$1 ') })),
    ...numberNodes(chat, peer, device, label));
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} peer
 * @param {Shown} device
 * @param {string} label
 */
function numberNodes(chat, peer, device, label) {
  const { p2p, model } = chat;
  if (p2p.publicKey === '') return [];
  const groups = safetyNumber({ peer: model.me, publicKey: p2p.publicKey }, { peer, publicKey: device.publicKey });
  const box = el('input', { attrs: { type: 'checkbox', id: `compared-${device.device}` } });
  box.checked = device.verified;
  box.addEventListener('change', () => void p2p.compared(peer, device.device, device.publicKey, box.checked));
  const nodes = [
    el('p', { class: 'safety-number', attrs: { role: 'group', 'aria-label': t('link.number.of', { label }) } },
      ...groups.map((group) => el('span', {}, group, ' '))),
    el('label', { class: 'check' }, box, el('span', {}, t('link.compared'))),
  ];
  // Nobody compares the number of a device that isn't here.
  return device.live || device.link?.state === 'up' ? nodes : [el('details', {}, el('summary', {}, t('link.number')), ...nodes)];
}
