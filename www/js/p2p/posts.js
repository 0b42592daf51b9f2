/**
 * Channel messages that go over links beside the tracker's log, and are shown until the log has them.
 *
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Frame} Frame
 * @typedef {Omit<import('../core/model.js').Post, 'until'>} Post
 * @typedef {{channel: string, post: Post}} Posted
 */

import { POST_MS, spelling, takePost, tidyPosts } from '../core/model.js';
import { byteLength, isChannelName, MESSAGE_BYTES } from '../core/names.js';
import { isMessageId } from './inbox.js';

export class Posts {
  #chat;
  #taken;

  /**
   * @param {import('../app/chat.js').Chat} chat
   * @param {(posted: Posted) => void} taken   Other tabs show it too.
   */
  constructor(chat, taken) {
    this.#chat = chat;
    this.#taken = taken;
  }

  /**
   * From a link.
   * @param {Remote} remote
   * @param {Frame} frame
   */
  async receive(remote, { id, channel, message, timestamp }) {
    const fits = isMessageId(id) && typeof channel === 'string' && isChannelName(channel) && typeof message === 'string'
      && message !== '' && byteLength(message) <= MESSAGE_BYTES && typeof timestamp === 'string' && !Number.isNaN(Date.parse(timestamp));
    const { model, sync } = this.#chat;
    const state = fits ? model.channels.get(channel) : undefined;
    if (!state?.joined) return;
    // Who is in a channel is asked for when it is opened first.
    if (state.members === null) await sync.members(channel);
    const posted = { channel, post: { id, from: spelling(model, remote.peer), message, timestamp } };
    this.#taken(posted);
    this.show(posted);
  }

  /**
   * From a link of this tab, or another one's.
   * @param {Posted} posted
   */
  show({ channel, post }) {
    takePost(this.#chat.model, channel, post, Date.now());
    this.#chat.changed();
    setTimeout(() => tidyPosts(this.#chat.model, Date.now()) && this.#chat.changed(), POST_MS + 50);
  }
}
