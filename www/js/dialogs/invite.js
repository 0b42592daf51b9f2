/**
 * How others get in: the address to open on this network, as text and as a QR code, and with registration by
 * invite a link that lets somebody make an account.
 */

import { isLoopback, outsideOrigin } from '../core/address.js';
import { get, post } from '../net/api.js';
import { el, fill, svgAddress } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { errorText, t, when } from '../ui/i18n.js';
import { Cancelled } from '../ui/act.js';
import { copyText, openDialog, toast } from '../ui/overlay.js';
import { securePost } from './reauth.js';

/** @param {import('../app/chat.js').Chat} chat */
export function inviteDialog(chat) {
  openDialog(t('invite'), () => [invitePanel(chat)]);
}

/**
 * A QR code, if it can be had. An invite's link is a secret, so that it is asked for in a body: addresses are logged.
 * @param {string} text
 * @returns {Promise<string|null>}
 */
async function picture(text) {
  try {
    const { svg } = /** @type {{svg: string}} */ (await post('/auth/qr', { text }));
    return svgAddress(svg);
  } catch {
    return null;
  }
}

/** There may be two panels on the page: the welcome card's and a dialog's. */
let panels = 0;

/** @param {import('../app/chat.js').Chat} chat */
export function invitePanel(chat) {
  panels += 1;
  const id = `invite-address-${panels}`;
  const panel = el('div', { class: 'invite' });
  const address = el('input', { attrs: { type: 'url', id, inputmode: 'url', spellcheck: 'false', autocomplete: 'off' } });
  const warning = el('p', { class: 'hint', attrs: { role: 'status' } });
  const code = el('img', { class: 'qr', attrs: { alt: t('invite.qr'), width: 180, height: 180, hidden: true } });
  const invite = el('div', { class: 'stack' });
  let path = '';
  let timer = 0;

  const link = () => {
    try {
      return new URL(path || '/', address.value.trim()).href;
    } catch {
      return null;
    }
  };
  const draw = () => {
    clearTimeout(timer);
    timer = window.setTimeout(async () => {
      const target = link();
      warning.textContent = address.value.trim() === '' ? t('invite.noaddress') : target === null ? t('invite.badaddress') : isLoopback(target) ? t('invite.loopback') : '';
      const shown = target === null || isLoopback(target) ? null : await picture(target);
      // The address may have changed meanwhile.
      if (target !== link()) return;
      code.hidden = shown === null;
      if (shown !== null) code.src = shown;
    }, 200);
  };
  address.addEventListener('input', draw);

  const copy = el('button', {
    attrs: { type: 'button' },
    on: {
      click: async () => {
        const target = link();
        if (target === null) address.focus();
        else if (await copyText(target)) toast(t('copied'));
        else address.select();
      },
    },
  }, icon('copy'), t('copy'));

  const makeLink = async () => {
    try {
      const made = /** @type {import('../types.js').Invite} */ (await securePost('/invites', { uses: 1 }));
      path = made.path;
      const shown = el('input', { attrs: { type: 'text', readonly: true, 'aria-label': t('invite.link') } });
      shown.value = link() ?? made.path;
      address.addEventListener('input', () => {
        shown.value = link() ?? made.path;
      });
      fill(invite, shown, el('p', { class: 'hint' }, t('invite.until', { time: when('short', Date.parse(made.expires_at)) })));
      draw();
      if (await copyText(shown.value)) toast(t('copied'));
    } catch (problem) {
      if (problem instanceof Cancelled) return;
      const { code: what, message } = /** @type {import('../net/api.js').ApiError} */ (problem);
      toast(errorText(what, message), 'error');
    }
  };

  fill(panel,
    el('div', { class: 'invite-text stack' },
      el('label', { attrs: { for: id } }, t('invite.address')),
      el('div', { class: 'row' }, address, copy), warning, invite),
    code);

  void (async () => {
    const [addresses, info] = await Promise.all([
      get('/auth/addresses').then((answer) => /** @type {import('../types.js').Addresses} */ (answer).addresses, () => []),
      get('/auth/info').then((answer) => /** @type {import('../types.js').Info} */ (answer), () => null),
    ]);
    address.value = address.value || outsideOrigin(location.origin, addresses);
    if (address.value === '') address.placeholder = 'http://192.168.1.10:8080';
    if (addresses.length > 1) {
      const choices = el('datalist', { attrs: { id: `${id}-choices` } }, ...addresses.map((one) => el('option', { attrs: { value: one } })));
      address.setAttribute('list', choices.id);
      panel.append(choices);
    }
    const admin = chat.model.roles.includes('admin');
    if (info?.registration === 'invite') {
      fill(invite, el('p', { class: 'hint' }, t(admin ? 'invite.needed' : 'invite.askadmin')),
        admin ? el('button', { class: 'primary', attrs: { type: 'button' }, on: { click: makeLink } }, t('invite.make')) : null);
    } else if (info?.registration === 'closed') {
      fill(invite, el('p', { class: 'hint' }, t('invite.closed')));
    }
    draw();
  })();
  return panel;
}
