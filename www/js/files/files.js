/**
 * Files as the page has them: the leading tab runs the transfers, every tab shows them and hands over what the person
 * wants. An EventTarget: `changed` when something else than bytes changed, `moved` when bytes did, `news` (CustomEvent,
 * `detail` a `Shown`) when somebody offers a file or a transfer has ended.
 *
 * @typedef {import('./shown.js').Shown} Shown
 * @typedef {import('./tabs.js').Wish} Wish
 */

import { fold } from '../core/names.js';
import { outKey, underWay } from '../p2p/files/transfer.js';
import { fileId, Transfers } from '../p2p/files/transfers.js';
import { shorten } from '../p2p/files/names.js';
import { digestOf } from './digest.js';
import { flows, shown } from './shown.js';
import { fileStore, wholeOf } from './store.js';
import { FileTabs } from './tabs.js';

/** Bytes that moved are told no more often than this. */
const MOVED_MS = 250;
/** What is saved stays this long, for a download that takes its time or that the person wants twice. */
const SAVED_MS = 10 * 60_000;
/** More than the file itself is needed: for the browser's own records. */
const SPARE_BYTES = 4 * 1024 * 1024;

export class Files extends EventTarget {
  #chat;
  #store;
  #tabs;
  /** @type {Transfers|null} in the leading tab */
  #transfers = null;
  /** @type {Map<string, Shown>} by key */
  #shown = new Map();
  /** What the person chose in this page, by the keys of its transfers. @type {Map<string, File>} */
  #chosen = new Map();
  #telling = false;
  #moving = 0;
  /** Offers for which there was no room. @type {Set<string>} */
  #noRoom = new Set();

