/**
 * What the pages before the chat share: signing in, making an account, choosing a new password by a link. The links between them
 * keep `?next=`: the server writes it into the pages.
 */

import { safeNext } from '../core/text.js';
import { byId, el, fill } from '../ui/dom.js';
import { placeIcons } from '../ui/icons.js';
import { lang, setLang, t, textOr, translate } from '../ui/i18n.js';
import { showButton } from '../ui/password.js';

/**
 * Prepares the page.
 * @param {import('../ui/i18n.js').Key} title
 * @param {() => void} [redraw] after the language was chosen
 */
export function prepare(title, redraw = () => undefined) {
  const draw = () => {
    translate(document);
    document.title = `${t(title)} · ${t('app')}`;
    languages();
    redraw();
  };
  placeIcons(document);
  const show = document.getElementById('show-password');
  if (show) showButton(show, byId('password', HTMLInputElement));
  addEventListener('languagechosen', draw);
  draw();
}

/**
 * What the address says to a page with a name: a form that was posted the plain way comes back with it.
 * @returns {string} where to go afterwards
 */
export function fromAddress() {
  const next = nextInAddress();
  byId('username', HTMLInputElement).value ||= new URLSearchParams(location.search).get('username') ?? '';
  byId('next', HTMLInputElement).value = next;
  complaintInAddress();
  return next;
}

/** @returns {string} where to go afterwards */
export function nextInAddress() {
  return safeNext(new URLSearchParams(location.search).get('next'));
}

/**
 * A page's address with what it is to know. The way to the chat, where everything leads anyway, is not worth a word.
 * @param {string} page
 * @param {{next: string, factors?: string}} about
 */
export function addressOf(page, { next, factors }) {
  const query = new URLSearchParams({ ...(factors ? { factors } : {}), ...(next === '/' ? {} : { next }) }).toString();
  return query ? `${page}?${query}` : page;
}

/** What was wrong with a form that was posted the plain way, in the reader's language: the server said it in English. */
export function complaintInAddress() {
  const code = new URLSearchParams(location.search).get('error');
  const error = byId('error');
  if (code !== null) error.textContent = textOr(`error.${code}`, error.textContent || t('error.unknown'));
}

/**
 * The link to the provider (OpenID Connect), which the server puts into the page where there is one: in the reader's language, and with
 * what is ticked.
 * @param {HTMLInputElement} [remember]
 */
export function providerLink(remember) {
  const link = document.getElementById('oidc-link');
  if (!(link instanceof HTMLAnchorElement)) return;
  const draw = () => {
    link.textContent = t('signin.oidc', { name: link.dataset.name ?? '' });
  };
  const tick = () => {
    const query = new URLSearchParams(link.search);
    if (remember?.checked) query.set('remember', 'true');
    else query.delete('remember');
    link.search = query.toString();
  };
  addEventListener('languagechosen', draw);
  remember?.addEventListener('change', tick);
  draw();
  // Browsers keep what was ticked over a reload.
  tick();
}

function languages() {
  /** @type {[import('../ui/i18n.js').Lang, string][]} */
  const all = [['en', 'English'], ['vi', 'Tiếng Việt']];
  fill(byId('languages'), ...all.map(([code, name]) => el('button', {
    class: 'quiet small', attrs: { type: 'button', lang: code, 'aria-pressed': String(lang() === code) }, on: { click: () => setLang(code) },
  }, name)));
}

/**
 * Sends the form without leaving the page, so that an error loses no input. Where this script doesn't run, the
 * browser posts the form the plain way, and the server answers with a redirect.
 * @param {() => Promise<void>} submit
 */
export function onSubmit(submit) {
  const form = byId('form', HTMLFormElement);
  const button = byId('submit', HTMLButtonElement);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    form.setAttribute('aria-busy', 'true');
    try {
      await submit();
    } finally {
      button.disabled = false;
      form.removeAttribute('aria-busy');
    }
  });
}

/**
 * Shows an error beside what it is about.
 * @param {string} where id of the error's paragraph
 * @param {string} text
 * @param {string} [field] id of the input to correct
 */
export function complain(where, text, field) {
  byId(where).textContent = text;
  if (!field) return;
  const input = byId(field, HTMLInputElement);
  input.setAttribute('aria-invalid', 'true');
  input.focus();
}

/** Takes all complaints back. */
export function forgive() {
  for (const node of document.querySelectorAll('.error')) node.textContent = '';
  for (const node of document.querySelectorAll('[aria-invalid]')) node.removeAttribute('aria-invalid');
}
