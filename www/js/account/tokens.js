/**
 * Access tokens: one's own, or a bot's. Made, told once, listed, taken back.
 *
 * @typedef {import('../types.js').Token} Token
 * @typedef {{name: string, scopes: string[], expires_in: number}} Wanted
 */

import { secretDialog } from '../dialogs/secret.js';
import { act, errorLine } from '../ui/act.js';
import { choice, chosenIn } from '../ui/choice.js';
import { el } from '../ui/dom.js';
import { t, tn, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, Listing, tag } from '../ui/listing.js';
import { toast } from '../ui/overlay.js';

const DAY = 86_400;
/** Days that a token may live, and the one that is offered first. */
const LIVES = [7, 30, 90, 365];
const USUAL = 90;

/** @type {Record<string, import('../ui/i18n.js').Key>} */
const SCOPES = { 'chat:read': 'scope.chat.read', 'chat:write': 'scope.chat.write', 'audit:read': 'scope.audit.read' };

/**
 * @param {object} source
 * @param {string[]} source.scopes  those that may be had
 * @param {() => Promise<import('../types.js').Tokens>} source.list
 * @param {(wanted: Wanted) => Promise<import('../types.js').NewToken>} source.create
 * @param {(id: string) => Promise<unknown>} source.revoke
 * @returns {HTMLElement[]}
 */
export function tokensPanel(source) {
  const list = el('ul', { class: 'items', attrs: { 'aria-label': t('tokens') } });
  const name = el('input', { attrs: { id: 'token-name', type: 'text', required: true, maxlength: 64, autocomplete: 'off', placeholder: t('token.example') } });
  const scopes = source.scopes.map((scope) => {
    const box = el('input', { attrs: { type: 'checkbox', value: scope, checked: scope.startsWith('chat:') } });
    return { box, node: el('label', { class: 'check' }, box, el('span', {}, `${t(SCOPES[scope])} `, el('code', {}, scope))) };
  });
  const life = choice(t('token.life'), 'token-life', LIVES.map((days) => [String(days), tn('days', days)]), String(USUAL));
  const formError = errorLine();
  const listError = errorLine();

  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const wanted = {
      name: name.value.trim(), scopes: scopes.filter(({ box }) => box.checked).map(({ box }) => box.value), expires_in: Number(chosenIn(life)) * DAY,
    };
    if (wanted.scopes.length === 0) formError.textContent = t('token.noscope');
    else void act(/** @type {HTMLElement} */ (event.currentTarget), formError, async () => {
      const made = await source.create(wanted);
      name.value = '';
      secretDialog(t('token.made', { name: made.name }), made.token, t('token.use'));
      await listing.reload();
    });
  };

  /** @param {Token} token */
  const make = (token) => {
    const over = Date.parse(token.expires_at) <= Date.now();
    const revoke = (/** @type {MouseEvent} */ event) => act(/** @type {HTMLElement} */ (event.currentTarget), listError, async () => {
      await source.revoke(token.id);
      toast(t('token.revoked', { name: token.name }));
      await listing.reload();
    });
    return item({
      mark: icon('key'),
      title: token.name,
      tags: [...token.scopes.map((scope) => tag(scope, 'good')), over ? tag(t('token.over'), 'bad') : null],
      notes: [
        t(over ? 'token.ended' : 'token.ends', { time: when('short', Date.parse(token.expires_at)) }),
        token.last_used === undefined ? t('token.unused') : t('token.used', { time: when('short', Date.parse(token.last_used)) }),
      ],
      actions: [el('button', {
        class: 'small', attrs: { type: 'button', 'aria-label': t('token.revoke.of', { name: token.name }) }, on: { click: revoke },
      }, t('revoke'))],
    });
  };

  const form = el('form', { class: 'stack narrow-form', on: { submit } },
    el('label', { attrs: { for: name.id } }, t('token.name')), name,
    el('fieldset', { class: 'checks' }, el('legend', {}, t('token.scopes')), ...scopes.map(({ node }) => node)),
    life, formError,
    el('button', { class: 'primary', attrs: { type: 'submit' } }, t('token.make')));
  const shelf = el('div', { class: 'stack' }, listError, list);
  /** @type {Listing<Token>} */
  const listing = new Listing(list, {
    load: async () => ({ rows: (await source.list()).tokens }),
    key: (token) => token.id,
    make,
    none: t('token.none'),
  });
  void listing.reload();
  return [shelf, form];
}
