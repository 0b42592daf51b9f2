/**
 * All file transfers of this device: takes what the links bring, and hands it to the side that sends or the side that
 * receives. One tab does this for all (the leader); the others ask it.
 *
 * @typedef {import('../types.js').Peers} Peers
 * @typedef {import('../types.js').Remote} Remote
 * @typedef {import('./transfer.js').Transfer} Transfer
 * @typedef {import('./book.js').PieceStore} PieceStore
 *
 * @typedef {'offer'|'asking'|'away'|'turn'|'idle'|'moving'|'checking'|'lost'} Phase
 *   What a transfer under way does: the person is asked; the other side is asked; the other side isn't there; others
 *   come first; the other side is there and doesn't go on; bytes flow; what came is being checked; the sender's page was
 *   reloaded and doesn't have the file any more.
 *
 * @typedef {object} Now
 * @property {Phase} phase
 * @property {number} moved        Bytes from the start.
 * @property {import('./rate.js').Rate|null} rate
 * @property {string} device       The other side's, if known.
 *
 * @typedef {object} World         What the transfers need from around them.
 * @property {Peers & EventTarget} p2p
 * @property {PieceStore} store
 * @property {Book} book
 * @property {(bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>} sha256
 * @property {() => number} now                     Milliseconds since 1970.
 * @property {() => number} random
 * @property {() => string} stamp                   A timestamp that no other message of this device has.
 * @property {(ms: number, work: () => void) => () => void} later   Gives back how to call it off.
 * @property {(peer: string) => string} spelling    A peer id as its owner writes it.
 * @property {(peer: string) => string[]} devices   A peer's live devices.
 * @property {(remote: Remote) => Transfer['way']} way
 * @property {() => void} changed                   Something else than bytes.
 * @property {() => void} moved                     Bytes.
 * @property {(transfer: Transfer) => void} news    An offer came, or something ended.
 *
 * @typedef {Omit<World, 'book'|'way'>} Surroundings
 */

import { fold, samePeer } from '../../core/names.js';
import { Book } from './book.js';
import { Receivers } from './receivers.js';
import { Senders } from './senders.js';
import { shorten } from './names.js';
import { outKey, underWay } from './transfer.js';
import { fileStatement, readFrame, toHex } from './wire.js';

/**
 * @param {Surroundings['sha256']} sha256
 * @param {string} to
 * @param {string} name
 * @param {number} size
 * @param {number} modified milliseconds since 1970
 */
export async function fileId(sha256, to, name, size, modified) {
  const bytes = /** @type {Uint8Array<ArrayBuffer>} */ (new TextEncoder().encode(fileStatement(to, name, size, modified)));
  return toHex(await sha256(bytes)).slice(0, 32);
}

export class Transfers {
  #around;
  #book;
  #senders;
  #receivers;
  #ready = Promise.resolve();
  #off = new AbortController();

  /** @param {Surroundings} around */
  constructor(around) {
    this.#around = around;
    this.#book = new Book(around.store, around.changed);
    const world = { ...around, book: this.#book, way: (/** @type {Remote} */ remote) => this.#way(remote) };
    this.#senders = new Senders(world);
    this.#receivers = new Receivers(world);
  }

  /**
   * What goes over a link goes another way from now on.
   * @param {Remote} remote
   * @param {Transfer['way']} way
   */
  #turned(remote, way) {
    for (const transfer of this.#book.all()) {
      const flows = transfer.peer === remote.peer && transfer.device === remote.device && this.now(transfer)?.rate;
      if (flows) void this.#book.update(transfer, { way });
    }
  }

