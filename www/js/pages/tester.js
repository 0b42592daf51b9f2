/**
 * A page for trying the tracker's seven calls by hand: one form each, the answers below, newest first, each with
 * the same call as a curl command.
 */

import { get } from '../net/api.js';
import { byId, el, fill } from '../ui/dom.js';
import { placeIcons } from '../ui/icons.js';
import { t, translate } from '../ui/i18n.js';

/** @typedef {{method: 'GET'|'POST', path: string, fields: Record<string, string>}} Call */

const KEPT_ANSWERS = 30;

translate(document);
placeIcons(document);
get('/me').then((account) => draw(/** @type {import('../types.js').Account} */ (account).username), () => draw('alice'));

/**
 * @param {string} me
 * @returns {Call[]}
 */
function calls(me) {
  return [
    { method: 'POST', path: '/submit-info', fields: { peer_id: me, ip: '127.0.0.1', port: '5001' } },
    { method: 'GET', path: '/get-list', fields: {} },
    { method: 'POST', path: '/add-list', fields: { peer_id: me, channel: 'general' } },
    { method: 'POST', path: '/connect-peer', fields: { from_peer: me, to_peer: me } },
    { method: 'POST', path: '/broadcast-peer', fields: { peer_id: me, channel: 'general', message: 'Hello, everyone!' } },
    { method: 'POST', path: '/send-peer', fields: { from_peer: me, to_peer: me, message: 'Hello!' } },
    { method: 'GET', path: '/get-messages', fields: { channel: 'general' } },
  ];
}

/** @param {string} me */
function draw(me) {
  fill(byId('calls'), ...calls(me).map((call) => {
    const inputs = Object.entries(call.fields).map(([name, value]) => {
      const id = `${call.path.slice(1)}-${name}`;
      const input = el('input', { attrs: { id, name, type: 'text', autocomplete: 'off' } });
      input.value = value;
      return { name, input, label: el('label', { attrs: { for: id } }, name) };
    });
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      await run(call, Object.fromEntries(inputs.map(({ name, input }) => [name, input.value])));
    };
    return el('form', { class: 'call', attrs: { 'aria-label': `${call.method} ${call.path}` }, on: { submit } },
      el('h2', {}, el('span', { class: 'method' }, call.method), call.path),
      ...inputs.flatMap(({ label, input }) => [label, input]),
      el('button', { class: 'primary', attrs: { type: 'submit' } }, t('send')));
  }));
}

/**
 * @param {Call} call
 * @param {Record<string, string>} fields
 */
async function run(call, fields) {
  const body = { ...fields, ...('port' in fields && fields.port.trim() !== '' ? { port: asNumber(fields.port) } : {}) };
  const query = new URLSearchParams(fields).toString();
  const path = call.method === 'GET' && query ? `${call.path}?${query}` : call.path;
  const json = JSON.stringify(body);
  const started = performance.now();
  let head = t('error.unreachable');
  let text = '';
  try {
    const response = await fetch(path, call.method === 'GET' ? { cache: 'no-store' }
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: json });
    text = await response.text();
    head = `${response.status} ${response.statusText}`;
    text = JSON.stringify(JSON.parse(text), null, 2);
  } catch (error) {
    if (text === '') text = String(error);
  }
  const ms = Math.round(performance.now() - started);
  const curl = call.method === 'GET' ? `curl -b cookies '${location.origin}${path}'`
    : `curl -b cookies -H 'Content-Type: application/json' -d '${json.replaceAll("'", "'\\''")}' ${location.origin}${path}`;
  const list = byId('answers');
  list.prepend(el('li', {}, el('p', { class: 'answer-head' }, el('strong', {}, `${call.method} ${call.path}`), ` ${head} · ${ms} ms`),
    el('pre', { attrs: { tabindex: '0' } }, text), el('pre', { class: 'curl', attrs: { tabindex: '0' } }, curl)));
  while (list.childElementCount > KEPT_ANSWERS) list.lastElementChild?.remove();
}

/**
 * A number where it is one; else the text as it is, so that the tracker's own complaint can be seen.
 * @param {string} text
 */
function asNumber(text) {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}
