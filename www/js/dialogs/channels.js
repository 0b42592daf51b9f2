/**
 * Finding, joining and making channels.
 */

import { isChannelName, tidyChannelName } from '../core/names.js';
import { post } from '../net/api.js';
import { el, reconcile } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { errorText, lang, t, tn } from '../ui/i18n.js';
import { openDialog, toast } from '../ui/overlay.js';

/** @param {import('../app/chat.js').Chat} chat */
export function channelsDialog(chat) {
  void chat.sync.channels();
  const redraw = new EventTarget();
  const dialog = openDialog(t('channels.browse'), (shell) => {
    const filter = el('input', { attrs: { type: 'search', id: 'channel-filter', autocomplete: 'off' } });
    const list = el('ul', { class: 'pick-list', attrs: { 'aria-label': t('channels') } });
    const none = el('p', { class: 'muted pad' }, t('channels.none'));
    const draw = () => {
      const wanted = tidyChannelName(filter.value).toLowerCase();
      const channels = [...chat.model.channels.values()]
        .filter((channel) => channel.name.toLowerCase().includes(wanted))
        .sort((one, other) => Number(one.joined) - Number(other.joined) || one.name.localeCompare(other.name));
      const rows = channels.map((channel) => ({
        key: channel.name, sig: [channel.private, channel.joined, channel.membersCount, lang()].join(), channel,
      }));
      reconcile(list, rows, ({ channel }) => line(chat, channel, shell));
      none.hidden = rows.length > 0;
    };
    filter.addEventListener('input', draw);
    redraw.addEventListener('change', draw);
    draw();
    return [
      createForm(chat, shell),
      el('h3', {}, t('channels.existing')),
      el('label', { class: 'sr', attrs: { for: 'channel-filter' } }, t('channels.filter')),
      setPlaceholder(filter, t('channels.filter')), list, none,
    ];
  }, { closed: () => chat.removeEventListener('change', again) });
  const again = () => redraw.dispatchEvent(new Event('change'));
  chat.addEventListener('change', again);
  return dialog;
}

/**
 * @param {HTMLInputElement} input
 * @param {string} text
 */
export function setPlaceholder(input, text) {
  input.placeholder = text;
  return input;
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {import('../core/model.js').ChannelState} channel
 * @param {HTMLDialogElement} dialog
 */
function line(chat, channel, dialog) {
  const open = () => {
    dialog.close();
    chat.open({ kind: 'channel', name: channel.name });
    chat.dispatchEvent(new Event('chosen'));
  };
  const press = async () => {
    if (!channel.joined && !(await joinChannel(chat, channel.name))) return;
    open();
  };
  return el('li', { class: 'pick' }, icon(channel.private ? 'lock' : 'hash'),
    el('span', { class: 'pick-name' }, channel.name),
    el('span', { class: 'muted' }, tn('members.count', channel.membersCount)),
    el('button', {
      class: channel.joined ? 'small' : 'small primary', attrs: { type: 'button', 'aria-label': `${t(channel.joined ? 'open' : 'join')} #${channel.name}` },
      on: { click: press },
    }, t(channel.joined ? 'open' : 'join')));
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {HTMLDialogElement} dialog
 */
function createForm(chat, dialog) {
  const name = el('input', { attrs: { id: 'new-channel', type: 'text', maxlength: 80, autocomplete: 'off', 'aria-describedby': 'new-channel-error', autofocus: true } });
  const hidden = el('input', { attrs: { type: 'checkbox', id: 'new-private' } });
  const error = el('p', { class: 'error', attrs: { id: 'new-channel-error', role: 'alert' } });
  return el('form', {
    class: 'stack', attrs: { novalidate: true },
    on: {
      submit: async (event) => {
        event.preventDefault();
        const channel = tidyChannelName(name.value);
        if (!isChannelName(channel)) {
          error.textContent = t('channels.badname');
          name.setAttribute('aria-invalid', 'true');
          name.focus();
          return;
        }
        try {
          await post('/chat/channels', { channel, private: hidden.checked });
          await chat.sync.channels();
          dialog.close();
          chat.open({ kind: 'channel', name: channel });
          chat.dispatchEvent(new Event('chosen'));
        } catch (problem) {
          const { code, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
          error.textContent = errorText(code, message);
          name.focus();
        }
      },
    },
  },
  el('h3', {}, t('channels.create')),
  el('label', { attrs: { for: 'new-channel' } }, t('channels.name')),
  el('div', { class: 'row' }, name, el('button', { class: 'primary', attrs: { type: 'submit' } }, t('channels.make'))),
  error,
  el('label', { class: 'check' }, hidden, el('span', {}, t('channels.private'))));
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} channel
 * @returns {Promise<boolean>}
 */
export async function joinChannel(chat, channel) {
  try {
    await post('/chat/channels/join', { channel });
    await chat.sync.channels();
    await chat.sync.members(channel);
    return true;
  } catch (problem) {
    const { code, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
    toast(errorText(code, message), 'error');
    return false;
  }
}

/**
 * Asks first: a private channel can't be entered again without help.
 * @param {import('../app/chat.js').Chat} chat
 * @param {string} channel
 */
export function leaveDialog(chat, channel) {
  const state = chat.model.channels.get(channel);
  openDialog(t('leave.title', { channel }), (dialog) => [
    el('p', {}, t(state?.private ? 'leave.private' : 'leave.public')),
    el('div', { class: 'actions' },
      el('button', { attrs: { type: 'button' }, on: { click: () => dialog.close() } }, t('cancel')),
      el('button', {
        class: 'danger', attrs: { type: 'button', autofocus: true },
        on: {
          click: async () => {
            try {
              await post('/chat/channels/leave', { channel });
              dialog.close();
              await chat.sync.channels();
              chat.goHome();
            } catch (problem) {
              const { code, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
              toast(errorText(code, message), 'error');
            }
          },
        },
      }, t('leave'))),
  ]);
}
