/**
 * The ways in which a person hands the page a file: the button beside the message box, dropping it on the conversation,
 * pasting it.
 *
 * @typedef {import('./files.js').Files} Files
 * @typedef {import('./shown.js').Shown} Shown
 */

import { samePeer } from '../core/names.js';
import { byId, el, fill } from '../ui/dom.js';
import { icon } from '../ui/icons.js';
import { t } from '../ui/i18n.js';
import { toast } from '../ui/overlay.js';

/** A drag of which nothing is heard for so long has left. */
const QUIET_MS = 1000;

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {Files} files
 * @returns {(one: Shown) => void} lets the person choose the file of a transfer again
 */
export function attachView(chat, files) {
  const picker = el('input', { attrs: { type: 'file', multiple: true, hidden: true, id: 'file-picker', tabindex: -1 } });
  /** What the next choice is for: the transfer that lacks its file, or the open talk. @type {Shown|null} */
  let wanted = null;
  document.body.append(picker);
  const pick = (/** @type {Shown|null} */ one) => {
    wanted = one;
    picker.multiple = one === null;
    picker.value = '';
    picker.click();
  };
  picker.addEventListener('change', () => {
    const chosen = [...(picker.files ?? [])];
    const peer = wanted ? wanted.peer : partner(chat);
    if (peer !== null) void send(files, peer, chosen, wanted);
    if (!wanted) byId('text').focus();
  });
  byId('attach').addEventListener('click', () => pick(null));
  if (chat.p2p.enabled) {
    dropping(chat, files);
    pasting(chat, files);
  }
  return pick;
}

/**
 * Whom a file would go to: the other side of the open talk.
 * @param {import('../app/chat.js').Chat} chat
 */
function partner({ active, model }) {
  return active?.kind === 'direct' && !samePeer(active.name, model.me) ? active.name : null;
}

/**
 * @param {Files} files
 * @param {string} peer
 * @param {File[]} chosen
 * @param {Shown|null} [wanted]
 */
async function send(files, peer, chosen, wanted = null) {
  for (const file of chosen) {
    const how = await files.send(peer, file, wanted?.phase === 'lost' ? wanted.key : null);
    if (how === 'already') toast(t('file.already', { file: file.name }));
    else if (how === 'another') toast(t('file.another', { file: wanted?.name ?? '' }), 'error');
    else if (how === 'unreadable') toast(t('file.unreadable', { file: file.name }), 'error');
  }
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {Files} files
 */
function dropping(chat, files) {
  const main = byId('main');
  const zone = el('div', { class: 'drop-zone', attrs: { hidden: true } });
  main.append(zone);
  const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') === true;
  const inside = (/** @type {DragEvent} */ event) => event.target instanceof Node && main.contains(event.target);
  const show = () => {
    const name = partner(chat);
    zone.classList.toggle('not-here', name === null);
    fill(zone, el('p', {}, icon(name === null ? 'person' : 'attach'), name === null ? t('file.drop.channel') : t('file.drop', { name })));
    zone.hidden = false;
  };
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let quiet;
  const hide = () => {
    clearTimeout(quiet);
    zone.hidden = true;
  };
  // Beside the conversation as well a dropped file must not take the page's place.
  addEventListener('dragover', (event) => {
    if (!carries(event) || !event.dataTransfer) return;
    event.preventDefault();
    const here = inside(event) && !document.querySelector('dialog[open]');
    event.dataTransfer.dropEffect = here ? 'copy' : 'none';
    if (!here) return hide();
    if (zone.hidden) show();
    // Where the pointer leaves the window, and what ends a drag there, differs from browser to browser; this event, which comes
    // several times a second as long as it is here, does not.
    clearTimeout(quiet);
    quiet = setTimeout(hide, QUIET_MS);
    return undefined;
  });
  addEventListener('drop', (event) => {
    if (!carries(event) || !event.dataTransfer) return;
    event.preventDefault();
    hide();
    if (!inside(event) || document.querySelector('dialog[open]')) return;
    const peer = partner(chat);
    if (peer === null) return toast(t('file.drop.channel'));
    const items = [...event.dataTransfer.items].filter((item) => item.kind === 'file');
    const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
    const chosen = items.filter((item) => !folders.includes(item)).map((item) => item.getAsFile()).filter((file) => file !== null);
    if (folders.length > 0) toast(t('file.folder'), 'error');
    void send(files, peer, chosen);
  });
}

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {Files} files
 */
function pasting(chat, files) {
  addEventListener('paste', (event) => {
    const data = event.clipboardData;
    // What a word processor copies comes as a picture too; the text is what was meant.
    if (!data || data.files.length === 0 || data.types.includes('text/plain') || document.querySelector('dialog[open]')) return;
    event.preventDefault();
    const peer = partner(chat);
    if (peer === null) return toast(t('file.drop.channel'));
    void send(files, peer, [...data.files]);
  });
}
