/**
 * What a message's text consists of: plain text, links, code. The text itself is never changed, and no
 * markup is made here: a view turns the parts into nodes, so that a text can't become anything else.
 *
 * @typedef {{kind: 'text'|'code'|'block', text: string}|{kind: 'link', text: string, href: string}} Part
 */

const BLOCK = /```[^\S\n]*\n?([\s\S]+?)\n?```/g;
const INLINE = /`([^`\n]+)`|https?:\/\/[^\s<>"'`]+/gi;

/**
 * @param {string} text
 * @returns {Part[]}
 */
export function parts(text) {
  /** @type {Part[]} */
  const out = [];
  let at = 0;
  for (const match of text.matchAll(BLOCK)) {
    inline(text.slice(at, match.index).replace(/\n$/, ''), out);
    out.push({ kind: 'block', text: match[1] });
    at = match.index + match[0].length;
  }
  inline(at === 0 ? text : text.slice(at).replace(/^\n/, ''), out);
  return out;
}

/**
 * @param {string} text
 * @param {Part[]} out
 */
function inline(text, out) {
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    const code = match[1];
    const shown = code === undefined ? trimLink(match[0]) : match[0];
    const href = code === undefined ? safeHref(shown) : null;
    if (code === undefined && href === null) continue;
    if (match.index > at) out.push({ kind: 'text', text: text.slice(at, match.index) });
    out.push(href === null ? { kind: 'code', text: code ?? '' } : { kind: 'link', text: shown, href });
    at = match.index + shown.length;
  }
  if (at < text.length) out.push({ kind: 'text', text: text.slice(at) });
}

/**
 * A full stop or bracket after an address belongs to the sentence, not to the address.
 * @param {string} address
 */
function trimLink(address) {
  let out = address.replace(/[.,;:!?…]+$/u, '');
  while (/[)\]}]$/.test(out)) {
    const close = out[out.length - 1];
    const open = { ')': '(', ']': '[', '}': '{' }[close] ?? '';
    if (out.split(open).length >= out.split(close).length) break;
    out = out.slice(0, -1).replace(/[.,;:!?…]+$/u, '');
  }
  return out;
}

/**
 * The address in the form that a browser would go to; only http and https.
 * @param {string} address
 * @returns {string|null}
 */
export function safeHref(address) {
  try {
    const url = new URL(address);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * A text cut to one line, for notifications and announcements.
 * @param {string} text
 * @param {number} chars
 */
export function excerpt(text, chars) {
  const line = text.replace(/\s+/g, ' ').trim();
  const letters = [...line];
  return letters.length <= chars ? line : `${letters.slice(0, chars - 1).join('')}…`;
}

/**
 * Where to go after signing in: a path on this site, or `/`. A browser reads `\` as `/` and drops
 * control characters, so neither may be in it.
 * @param {string|null} next
 */
export function safeNext(next) {
  return next !== null && /^\/(?![/\\])[^\\\u0000-\u001f\u007f]*$/.test(next) ? next : '/';
}
