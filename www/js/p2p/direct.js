/**
 * Bringing direct messages to the devices of their receiver: to each that is there, again on each new link until it is
 * acknowledged, and to the mailbox when that takes too long. Time is passed in; links are asked for and used by hooks.
 *
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Way} Way
 * @typedef {import('./types.js').TextFrame} TextFrame
 *
 * @typedef {object} Written
 * @property {string} id
 * @property {string} to
 * @property {string} message
 * @property {boolean} reached          A device of the receiver has it already.
 *
 * @typedef {object} Reached            The first device has it.
 * @property {Way|null} way             null when that was known before.
 * @property {string} timestamp
 * @property {Promise<boolean>} missed  Whether a device is left that has to get it by the mailbox.
 *
 * @typedef {object} Pending
 * @property {TextFrame} frame
 * @property {string} peer              Folded.
 * @property {number} deadline
 * @property {Set<string>} acked        Devices.
 * @property {Set<string>} refused
 * @property {boolean} reached
 * @property {(reached: Reached|null) => void} resolve
 * @property {(missed: boolean) => void} finish
 * @property {Promise<boolean>} missed
 *
 * @typedef {{frame: TextFrame, until: number}} Copy
 *
 * @typedef {object} DirectHooks
 * @property {(peer: string) => Remote[]} devices      The peer's devices that are live or linked; of one's own the other ones.
 * @property {(remote: Remote) => Way|null} way        null when there is no link.
 * @property {(remote: Remote) => boolean} hopeless    A link was tried in vain.
 * @property {(remote: Remote) => void} want
 * @property {(remote: Remote, frame: TextFrame) => void} send
 * @property {() => string} stamp
 */

import { fold } from '../core/names.js';

/** A device that has not acknowledged a message after so long gets it by the mailbox. */
export const PATIENCE_MS = 5000;
/** A copy for an own device waits so long for its link. */
const COPY_MS = 60_000;
const COPIES = 512;

export class Direct {
  /** @type {Map<string, Pending>} in the order of writing */
  #pending = new Map();
  /** @type {Map<string, Set<string>>} by peer: what the mailbox is just being given */
  #mailing = new Map();
  /** @type {Map<string, Map<string, Copy>>} by own device, then by id */
  #copies = new Map();
  #me;
  #hooks;

  /**
   * @param {string} me
   * @param {DirectHooks} hooks
   */
  constructor(me, hooks) {
    this.#me = fold(me);
    this.#hooks = hooks;
  }

