/**
 * The box for writing. Enter sends, Shift+Enter starts a new line; while an input method composes (Vietnamese
 * Telex, Japanese, …), Enter belongs to the input method.
 */

import { byteLength, MESSAGE_BYTES, samePeer } from '../core/names.js';
import { Drafts } from '../app/drafts.js';
import { byId, setText } from '../ui/dom.js';
import { t, tn } from '../ui/i18n.js';
import { announce } from '../ui/overlay.js';

/** The count shows when this many bytes or fewer are left. */
const SHOW_COUNT = 2048;

/**
 * @param {import('../app/chat.js').Chat} chat
 * @param {boolean} [attachable] whether this browser can send files
 */
export function composerView(chat, attachable = false) {
  const form = byId('composer', HTMLFormElement);
  const text = byId('text', HTMLTextAreaElement);
  const send = byId('send', HTMLButtonElement);
  const count = byId('text-count');
  const drafts = new Drafts(chat.model.me);

  const measure = () => {
    text.style.height = 'auto';
    text.style.height = `${text.scrollHeight + 2}px`;
    const left = MESSAGE_BYTES - byteLength(text.value);
    count.hidden = left > SHOW_COUNT;
    count.classList.toggle('over', left < 0);
    setText(count, left >= 0 ? tn('composer.left', left) : tn('composer.over', -left));
    send.disabled = text.value.trim() === '' || left < 0;
    form.classList.toggle('ready', !send.disabled);
  };

  text.addEventListener('input', () => {
    if (chat.active) drafts.keep(chat.active, text.value);
    measure();
  });
  text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!chat.active || form.hidden) return;
    if (send.disabled) {
      if (text.value.trim() !== '') announce(count.textContent ?? '');
      return;
    }
    const written = text.value.replace(/\s+$/, '');
    text.value = '';
    drafts.keep(chat.active, '');
    measure();
    chat.atEnd = true;
    void chat.write(written).catch((error) => console.error(error));
    text.focus();
  });
  const focus = () => {
    // On a touch screen, focus would open the keyboard over what was to be read.
    if (matchMedia('(pointer: fine)').matches && !document.querySelector('dialog[open]')) text.focus();
  };
  // Nobody can write before there is a conversation to write to: what was typed would get lost.
  const show = () => {
    const { active, model } = chat;
    form.hidden = !(active?.kind === 'direct' || (active && model.channels.get(active.name)?.joined));
  };
  chat.addEventListener('opened', () => {
    text.value = chat.active ? drafts.read(chat.active) : '';
    show();
    measure();
    focus();
  });
  chat.addEventListener('chosen', focus);
  addEventListener('resize', measure);

  return () => {
    const { active, model } = chat;
    const channel = active?.kind === 'channel' ? model.channels.get(active.name) : undefined;
    show();
    byId('join-bar').hidden = !channel || channel.joined;
    // Files go to a person, over a link; whoever sends them listens to this button.
    byId('attach').hidden = !attachable || active?.kind !== 'direct' || samePeer(active.name, model.me);
    if (channel) setText(byId('join-text'), t('join.text', { channel: channel.name }));
    if (!active) return;
    const label = active.kind === 'channel' ? t('composer.channel', { channel: active.name }) : t('composer.direct', { name: active.name });
    setText(byId('text-label'), label);
    if (text.placeholder !== label) text.placeholder = label;
  };
}
