/**
 * The files of a talk as rows among its messages, and what is said about them.
 *
 * @typedef {import('./files.js').Files} Files
 * @typedef {import('./shown.js').Shown} Shown
 */

import { talkWith } from '../core/directs.js';
import { fold } from '../core/names.js';
import { byId, el } from '../ui/dom.js';
import { t } from '../ui/i18n.js';
import { announce, openDialog, toast } from '../ui/overlay.js';
import { HEAD_BYTES, pictureOf } from './image.js';
import { FileRow } from './row.js';
import { download } from './save.js';
import { newsText, sizeText } from './words.js';

/** Pictures of more bytes are not previewed. */
const PREVIEW_BYTES = 32 * 1024 * 1024;

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {Files} files
 * @param {(one: Shown) => void} choose   Lets the person choose the file of a transfer.
 * @returns {(place: import('../core/route.js').Place) => import('../core/timeline.js').Extra[]} the rows of a conversation
 */
export function filesView(chat, files, choose) {
  /** @type {Map<string, FileRow>} of the talk that is shown */
  const rows = new Map();
  let shownTalk = '';
  /** @type {import('./row.js').RowActions} */
  const actions = {
    accept: async (one) => {
      const lack = await files.accept(one.key);
      if (lack) toast(t('file.noroom', { file: one.name, size: sizeText(lack.needed), free: sizeText(Math.max(0, lack.free)) }), 'error');
    },
    decline: (one) => files.decline(one.key),
    cancel: (one) => files.cancel(one.key),
    save: async (one) => {
      const whole = await files.whole(one, 'application/octet-stream');
      if (!whole) return toast(t('file.missing', { file: one.name }), 'error');
      download(whole, one.name);
      return files.saved(one.key);
    },
    discard: (one) => discardDialog(one, () => files.free(one.key)),
    free: (one) => files.free(one.key),
    again: (one) => files.again(one.key),
    choose,
    remove: (one) => files.dismiss(one.key),
    has: (one) => files.has(one.key),
    preview: (one) => preview(files, one),
    grown: () => toEnd(),
  };

  // Who reads the end goes on reading the end.
  const toEnd = () => {
    if (chat.atEnd && rows.size > 0) byId('scroller').scrollTop = byId('scroller').scrollHeight;
  };
  const other = (/** @type {Shown} */ one) => ({ name: files.spelling(one.peer), online: files.isOnline(one.peer), durable: files.durable });
  files.addEventListener('moved', () => {
    for (const [key, row] of rows) {
      const one = files.get(key);
      if (one) row.update(one, other(one));
    }
    toEnd();
  });
  files.addEventListener('changed', () => {
    count(chat, files);
    chat.changed();
  });
  files.addEventListener('news', (event) => tell(chat, files, /** @type {CustomEvent<Shown>} */ (event).detail));

  return (place) => {
    if (place.kind !== 'direct') return [];
    const list = files.with(place.name);
    const here = new Set(list.map((one) => one.key));
    for (const [key, row] of rows) {
      if (shownTalk === fold(place.name) && here.has(key)) continue;
      row.close();
      rows.delete(key);
    }
    shownTalk = fold(place.name);
    return list.map((one) => {
      const row = rows.get(one.key) ?? new FileRow(chat.model.me, one, actions);
      rows.set(one.key, row);
      row.update(one, other(one));
      return { key: one.key, timestamp: one.at, node: row.node };
    });
  };
}

/**
 * What has to be confirmed, for nothing brings it back.
 * @param {Shown} one
 * @param {() => void} discard
 */
function discardDialog(one, discard) {
  openDialog(t('file.discard.title', { file: one.name }), (dialog) => [
    el('p', {}, t('file.discard.text')),
    el('div', { class: 'actions' },
      el('button', { attrs: { type: 'button', autofocus: true }, on: { click: () => dialog.close() } }, t('cancel')),
      el('button', {
        class: 'danger', attrs: { type: 'button' },
        on: {
          click: () => {
            dialog.close();
            discard();
            byId('text').focus();
          },
        },
      }, t('discard'))),
  ]);
}

/**
 * A picture of what came, if it is one: from this browser's own verified copy.
 * @param {Files} files
 * @param {Shown} one
 */
async function preview(files, one) {
  if (one.size > PREVIEW_BYTES) return null;
  const whole = await files.whole(one, 'application/octet-stream');
  if (!whole) return null;
  const picture = pictureOf(new Uint8Array(await whole.slice(0, HEAD_BYTES).arrayBuffer()));
  if (!picture) return null;
  const { type, width, height } = picture;
  return { url: URL.createObjectURL(whole.slice(0, whole.size, type)), width, height };
}

/**
 * Tells of an offer or an end: aloud, and where the person looks elsewhere.
 * @param {import('../app/chat.js').Chat} chat
 * @param {Files} files
 * @param {Shown} one
 */
function tell(chat, files, one) {
  const name = files.spelling(one.peer);
  const said = newsText(one, name);
  if (said === null) return;
  const offer = one.stage === 'offered';
  if (!offer) return announce(said);
  const place = /** @type {const} */ ({ kind: 'direct', name });
  const here = chat.active?.kind === 'direct' && fold(chat.active.name) === one.peer;
  const detail = { place, from: name, text: t('file.offered', { file: one.name, size: sizeText(one.size) }), here, said };
  chat.dispatchEvent(new CustomEvent('arrived', { detail }));
}

/**
 * Notes in the model which talks have files, and which have offers that wait for the person.
 * @param {import('../app/chat.js').Chat} chat
 * @param {Files} files
 */
function count(chat, files) {
  chat.model.files.clear();
  for (const one of files.all()) {
    talkWith(chat.model.talks, files.spelling(one.peer));
    const known = chat.model.files.get(one.peer) ?? { last: '', offers: 0 };
    if (one.at > known.last) known.last = one.at;
    if (one.phase === 'offer') known.offers += 1;
    chat.model.files.set(one.peer, known);
  }
}
