/**
 * How a transfer stands, in words: what the row says, and what a screen reader is told when something has happened.
 *
 * @typedef {import('./shown.js').Shown} Shown
 * @typedef {object} Other        What is said beside the transfer itself.
 * @property {string} name        The other side, as it writes itself.
 * @property {boolean} online     Whether it is there.
 * @property {boolean} durable    Whether this page keeps what it receives over its end.
 */

import { lang, t } from '../ui/i18n.js';

/** @type {[limit: number, unit: string][]} */
const SIZES = [[1e12, 'terabyte'], [1e9, 'gigabyte'], [1e6, 'megabyte'], [1e3, 'kilobyte'], [0, 'byte']];

/**
 * A number with its unit, in the reader's language.
 * @param {number} value
 * @param {string} unit
 * @param {Intl.NumberFormatOptions} [options]
 */
function measure(value, unit, options = {}) {
  return new Intl.NumberFormat(lang(), { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: value < 10 ? 1 : 0, ...options }).format(value);
}

/** @param {number} bytes */
export function sizeText(bytes) {
  const [limit, unit] = SIZES.find(([one]) => bytes >= one) ?? SIZES[SIZES.length - 1];
  return measure(bytes / (limit || 1), unit, unit === 'byte' ? { unitDisplay: 'long', maximumFractionDigits: 0 } : {});
}

/** @param {number} speed bytes a second */
export function speedText(speed) {
  return t('file.speed', { size: sizeText(Math.round(speed)) });
}

/** @param {number} seconds */
export function leftText(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return t('file.left', { time: measure(whole, 'second') });
  if (whole < 3600) return t('file.left', { time: measure(Math.round(whole / 60), 'minute') });
  return t('file.left', { time: measure(Math.round(whole / 360) / 10, 'hour') });
}

/** @param {Shown} one */
export function percentText(one) {
  const part = one.size === 0 ? 1 : one.moved / one.size;
  // The last percent is not there until all of it is.
  return new Intl.NumberFormat(lang(), { style: 'percent' }).format(Math.min(Math.floor(part * 100) / 100, 1));
}

/**
 * What moves, in figures.
 * @param {Shown} one
 */
export function figures(one) {
  const words = [percentText(one), t('file.part', { moved: sizeText(one.moved), size: sizeText(one.size) })];
  if (one.speed !== null) words.push(speedText(one.speed));
  if (one.left !== null && one.phase === 'moving') words.push(leftText(one.left));
  if (one.from > 0) words.push(t('file.resumed', { moved: sizeText(one.from) }));
  return words.join(' · ');
}

/**
 * How a transfer stands.
 * @param {Shown} one
 * @param {Other} other
 */
export function stateText(one, { name, online, durable }) {
  switch (one.phase) {
    case 'offer':
      return online ? t('file.offer', { name }) : t('file.offer.away', { name });
    case 'asking':
      return t('file.asking', { name });
    case 'away':
      return online ? t('file.connecting', { name }) : t('file.away', { name });
    case 'turn':
      return t('file.turn');
    case 'idle':
      return t('file.idle', { name });
    case 'checking':
      return t('file.checking');
    case 'lost':
      return t('file.lost');
    case 'moving':
      return '';
    default:
      return one.stage === 'done' && one.held && !one.saved && !durable ? t('file.volatile') : endText(one, name);
  }
}

/**
 * How a transfer ended.
 * @param {Shown} one
 * @param {string} name
 */
export function endText(one, name) {
  const { dir, stage, reason, by } = one;
  switch (stage) {
    case 'done':
      if (dir === 'out') return t('file.done.out', { name });
      if (!one.held) return one.saved ? t('file.done.freed') : t('file.done.discarded');
      return one.saved ? t('file.done.saved', { size: sizeText(one.size) }) : t('file.done.in', { size: sizeText(one.size) });
    case 'declined':
      if (by === 'me') return reason === 'no_space' ? t('file.declined.me.no_space') : t('file.declined.me');
      return t(declines[reason] ?? 'file.declined', { name });
    case 'cancelled':
      return by === 'me' ? t('file.cancelled.me') : t('file.cancelled', { name });
    default:
      if (reason === 'changed') return by === 'me' ? t('file.failed.changed.me') : t('file.failed.changed', { name });
      if (reason === 'corrupt') return t('file.failed.corrupt');
      if (reason === 'no_space' && by === 'me') return t('file.failed.no_space');
      return t('file.failed', { name });
  }
}

/** @type {Record<string, import('../ui/i18n.js').Key>} */
const declines = {
  busy: 'file.declined.busy', no_space: 'file.declined.no_space', too_large: 'file.declined.too_large', taken: 'file.declined.taken',
};

/**
 * What is said aloud when somebody offers a file or a transfer has ended; an end that the person made needs no words.
 * @param {Shown} one
 * @param {string} name the other side
 * @returns {string|null}
 */
export function newsText(one, name) {
  if (one.stage === 'offered') return t('file.said.offer', { name, file: one.name, size: sizeText(one.size) });
  if (one.stage === 'done') return one.dir === 'in' ? t('file.said.in', { name, file: one.name }) : t('file.said.out', { name, file: one.name });
  if (one.by === 'me' && one.stage !== 'failed') return null;
  return t('file.said.end', { file: one.name, state: endText(one, name) });
}