  /**
   * @param {Written} written
   * @param {number} now
   * @returns {Promise<Reached|null>} null when the mailbox has to take it; `mailed` tells the end of that
   */
  deliver({ id, to, message, reached }, now) {
    const peer = fold(to);
    const devices = this.#hooks.devices(peer);
    /** @type {TextFrame} */
    const frame = { t: 'text', id, to, message, timestamp: this.#hooks.stamp() };
    if (devices.length === 0 || peer === this.#me) {
      if (!reached) this.#toMailbox(peer, id);
      return Promise.resolve(reached ? { way: null, timestamp: frame.timestamp, missed: Promise.resolve(false) } : null);
    }
    for (const device of devices) this.#hooks.want(device);
    this.#copy(frame, now);
    return new Promise((resolve) => {
      /** @type {(missed: boolean) => void} */
      let finish = () => undefined;
      const missed = new Promise((/** @type {(missed: boolean) => void} */ done) => {
        finish = done;
      });
      const pending = { frame, peer, deadline: now + PATIENCE_MS, acked: new Set(), refused: new Set(), reached: false, resolve, finish, missed };
      this.#pending.set(id, pending);
      for (const device of devices) if (this.#hooks.way(device)) this.#hooks.send(device, frame);
      if (reached) this.#reach(pending, null);
      this.#settle(pending, now);
    });
  }

  /**
   * Whether messages to a peer are just going to the mailbox: the ones behind them must not overtake them by a link.
   * @param {string} peer
   */
  mailing(peer) {
    return this.#mailing.has(fold(peer));
  }

  /**
   * The mailbox has it, or doesn't take it.
   * @param {string} peer
   * @param {string} id
   */
  mailed(peer, id) {
    const ids = this.#mailing.get(fold(peer));
    ids?.delete(id);
    if (ids?.size === 0) this.#mailing.delete(fold(peer));
  }

  /**
   * A link is up: what its device has not acknowledged goes out, in order.
   * @param {Remote} remote
   */
  up(remote) {
    if (remote.peer === this.#me) {
      for (const { frame } of this.#copies.get(remote.device)?.values() ?? []) this.#hooks.send(remote, frame);
      return;
    }
    for (const { peer, frame, acked } of this.#pending.values()) {
      if (peer === remote.peer && !acked.has(remote.device)) this.#hooks.send(remote, frame);
    }
  }

  /**
   * @param {Remote} remote
   * @param {string[]} ids
   * @param {Way} way
   * @param {number} now
   */
  acked(remote, ids, way, now) {
    if (remote.peer === this.#me) {
      for (const id of ids) this.#copies.get(remote.device)?.delete(id);
      return;
    }
    for (const id of ids) {
      const pending = this.#pending.get(id);
      if (pending?.peer !== remote.peer) continue;
      pending.acked.add(remote.device);
      this.#reach(pending, way);
      this.#settle(pending, now);
    }
  }

  /**
   * A device can't take a message: it is as if it were not there.
   * @param {Remote} remote
   * @param {string} id
   * @param {number} now
   */
  refused(remote, id, now) {
    this.#copies.get(remote.device)?.delete(id);
    const pending = this.#pending.get(id);
    if (pending?.peer !== remote.peer) return;
    pending.refused.add(remote.device);
    this.#settle(pending, now);
  }

  /**
   * Called a few times a second, and when devices came or went.
   * @param {number} now
   */
  tick(now) {
    for (const [id, pending] of [...this.#pending]) if (this.#pending.has(id)) this.#settle(pending, now);
    for (const [device, copies] of this.#copies) {
      for (const [id, { until }] of copies) if (until <= now) copies.delete(id);
      if (copies.size === 0) this.#copies.delete(device);
    }
  }

  /** Another tab takes over, and with it everything that is under way. */
  drop() {
    for (const pending of this.#pending.values()) {
      pending.resolve(null);
      pending.finish(false);
    }
    this.#pending.clear();
    this.#mailing.clear();
    this.#copies.clear();
  }

  /**
   * @param {Pending} pending
   * @param {Way|null} way
   */
  #reach(pending, way) {
    if (pending.reached) return;
    pending.reached = true;
    pending.resolve({ way, timestamp: pending.frame.timestamp, missed: pending.missed });
  }

  /**
   * Ends what needs no more waiting.
   * @param {Pending} pending
   * @param {number} now
   */
  #settle(pending, now) {
    const { peer, acked, refused, reached, deadline } = pending;
    const open = this.#hooks.devices(peer).filter(({ device }) => !acked.has(device));
    const hoped = open.filter((remote) => !refused.has(remote.device) && !this.#hooks.hopeless(remote));
    // Waiting may still help.
    if (hoped.length > 0 && now < deadline) return;
    this.#pending.delete(pending.frame.id);
    if (reached) {
      pending.finish(open.length > 0);
      return;
    }
    this.#giveUp(pending);
    // What was written after it goes the same way, or it would be there before.
    for (const later of [...this.#pending.values()]) {
      if (later.peer === peer && !later.reached && later.frame.timestamp > pending.frame.timestamp) {
        this.#pending.delete(later.frame.id);
        this.#giveUp(later);
      }
    }
  }

  /** @param {Pending} pending */
  #giveUp({ peer, frame, resolve }) {
    this.#toMailbox(peer, frame.id);
    resolve(null);
  }

  /**
   * @param {string} peer
   * @param {string} id
   */
  #toMailbox(peer, id) {
    const ids = this.#mailing.get(peer) ?? new Set();
    this.#mailing.set(peer, ids.add(id));
  }

  /**
   * @param {TextFrame} frame
   * @param {number} now
   */
  #copy(frame, now) {
    for (const remote of this.#hooks.devices(this.#me)) {
      const copies = this.#copies.get(remote.device) ?? new Map();
      this.#copies.set(remote.device, copies);
      copies.set(frame.id, { frame, until: now + COPY_MS });
      const [oldest] = copies.keys();
      if (copies.size > COPIES) copies.delete(oldest);
      this.#hooks.want(remote);
      if (this.#hooks.way(remote)) this.#hooks.send(remote, frame);
    }
  }
}