  /** @param {Remote} remote */
  #way({ peer, device }) {
    return this.#around.p2p.links(peer).find((link) => link.remote.device === device)?.way ?? '';
  }

  /** Reads what was kept. What the links bring meanwhile waits. */
  async start() {
    const { p2p } = this.#around;
    this.#ready = this.#book.restore().catch(() => undefined);
    this.#listen('frame', ({ remote, frame }) => this.#frame(remote, frame));
    this.#listen('filechannel', ({ remote, file, channel }) => this.#receivers.opened(remote, file, channel));
    this.#listen('up', ({ remote }) => this.#senders.up(remote));
    this.#listen('way', ({ remote, way }) => this.#turned(remote, way));
    this.#listen('down', ({ remote }) => {
      this.#senders.down(remote);
      this.#receivers.down(remote);
    });
    for (const type of ['up', 'down', 'way']) this.#listen(type, () => this.#around.changed());
    await this.#ready;
    if (this.#off.signal.aborted) return;
    this.#receivers.restore();
    for (const peer of new Set(this.#book.all().map((transfer) => transfer.peer))) for (const { remote } of p2p.links(peer)) this.#senders.meet(remote);
    this.#around.changed();
  }

  /**
   * @param {string} type
   * @param {(detail: any) => void} listener
   */
  #listen(type, listener) {
    const { signal } = this.#off;
    this.#around.p2p.addEventListener(type, (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      void this.#ready.then(() => signal.aborted || listener(detail));
    }, { signal });
  }

  /** Lets go of all channels: another tab does this from now on. */
  stop() {
    this.#off.abort();
    this.#senders.stop();
    this.#receivers.stop();
  }

  /**
   * @param {Remote} remote
   * @param {unknown} given
   */
  #frame(remote, given) {
    const frame = readFrame(given);
    if (!frame) return;
    switch (frame.t) {
      case 'file_offer':
        if (samePeer(frame.to, this.#around.p2p.me)) this.#receivers.offered(remote, frame);
        return;
      case 'file_accept':
        return void this.#senders.accepted(remote, frame);
      case 'file_decline':
        return void this.#senders.declined(remote, frame);
      case 'file_cancel':
        this.#senders.cancelled(remote, frame);
        return this.#receivers.cancelled(remote, frame);
      case 'file_done':
        return this.#senders.done(remote, frame);
    }
  }

  /**
   * Sends a file.
   * @param {string} peer
   * @param {{name: string, type: string, lastModified: number} & import('./outgoing.js').Source} file
   * @param {string|null} [expected]   The key of the transfer that waits for this very file.
   * @returns {Promise<'sent'|'already'|'another'>}
   */
  async send(peer, file, expected = null) {
    const name = shorten(file.name || 'file');
    const id = await fileId(this.#around.sha256, peer, name, file.size, file.lastModified);
    if (expected !== null && expected !== outKey(id)) return 'another';
    await this.#ready;
    const what = { file: id, peer: fold(peer), name, size: file.size, mime: file.type };
    return this.#senders.send(what, file) ? 'sent' : 'already';
  }

  /** @param {string} key */
  accept(key) {
    this.#receivers.accept(key);
  }

  /**
   * @param {string} key
   * @param {import('./wire.js').DeclineReason} [reason]
   */
  decline(key, reason) {
    this.#receivers.decline(key, reason);
  }

  /** @param {string} key */
  cancel(key) {
    if (this.#book.get(key)?.dir === 'out') this.#senders.cancel(key);
    else this.#receivers.cancel(key);
  }

  /**
   * The person has what came, elsewhere.
   * @param {string} key
   */
  saved(key) {
    const transfer = this.#book.get(key);
    if (transfer?.stage === 'done' && transfer.dir === 'in') void this.#book.update(transfer, { saved: true });
  }

  /**
   * Frees what this device keeps of a file.
   * @param {string} key
   */
  free(key) {
    const transfer = this.#book.get(key);
    if (transfer && !underWay(transfer) && transfer.held) void this.#book.free(transfer);
  }

  /**
   * Takes an ended transfer out of sight, with all that is kept of it.
   * @param {string} key
   */
  dismiss(key) {
    const transfer = this.#book.get(key);
    if (transfer && !underWay(transfer)) void this.#book.remove(transfer);
  }

  all() {
    return this.#book.all();
  }

  /** @param {string} key */
  get(key) {
    return this.#book.get(key);
  }

  /**
   * What a transfer under way does just now; null for an ended one.
   * @param {Transfer} transfer
   * @returns {Now|null}
   */
  now(transfer) {
    if (!underWay(transfer)) return null;
    return transfer.dir === 'out' ? this.#senders.view(transfer) : this.#receivers.view(transfer);
  }

  /**
   * Outgoing transfers whose file this tab doesn't have.
   * @returns {string[]} their keys
   */
  lost() {
    return this.all().filter((one) => one.dir === 'out' && underWay(one) && !this.#senders.has(one.key)).map((one) => one.key);
  }
}
