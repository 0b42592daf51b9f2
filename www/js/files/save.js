/**
 * Putting a received file where the person wants it: by the browser's own download, which copies from disk to disk. The
 * media type is never the sender's, so that nothing is shown or run instead of being saved.
 */

import { el } from '../ui/dom.js';

/** A download has begun after so long, and holds the bytes by itself. */
const BEGUN_MS = 60_000;

/**
 * @param {Blob} whole
 * @param {string} name
 */
export function download(whole, name) {
  const url = URL.createObjectURL(whole);
  const link = el('a', { attrs: { href: url, download: name, hidden: true } });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), BEGUN_MS);
}
