/**
 * Names of files as they come from elsewhere. A name is only ever shown as text and proposed for saving; nothing is
 * opened by it. What could lead out of a folder, or make a name read differently from what it is, goes.
 */

import { byteLength } from '../../core/names.js';
import { NAME_BYTES } from './wire.js';

/** Control characters, what turns the direction of writing, what has no width and joins nothing, halves of pairs. */
const HIDDEN = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\p{Cs}]/gu;
/** An ending longer than this is no ending. */
const ENDING_CHARS = 16;

/**
 * A name to show and to save under.
 * @param {string} name
 * @returns {string} 1 to 255 bytes of UTF-8
 */
export function safeName(name) {
  const base = name.split(/[/\\]/).at(-1) ?? '';
  const plain = base.replace(HIDDEN, '').normalize('NFC').replace(/^[\s.]+|[\s.]+$/gu, '');
  return shorten(plain || 'file');
}

/**
 * Cuts a name to what the protocol allows; its ending stays.
 * @param {string} name
 */
export function shorten(name) {
  if (byteLength(name) <= NAME_BYTES) return name;
  const dot = name.lastIndexOf('.');
  const ending = dot > 0 && name.length - dot <= ENDING_CHARS ? name.slice(dot) : '';
  const room = NAME_BYTES - byteLength(ending) - byteLength('…');
  let stem = '';
  let bytes = 0;
  for (const char of name.slice(0, name.length - ending.length)) {
    bytes += byteLength(char);
    if (bytes > room) break;
    stem += char;
  }
  return `${stem}…${ending}`;
}
