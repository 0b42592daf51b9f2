/**
 * One's own devices: which there are, and removing those that are lost or no longer used.
 *
 * @typedef {import('../types.js').Device} Device
 */

import { get, post } from '../net/api.js';
import { el, fill } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { errorText, t, when } from '../ui/i18n.js';
import { openDialog, toast } from '../ui/overlay.js';

/** @param {import('../app/chat.js').Chat} chat */
export function devicesDialog(chat) {
  const list = el('ul', { class: 'device-list', attrs: { 'aria-label': t('devices') } });
  const load = async () => {
    try {
      const { devices } = /** @type {import('../types.js').Devices} */ (await get('/chat/devices'));
      fill(list, ...devices.map((device) => line(chat, device, load)));
      if (devices.length === 0) fill(list, el('li', { class: 'muted' }, t('link.nodevices')));
    } catch (problem) {
      complain(problem);
    }
  };
  openDialog(t('devices'), () => [el('p', { class: 'hint' }, t('devices.hint')), list]);
  void load();
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {Device} device
 * @param {() => Promise<void>} reload
 */
function line(chat, device, reload) {
  const here = device.device === chat.p2p.ownDevice;
  const remove = async () => {
    try {
      await post('/chat/devices/remove', { device: device.device });
      await chat.p2p.trust.forget(chat.model.me, device.device);
      toast(t('devices.removed'));
      await reload();
    } catch (problem) {
      complain(problem);
    }
  };
  return el('li', { class: 'device', data: { device: device.device } },
    el('div', { class: 'device-head' }, icon('devices'), el('strong', {}, device.label), here ? el('span', { class: 'tag good' }, t('devices.this')) : null,
      here ? null : el('button', { class: 'small', attrs: { type: 'button', 'aria-label': `${t('devices.remove')}: ${device.label}` }, on: { click: remove } }, t('devices.remove'))),
    el('p', { class: 'muted' }, device.live ? t('link.device.live') : t('link.device.away', { time: when('short', Date.parse(device.last_seen)) })),
    el('p', { class: 'muted device-key' }, t('link.key', { id: device.device.replace(/(.{8})(?=.)/g, '$1 ') })));
}

/** @param {unknown} problem */
function complain(problem) {
  const { code, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
  toast(errorText(code, message), 'error');
}
