/**
 * All links of this device, each with what has been agreed about it. Signals come in and go out here; whoever uses the
 * links is told by hooks.
 *
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Signal} Signal
 * @typedef {import('./types.js').Signalling} Signalling
 * @typedef {import('./types.js').Frame} Frame
 * @typedef {import('./types.js').Way} Way
 * @typedef {import('./session.js').Action} Action
 * @typedef {import('./filechannel.js').FileChannel} FileChannel
 *
 * @typedef {'up'|'connecting'|'failed'|'idle'} LinkState   `failed`: tried in vain, and tried again later.
 * @typedef {object} LinkView           A link as a person is shown it.
 * @property {string} peer
 * @property {string} device
 * @property {LinkState} state
 * @property {Way} way
 * @property {number} sent              Bytes.
 * @property {number} received
 *
 * @typedef {object} LinksHooks
 * @property {(to: Remote, session: number, signal: Signal) => Promise<void>} signal
 * @property {() => Promise<RTCIceServer[]>} servers
 * @property {(remote: Remote) => boolean} live        Whether signals reach the device.
 * @property {(remote: Remote, publicKey: string) => void} up
 * @property {(remote: Remote) => void} down
 * @property {(remote: Remote, way: Way) => void} way
 * @property {(remote: Remote, frame: Frame, way: Way) => void} frame
 * @property {(remote: Remote, file: string, channel: FileChannel) => void} file
 * @property {(remote: Remote) => void} refused        The other side could not prove who it is.
 * @property {() => void} changed
 *
 * @typedef {object} Entry
 * @property {Remote} remote
 * @property {Session} session
 * @property {Link|null} link
 * @property {string} publicKey         The other device's, once proven.
 * @property {string} fingerprint       Of one's own offer.
 * @property {Promise<void>} turn       What happens to a link happens in order.
 * @property {Promise<void>} outgoing   And is told in order.
 * @property {number} touched           When it was last wanted.
 * @property {number} heard             When its last signal came.
 */

import { fold } from '../core/names.js';
import { describe, fingerprint, proven } from './proof.js';
import { Link, LinkEnded } from './link.js';
import { offers, Session } from './session.js';

/** Links of one device. */
export const LINKS = 64;
/** Devices about which something is remembered. */
const ENTRIES = 256;
/** A device whose signal came so lately is there, whatever the tracker has told yet. */
const HEARD_MS = 10_000;
/** A link that carried nothing for so long is closed. */
const IDLE_MS = 10 * 60_000;

/** @param {Remote} remote */
export function keyOf({ peer, device }) {
  return `${fold(peer)}|${device}`;
}