  /** @param {import('../app/chat.js').Chat} chat */
  constructor(chat) {
    super();
    this.#chat = chat;
    this.#store = fileStore(chat.store.db);
    this.#tabs = new FileTabs(chat.model.me, {
      leading: () => this.#transfers !== null,
      asked: () => this.#tabs.all([...this.#shown.values()]),
      told: (list, all) => this.#told(list, all),
      news: (one) => this.#news(one),
      needed: (keys) => this.#handOver(keys),
      wished: (wish) => this.#do(wish),
    });
    chat.p2p.addEventListener('leader', () => this.#leader());
    chat.addEventListener('change', () => this.#reach());
    addEventListener('beforeunload', (event) => {
      // A page that is reloaded loses the files that it was sending.
      if (this.#transfers && [...this.#shown.values()].some((one) => one.dir === 'out' && one.phase === 'moving')) event.preventDefault();
    });
    this.#leader();
  }

  // --- the leading tab -----------------------------------------------------------------------------

  #leader() {
    const { isLeader } = this.#chat.p2p;
    if (isLeader === (this.#transfers !== null)) return;
    if (!isLeader) {
      this.#transfers?.stop();
      this.#transfers = null;
      return;
    }
    const transfers = this.#transfers = new Transfers({
      p2p: this.#chat.p2p,
      store: this.#store,
      sha256: digestOf,
      now: Date.now,
      random: Math.random,
      stamp: () => this.#chat.p2p.stamp(),
      later: (ms, work) => {
        const timer = setTimeout(work, ms);
        return () => clearTimeout(timer);
      },
      spelling: (peer) => this.spelling(peer),
      devices: (peer) => this.#devices(peer),
      changed: () => this.#changed(),
      moved: () => this.#moved(),
      news: (transfer) => {
        const one = shown(transfers, transfer, Date.now());
        this.#changed();
        this.#tabs.news(one);
        this.#news(one);
      },
    });
    void transfers.start().then(() => {
      if (this.#transfers !== transfers) return;
      for (const one of transfers.all()) if (one.dir === 'in' && one.saved && one.held) transfers.free(one.key);
      this.#tabs.leads();
      const lost = transfers.lost();
      this.#handOver(lost);
      this.#tabs.needs(lost);
      this.#changed();
    });
  }

  /** @param {string} peer */
  #devices(peer) {
    const live = this.#chat.model.peers.get(fold(peer))?.devices ?? [];
    return [...new Set([...live, ...this.#chat.p2p.links(peer).map((link) => link.remote.device)])];
  }

  /** @type {Map<string, string>} */
  #wanted = new Map();

  /** Wants links to those who are there again and whom a transfer waits for. */
  #reach() {
    if (!this.#transfers) return;
    const peers = new Set(this.#transfers.all().filter((one) => underWay(one) && (one.dir === 'out' || one.stage === 'accepted')).map((one) => one.peer));
    for (const peer of peers) {
      const live = this.#devices(peer).sort().join();
      if (live === this.#wanted.get(peer)) continue;
      this.#wanted.set(peer, live);
      if (live !== '') this.#chat.p2p.connect(peer);
    }
  }

  #changed() {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      if (!this.#transfers) return;
      const now = Date.now();
      const list = this.#transfers.all().map((one) => shown(/** @type {Transfers} */ (this.#transfers), one, now));
      this.#tabs.all(list);
      this.#told(list, true);
      this.#reach();
    });
  }

  #moved() {
    if (this.#moving !== 0) return;
    this.#moving = window.setTimeout(() => {
      this.#moving = 0;
      const transfers = this.#transfers;
      if (!transfers) return;
      const list = transfers.all().filter(underWay).map((one) => shown(transfers, one, Date.now())).filter(flows);
      this.#tabs.some(list);
      this.#told(list, false);
      // Without a byte for a while the speed must fall as well.
      if (list.length > 0) this.#moved();
    }, MOVED_MS);
  }

  /** @param {Wish} wish */
  #do(wish) {
    const transfers = this.#transfers;
    if (!transfers) return;
    switch (wish.do) {
      case 'send':
        return void transfers.send(wish.peer, sourceOf(wish.file));
      case 'accept':
        return transfers.accept(wish.key);
      case 'decline':
        return transfers.decline(wish.key);
      case 'refuse':
        return transfers.decline(wish.key, 'no_space');
      case 'cancel':
        return transfers.cancel(wish.key);
      case 'saved':
        transfers.saved(wish.key);
        setTimeout(() => this.#transfers?.get(wish.key)?.saved && this.#transfers.free(wish.key), SAVED_MS);
        return;
      case 'free':
        return transfers.free(wish.key);
      case 'dismiss':
        return transfers.dismiss(wish.key);
    }
  }

  // --- every tab -----------------------------------------------------------------------------------

  /**
   * @param {Shown[]} list
   * @param {boolean} all
   */
  #told(list, all) {
    if (all) this.#shown.clear();
    for (const one of list) this.#shown.set(one.key, one);
    this.dispatchEvent(new Event(all ? 'changed' : 'moved'));
  }

  /** @param {Shown} one */
  #news(one) {
    this.dispatchEvent(new CustomEvent('news', { detail: one }));
  }

  /**
   * Hands the leader the files that were chosen in this tab.
   * @param {string[]} keys
   */
  #handOver(keys) {
    for (const key of keys) {
      const file = this.#chosen.get(key);
      const peer = this.#shown.get(key)?.peer ?? this.#transfers?.get(key)?.peer;
      if (file && peer) this.#tabs.wish({ do: 'send', key, peer, file });
    }
  }

  all() {
    return [...this.#shown.values()];
  }

  /** @param {string} key */
  get(key) {
    return this.#shown.get(key);
  }

  /** @param {string} peer */
  with(peer) {
    const wanted = fold(peer);
    return this.all().filter((one) => one.peer === wanted);
  }

  /** @param {string} peer */
  spelling(peer) {
    return this.#chat.model.peers.get(fold(peer))?.peer_id ?? peer;
  }

  /** @param {string} peer */
  isOnline(peer) {
    return this.#chat.model.peers.get(fold(peer))?.online === true;
  }

  /**
   * Offers a file to a person.
   * @param {string} peer
   * @param {File} file
   * @param {string|null} [expected]   The key of the transfer that waits for this very file.
   * @returns {Promise<'sent'|'already'|'another'|'unreadable'>}
   */
  async send(peer, file, expected = null) {
    try {
      // A folder, or what has gone meanwhile.
      await file.slice(0, 1).arrayBuffer();
    } catch {
      return 'unreadable';
    }
    const key = outKey(await fileId(digestOf, peer, shorten(file.name || 'file'), file.size, file.lastModified));
    if (expected !== null && key !== expected) return 'another';
    const known = this.#shown.get(key);
    if (known && underWay(known) && known.phase !== 'lost') return 'already';
    this.#chosen.set(key, file);
    this.#tabs.wish({ do: 'send', key, peer, file });
    return 'sent';
  }

  /**
   * Whether what a transfer sends is at hand in this page, so that it can be sent again without being chosen again.
   * @param {string} key
   */
  has(key) {
    return this.#chosen.has(key);
  }

  /** @param {string} key */
  again(key) {
    const file = this.#chosen.get(key);
    const one = this.#shown.get(key);
    if (file && one) this.#tabs.wish({ do: 'send', key, peer: one.peer, file });
  }

  /**
   * Takes an offer, if there is room.
   * @param {string} key
   * @returns {Promise<{needed: number, free: number}|null>} null: taken
   */
  async accept(key) {
    const one = this.#shown.get(key);
    if (!one) return null;
    let free = await freeBytes();
    if (free < one.size + SPARE_BYTES) {
      for (const other of this.all()) if (other.saved && other.held) this.#tabs.wish({ do: 'free', key: other.key });
      free = await freeBytes();
    }
    if (free < one.size + SPARE_BYTES) {
      this.#noRoom.add(key);
      return { needed: one.size, free };
    }
    this.#tabs.wish({ do: 'accept', key });
    return null;
  }

  /** @param {string} key */
  decline(key) {
    this.#tabs.wish({ do: this.#noRoom.has(key) ? 'refuse' : 'decline', key });
  }

  /** @param {string} key */
  cancel(key) {
    this.#tabs.wish({ do: 'cancel', key });
  }

  /** @param {string} key */
  free(key) {
    this.#tabs.wish({ do: 'free', key });
  }

  /** @param {string} key */
  dismiss(key) {
    this.#chosen.delete(key);
    this.#tabs.wish({ do: 'dismiss', key });
  }

  /** @param {string} key */
  saved(key) {
    this.#tabs.wish({ do: 'saved', key });
  }

  /**
   * What came, as one Blob on this browser's disk.
   * @param {Shown} one
   * @param {string} type   The media type that it has.
   * @returns {Promise<Blob|null>}
   */
  whole(one, type) {
    return wholeOf(this.#store, one, type).catch(() => null);
  }

  /** Whether what is received outlives the page. */
  get durable() {
    return this.#store.durable;
  }
}

/**
 * @param {File} file
 * @returns {import('../p2p/files/outgoing.js').Source & {name: string, type: string, lastModified: number}}
 */
function sourceOf(file) {
  const { name, size, type, lastModified } = file;
  return { name, size, type, lastModified, read: async (start, end) => new Uint8Array(await file.slice(start, end).arrayBuffer()) };
}

/** What this browser may still keep; browsers tell on https and localhost only. */
async function freeBytes() {
  try {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined ? Infinity : quota - (usage ?? 0);
  } catch {
    return Infinity;
  }
}
