/**
 * The line that says when the page is not connected, and what happens about it.
 */

import { byId, setText } from '../ui/dom.js';
import { t, tn } from '../ui/i18n.js';
import { announce } from '../ui/overlay.js';

/** A link that comes up within this time is not worth a word. */
const SILENT_MS = 1200;

/** @param {import('../app/chat.js').Chat} chat */
export function bannerView(chat) {
  const banner = byId('banner');
  const text = byId('banner-text');
  const action = byId('banner-action', HTMLButtonElement);
  let since = Date.now();
  let told = false;
  action.addEventListener('click', () => {
    if (chat.live.status.state === 'signed-out') location.assign(loginPage());
    else chat.live.retryNow();
  });
  setInterval(() => draw(), 500);

  function draw() {
    const { state, retryAt } = chat.live.status;
    if (state === 'online') {
      if (told) announce(t('banner.back'));
      told = false;
      since = 0;
      banner.hidden = true;
      return;
    }
    if (since === 0) since = Date.now();
    if (state !== 'signed-out' && state !== 'offline' && Date.now() - since < SILENT_MS) return;
    told = true;
    banner.hidden = false;
    banner.dataset.state = state;
    const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    const words = {
      connecting: t('banner.connecting'), waiting: tn('banner.waiting', seconds), offline: t('banner.offline'),
      'signed-out': t('banner.signedout'), stopped: '',
    };
    // The seconds that run down are for the eye; a screen reader is told once.
    text.setAttribute('aria-live', state === 'waiting' ? 'off' : 'polite');
    setText(text, words[state]);
    setText(action, state === 'signed-out' ? t('signin') : t('banner.now'));
    action.hidden = state === 'connecting';
  }
  return draw;
}

/** Where to sign in, and to come back from. */
export function loginPage() {
  return `/login?next=${encodeURIComponent(location.pathname + location.hash)}`;
}