export class Links {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Map<string, number>} how many hold the links to a peer */
  #held = new Map();
  #closed = false;
  #me;
  #key;
  #hooks;

  /**
   * @param {Remote} me
   * @param {import('./device.js').DeviceKey} key
   * @param {LinksHooks} hooks
   */
  constructor(me, key, hooks) {
    this.#me = me;
    this.#key = key;
    this.#hooks = hooks;
  }

  /**
   * The links to a peer that are up, or all of them.
   * @param {string} [peer]
   * @returns {import('./types.js').LinkInfo[]}
   */
  up(peer) {
    const wanted = peer === undefined ? null : fold(peer);
    return [...this.#entries.values()]
      .filter(({ remote, link }) => link?.isUp && (wanted === null || remote.peer === wanted))
      .map(({ remote, link }) => ({ remote, way: /** @type {Link} */ (link).way }));
  }

  /**
   * The devices of a peer that are certainly there: linked, or heard from just now.
   * @param {string} peer
   */
  present(peer) {
    const since = performance.now() - HEARD_MS;
    return [...this.#entries.values()].filter(({ remote, link, heard }) => remote.peer === fold(peer) && (link?.isUp || heard > since))
      .map(({ remote }) => remote.device);
  }

  /**
   * @param {Remote} remote
   * @returns {Way|null} null when the link is not up
   */
  way(remote) {
    const link = this.#entries.get(keyOf(remote))?.link;
    return link?.isUp ? link.way : null;
  }

  /**
   * Whether a link was tried in vain since the last one.
   * @param {Remote} remote
   */
  hopeless(remote) {
    const entry = this.#entries.get(keyOf(remote));
    return entry !== undefined && entry.session.failures > 0 && !entry.link?.isUp;
  }

  /** @returns {LinkView[]} */
  views() {
    return [...this.#entries.values()].map(({ remote, session, link }) => {
      const busy = session.phase === 'waiting' || session.phase === 'connecting';
      const state = link?.isUp ? 'up' : session.failures > 0 ? 'failed' : busy ? 'connecting' : 'idle';
      return { ...remote, state, way: link?.way ?? 'direct', sent: link?.sent ?? 0, received: link?.received ?? 0 };
    });
  }

  /**
   * Wants a link to a device, and goes on wanting it until it has idled out.
   * @param {Remote} remote
   */
  want(remote) {
    const entry = this.#entry(remote);
    if (!entry) return;
    entry.touched = performance.now();
    this.#step(entry, (now) => entry.session.want(true, now, this.#live(entry)));
  }

  /**
   * @param {Remote} remote
   * @param {Frame} frame
   * @returns {Promise<void>}
   */
  send(remote, frame) {
    return this.#entries.get(keyOf(remote))?.link?.send(frame) ?? Promise.reject(new Error('there is no link'));
  }

  /**
   * @param {Remote} remote
   * @param {string} file
   * @returns {Promise<FileChannel>}
   */
  openFile(remote, file) {
    return this.#entries.get(keyOf(remote))?.link?.openFile(file) ?? Promise.reject(new Error('there is no link'));
  }

  /**
   * Keeps the links to a peer from idling out.
   * @param {string} peer
   * @returns {() => void} the release
   */
  hold(peer) {
    const key = fold(peer);
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    let released = false;
    return () => {
      if (!released) this.#held.set(key, (this.#held.get(key) ?? 1) - 1);
      released = true;
    };
  }

  /**
   * The network changed, or a device came back: what failed before may work now.
   * @param {string} [peer] whose; everybody's when left out
   */
  refresh(peer) {
    for (const { remote, session } of this.#entries.values()) {
      if (peer === undefined || remote.peer === fold(peer)) session.refresh(Date.now());
    }
  }

  /** Called a few times a second. */
  tick() {
    for (const entry of this.#entries.values()) {
      const { remote, session, link } = entry;
      const idle = performance.now() - Math.max(entry.touched, link?.active ?? 0) > IDLE_MS;
      if (!idle || (this.#held.get(remote.peer) ?? 0) > 0) this.#step(entry, (now) => session.tick(now, this.#live(entry)));
      else if (link) this.#leave(entry);
      else session.wanted = false;
    }
  }

  /**
   * A signal for this device.
   * @param {Signalling} signalling
   */
  receive({ from, from_device: device, session: number, signal }) {
    const remote = { peer: fold(from), device };
    // Whoever is nobody to us yet may call or offer; what belongs to a session that isn't there is dropped.
    const known = this.#entries.get(keyOf(remote));
    const entry = known ?? (signal.kind === 'bye' ? null : this.#entry(remote));
    if (!entry || !Number.isSafeInteger(number) || number < 0) return;
    entry.heard = signal.kind === 'bye' ? -Infinity : performance.now();
    this.#step(entry, async (now) => {
      const { session } = entry;
      if (signal.kind === 'offer' || signal.kind === 'answer') {
        // A stale one costs no proof.
        if (signal.kind === 'answer' && !session.fits(number, 'answer')) return [];
        if ((session.fits(number, signal.kind)) && !(await this.#proven(entry, number, signal))) {
          this.#hooks.refused(remote);
          return signal.kind === 'answer' ? session.failed(now) : [];
        }
        if (session.fits(number, signal.kind)) entry.publicKey = signal.public_key;
      }
      return session.receive(number, signal, now);
    });
  }

  /** Ends all links on purpose: the page is closed, or another tab takes over. */
  close() {
    this.#closed = true;
    for (const entry of this.#entries.values()) this.#goodbye(entry);
    this.#entries.clear();
  }

  /**
   * @param {Entry} entry
   * @param {number} session
   * @param {Signal & {kind: 'offer'|'answer'}} signal
   */
  #proven({ remote, fingerprint: offered }, session, signal) {
    const claim = { role: signal.kind, session, from: remote, to: this.#me, offered };
    return proven(claim, signal, this.#key.verify);
  }

  /**
   * One step of a link's life, after the ones that are under way.
   * @param {Entry} entry
   * @param {(now: number) => Action[]|Promise<Action[]>} step
   */
  #step(entry, step) {
    entry.turn = entry.turn.then(async () => {
      if (this.#gone(entry)) return;
      const actions = await step(Date.now());
      for (const action of actions) await this.#act(entry, action);
      if (actions.length > 0) this.#hooks.changed();
    }).catch((error) => {
      if (this.#gone(entry)) return;
      // A description that this browser can't use, most likely; that a link ends on the way is nothing to report.
      if (!(error instanceof LinkEnded)) console.error(error);
      this.#drop(entry);
      entry.session.failed(Date.now());
      this.#hooks.changed();
    });
  }

  /**
   * @param {Entry} entry
   * @param {Action} action
   */
  async #act(entry, action) {
    switch (action.do) {
      case 'call':
        return this.#tell(entry, action.session, { kind: 'call' });
      case 'close':
        return this.#drop(entry);
      case 'candidate':
        return entry.link?.addCandidate(action.candidate);
      case 'offer': {
        const { link, flush } = await this.#make(entry, action.session);
        const sdp = await link.offer();
        entry.fingerprint = fingerprint(sdp) ?? '';
        const claim = { role: /** @type {const} */ ('offer'), session: action.session, from: this.#me, to: entry.remote };
        const description = await describe(claim, sdp, this.#key);
        this.#tell(entry, action.session, { kind: 'offer', ...description });
        return flush();
      }
      case 'answer': {
        const { link, flush } = await this.#make(entry, action.session);
        const sdp = await link.answer(action.description.sdp);
        const offered = fingerprint(action.description.sdp) ?? '';
        const claim = { role: /** @type {const} */ ('answer'), session: action.session, from: this.#me, to: entry.remote, offered };
        const description = await describe(claim, sdp, this.#key);
        this.#tell(entry, action.session, { kind: 'answer', ...description });
        flush();
        for (const candidate of action.candidates) await link.addCandidate(candidate);
        return undefined;
      }
      case 'accept':
        await entry.link?.accept(action.description.sdp);
        for (const candidate of action.candidates) await entry.link?.addCandidate(candidate);
    }
    return undefined;
  }

  /**
   * @param {Entry} entry
   * @param {number} session
   * @returns {Promise<{link: Link, flush: () => void}>} `flush` lets candidates go: none goes before its description
   */
  async #make(entry, session) {
    this.#drop(entry);
    const servers = await this.#hooks.servers();
    if (this.#gone(entry)) throw new Error('the link is not wanted any more');
    /** @type {string[]|null} */
    let held = [];
    const tell = (/** @type {string} */ candidate) => void this.#tell(entry, session, { kind: 'candidate', candidate });
    const link = new Link(servers, {
      candidate: (candidate) => (held ? void held.push(candidate) : tell(candidate)),
      up: () => {
        if (entry.link !== link) return;
        entry.session.up();
        this.#hooks.up(entry.remote, entry.publicKey);
        this.#hooks.changed();
      },
      way: (way) => {
        if (entry.link === link) this.#hooks.way(entry.remote, way);
      },
      frame: (frame) => this.#hooks.frame(entry.remote, frame, link.way),
      file: (file, channel) => this.#hooks.file(entry.remote, file, channel),
      down: (why) => this.#step(entry, (now) => {
        if (entry.link !== link) return [];
        if (why === 'bye') return entry.session.receive(session, { kind: 'bye' }, now);
        // What broke the rules once would do so again.
        return why === 'lost' && entry.session.phase === 'up' ? entry.session.lost(now) : entry.session.failed(now);
      }),
    });
    entry.link = link;
    const flush = () => {
      const waiting = held ?? [];
      held = null;
      waiting.forEach(tell);
    };
    return { link, flush };
  }

  /** @param {Entry} entry */
  #drop(entry) {
    const { link } = entry;
    if (!link) return;
    entry.link = null;
    const told = link.wasUp;
    link.close();
    if (told) this.#hooks.down(entry.remote);
  }

  /** @param {Entry} entry */
  #live({ remote, heard }) {
    return this.#hooks.live(remote) || heard > performance.now() - HEARD_MS;
  }

  /**
   * Whether an entry was let go of while something was still under way for it.
   * @param {Entry} entry
   */
  #gone(entry) {
    return this.#closed || this.#entries.get(keyOf(entry.remote)) !== entry;
  }

  /** @param {Entry} entry whose link isn't needed any more */
  #leave(entry) {
    this.#step(entry, () => {
      this.#goodbye(entry);
      return [];
    });
  }

  /** @param {Entry} entry */
  #goodbye(entry) {
    const { session } = entry;
    if (session.number > 0) this.#tell(entry, session.number, { kind: 'bye' });
    session.wanted = false;
    session.receive(session.number, { kind: 'bye' }, Date.now());
    this.#drop(entry);
    this.#hooks.changed();
  }

  /**
   * @param {Entry} entry
   * @param {number} session
   * @param {Signal} signal
   */
  #tell(entry, session, signal) {
    // What gets lost is repeated: by the session's own timers.
    entry.outgoing = entry.outgoing.then(() => this.#hooks.signal(entry.remote, session, signal)).catch(() => undefined);
  }

  /**
   * @param {Remote} remote
   * @returns {Entry|null} null when there are too many links already
   */
  #entry(remote) {
    const key = keyOf(remote);
    const known = this.#entries.get(key);
    if (known) return known;
    if (key === keyOf(this.#me) || !this.#makeRoom()) return null;
    /** @type {Entry} */
    const entry = {
      remote: { peer: fold(remote.peer), device: remote.device }, session: new Session(offers(this.#me, remote)), link: null,
      publicKey: '', fingerprint: '', turn: Promise.resolve(), outgoing: Promise.resolve(), touched: performance.now(), heard: -Infinity,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Whether one more link may begin; the one that has been idle for longest makes way. */
  #makeRoom() {
    const linked = [...this.#entries.values()].filter((entry) => entry.link);
    const free = [...this.#entries.values()].filter((entry) => !entry.link && entry.session.phase === 'idle');
    if (this.#entries.size >= ENTRIES && free.length === 0) return false;
    if (this.#entries.size >= ENTRIES) this.#entries.delete(keyOf(free[0].remote));
    if (linked.length < LINKS) return true;
    const idlest = linked.filter(({ remote }) => (this.#held.get(remote.peer) ?? 0) === 0)
      .sort((one, other) => (one.link?.active ?? 0) - (other.link?.active ?? 0))[0];
    if (!idlest) return false;
    this.#leave(idlest);
    return true;
  }
}
