/**
 * All files on their way in: what is offered, what the person wants, what comes now and what waits for its turn.
 *
 * Nothing is taken without the person's word. Once given it holds for the file: after a reconnection or a reload the
 * sender's next offer is answered by itself, with the byte to go on from.
 *
 * @typedef {import('../types.js').Remote} Remote
 * @typedef {import('../types.js').FileChannel} FileChannel
 * @typedef {import('./transfer.js').Transfer} Transfer
 * @typedef {import('./transfers.js').World} World
 * @typedef {import('./wire.js').FileOffer} FileOffer
 *
 * @typedef {object} Session        A file's channel and what comes over it.
 * @property {Remote} remote
 * @property {FileChannel} channel
 * @property {Incoming|null} incoming
 * @property {number} moved
 * @property {Rate} rate
 *
 * @typedef {object} Job            An offer that waits for the person, or a transfer under way.
 * @property {Transfer} transfer
 * @property {Map<string, Remote>} offers    Devices that offer it over links that are up.
 * @property {Uint8Array[]|null} digests     Of the pieces that are here; null until they are checked against the disk.
 * @property {Promise<void>|null} checking
 * @property {Remote|null} granted           Who was told to send, until the channel is there.
 * @property {number} grantedAt
 * @property {Session|null} session
 * @property {Promise<void>} settled         What came over earlier channels is stored.
 * @property {(() => void)|null} release     Lets go of the link.
 */

import { Incoming } from './incoming.js';
import { safeName } from './names.js';
import { Rate } from './rate.js';
import { inKey, newIncoming, underWay } from './transfer.js';
import { AT_ONCE, bytesOf, OFFERS_OPEN, pieceCount } from './wire.js';

/** A sender that was told to begin and doesn't, for want of a turn of its own, holds up others no longer than this. */
const GRANT_MS = 30_000;

export class Receivers {
  #world;
  /** @type {Map<string, Job>} in the order in which they came */
  #jobs = new Map();
  /** Pieces of ended transfers on their way out, by key. @type {Map<string, Promise<void>>} */
  #clearing = new Map();

  /** @param {World} world */
  constructor(world) {
    this.#world = world;
  }

  /** Goes on with what an earlier page left. */
  restore() {
    for (const transfer of this.#world.book.all()) {
      if (transfer.dir !== 'in' || !underWay(transfer) || this.#jobs.has(transfer.key)) continue;
      const job = this.#job(transfer, null);
      if (transfer.stage === 'accepted') this.#want(job);
    }
  }

  /**
   * @param {Transfer} transfer
   * @param {Uint8Array[]|null} digests
   * @returns {Job}
   */
  #job(transfer, digests) {
    const job = {
      transfer, offers: new Map(), digests, checking: null, granted: null, grantedAt: 0, session: null,
      settled: this.#clearing.get(transfer.key) ?? Promise.resolve(), release: null,
    };
    this.#jobs.set(transfer.key, job);
    return job;
  }

  // --- offers --------------------------------------------------------------------------------------

  /**
   * @param {Remote} remote
   * @param {FileOffer} frame
   */
  offered(remote, frame) {
    const { book } = this.#world;
    const key = inKey(remote.peer, frame.file);
    const old = book.get(key);
    const job = this.#jobs.get(key);
    if (old && old.size !== frame.size) {
      // One id for two sizes: whoever made it up gets neither.
      if (underWay(old) || old.held) return this.#say(remote, { t: 'file_cancel', file: frame.file, reason: 'failed' });
      return this.#fresh(remote, frame);
    }
    if (job?.transfer.stage === 'offered') {
      job.offers.set(remote.device, remote);
      return this.#world.changed();
    }
    if (job) return this.#again(job, remote);
    if (!old) return this.#fresh(remote, frame);
    if (old.stage === 'done' && (old.held || old.timestamp === frame.timestamp)) {
      // It is here. The sender missed the word, or sends it once more: its digest tells that it is the same.
      void book.update(old, { timestamp: frame.timestamp });
      return this.#say(remote, { t: 'file_accept', file: frame.file, from: old.size });
    }
    if (old.timestamp !== frame.timestamp || old.by !== 'me') return this.#fresh(remote, frame);
    // What the person said to this very offer hasn't arrived.
    if (old.stage === 'declined') return this.#say(remote, { t: 'file_decline', file: frame.file, reason: old.reason });
    return this.#say(remote, { t: 'file_cancel', file: frame.file, reason: asTold(old.reason) });
  }

  /**
   * Something new. The person decides.
   * @param {Remote} remote
   * @param {FileOffer} frame
   */
  #fresh(remote, frame) {
    const waiting = [...this.#jobs.values()].filter(({ transfer }) => transfer.peer === remote.peer && transfer.stage === 'offered');
    if (waiting.length >= OFFERS_OPEN) return this.#say(remote, { t: 'file_decline', file: frame.file, reason: 'busy' });
    const { file, name, size, mime, timestamp } = frame;
    const transfer = newIncoming({ file, peer: remote.peer, name: safeName(name), size, mime }, timestamp, this.#world.now());
    const job = this.#job(transfer, []);
    job.offers.set(remote.device, remote);
    void this.#world.book.add(transfer);
    return this.#world.news(transfer);
  }

  /**
   * A sender comes back to a transfer that the person has accepted.
   * @param {Job} job
   * @param {Remote} remote
   */
  #again(job, remote) {
    if (job.session && job.session.remote.device !== remote.device) {
      return this.#say(remote, { t: 'file_decline', file: job.transfer.file, reason: 'busy' });
    }
    // Only a sender that has lost its channel offers again.
    if (job.session) this.#dropped(job, job.session);
    job.granted = null;
    // The newest comes last, and is asked first.
    job.offers.delete(remote.device);
    job.offers.set(remote.device, remote);
    return this.#next();
  }

  // --- the person's word ---------------------------------------------------------------------------

  /**
   * The person wants it.
   * @param {string} key
   */
  accept(key) {
    const job = this.#jobs.get(key);
    if (job?.transfer.stage !== 'offered') return;
    void this.#world.book.update(job.transfer, { stage: 'accepted', by: '', held: true });
    this.#want(job);
    this.#next();
  }

  /** @param {Job} job */
  #want(job) {
    job.release ??= this.#world.p2p.hold(job.transfer.peer);
    this.#world.p2p.connect(job.transfer.peer);
  }

  /**
   * The person doesn't want it, or this device can't take it.
   * @param {string} key
   * @param {import('./wire.js').DeclineReason} [reason]
   */
  decline(key, reason = 'declined') {
    const job = this.#jobs.get(key);
    if (job?.transfer.stage !== 'offered') return;
    const remotes = [...job.offers.values()];
    this.#end(job, 'declined', reason, 'me');
    for (const remote of remotes) this.#say(remote, { t: 'file_decline', file: job.transfer.file, reason });
  }

  /**
   * The person stops it.
   * @param {string} key
   */
  cancel(key) {
    const job = this.#jobs.get(key);
    if (job?.transfer.stage === 'accepted') this.#stop(job, 'cancelled');
  }

  /**
   * @param {Job} job
   * @param {'cancelled'|'failed'|'corrupt'|'no_space'} reason
   */
  #stop(job, reason) {
    const remotes = job.session ? [job.session.remote] : [...job.offers.values()];
    this.#end(job, reason === 'cancelled' ? 'cancelled' : 'failed', reason, 'me');
    for (const remote of remotes) this.#say(remote, { t: 'file_cancel', file: job.transfer.file, reason: asTold(reason) });
  }

  /**
   * The sender stops it.
   * @param {Remote} remote
   * @param {import('./wire.js').FileCancel} frame
   */
  cancelled(remote, { file, reason }) {
    const job = this.#jobs.get(inKey(remote.peer, file));
    if (!job) return;
    if (job.transfer.stage === 'offered') {
      job.offers.delete(remote.device);
      if (job.offers.size > 0) return;
      // Taken back, or taken on another device: nobody has missed anything, and nothing stays.
      void this.#forget(job);
      void this.#world.book.remove(job.transfer);
      return;
    }
    const current = job.session?.remote ?? job.granted;
    if (current && current.device !== remote.device) return;
    this.#end(job, reason === 'cancelled' ? 'cancelled' : 'failed', reason, 'them');
  }

  // --- receiving -----------------------------------------------------------------------------------

  /** Tells senders to begin, as many as may at once. */
  #next() {
    const late = this.#world.now() - GRANT_MS;
    let working = [...this.#jobs.values()].filter((job) => job.session || (job.granted && job.grantedAt > late)).length;
    for (const job of this.#jobs.values()) {
      if (working >= AT_ONCE) break;
      if (job.transfer.stage !== 'accepted' || job.session || job.granted) continue;
      const [remote] = [...job.offers.values()].reverse();
      if (!remote) continue;
      working += 1;
      job.granted = remote;
      job.grantedAt = this.#world.now();
      this.#world.later(GRANT_MS + 1, () => this.#next());
      void this.#grant(job, remote);
    }
    this.#world.changed();
  }

  /**
   * @param {Job} job
   * @param {Remote} remote
   */
  async #grant(job, remote) {
    const { transfer } = job;
    await job.settled;
    await this.#check(job);
    if (job.granted !== remote || !job.digests || this.#jobs.get(transfer.key) !== job) return;
    const from = bytesOf(transfer.size, job.digests.length);
    void this.#world.book.update(transfer, { device: remote.device, from });
    this.#say(remote, { t: 'file_accept', file: transfer.file, from });
  }

  /**
   * Pieces of an earlier page are checked once before they count.
   * @param {Job} job
   */
  async #check(job) {
    if (job.digests) return;
    job.checking ??= this.#world.store.verified(job.transfer.key).catch(() => []).then((digests) => {
      job.digests = digests.slice(0, pieceCount(job.transfer.size));
      job.checking = null;
    });
    await job.checking;
  }

  /**
   * A sender has opened a file's channel.
   * @param {Remote} remote
   * @param {string} file
   * @param {FileChannel} channel
   */
  opened(remote, file, channel) {
    const key = inKey(remote.peer, file);
    const job = this.#jobs.get(key);
    if (!job) return this.#confirm(remote, this.#world.book.get(key), channel);
    const working = [...this.#jobs.values()].filter((one) => one.session).length;
    if (job.granted?.device !== remote.device || !job.digests || job.session || working >= AT_ONCE) return channel.close();
    const { transfer } = job;
    const session = /** @type {Session} */ ({ remote, channel, incoming: null, moved: 0, rate: new Rate() });
    job.granted = null;
    job.session = session;
    const incoming = new Incoming(transfer.size, { digests: job.digests }, {
      send: (message) => channel.send(message),
      sha256: this.#world.sha256,
      store: (n, bytes, digest) => this.#world.store.putPiece(key, n, bytes, digest),
      moved: (bytes) => {
        session.moved = bytes;
        session.rate.add(this.#world.now(), bytes);
        this.#world.moved();
      },
      done: (total) => void this.#done(job, remote, channel, total),
      failed: (reason) => this.#stop(job, reason === 'unstorable' ? 'no_space' : reason),
    });
    session.incoming = incoming;
    channel.onclose = () => this.#dropped(job, session);
    channel.onmessage = (message) => incoming.take(message);
    void this.#world.book.update(transfer, { way: this.#world.way(remote) });
    return undefined;
  }

  /**
   * A file that is here already: the end alone is heard, and answered.
   * @param {Remote} remote
   * @param {Transfer|undefined} transfer
   * @param {FileChannel} channel
   */
  #confirm(remote, transfer, channel) {
    if (transfer?.stage !== 'done' || transfer.total === '') return channel.close();
    const { file, size, total } = transfer;
    const finish = (/** @type {import('../types.js').Frame} */ frame) => {
      this.#say(remote, frame);
      channel.close();
    };
    const incoming = new Incoming(size, { total }, {
      send: (message) => channel.send(message),
      sha256: this.#world.sha256,
      store: () => Promise.reject(new Error('nothing is missing')),
      moved: () => undefined,
      done: () => finish({ t: 'file_done', file }),
      failed: () => finish({ t: 'file_cancel', file, reason: 'corrupt' }),
    });
    channel.onmessage = (message) => incoming.take(message);
    return undefined;
  }

  /**
   * @param {Job} job
   * @param {Session} session
   */
  #dropped(job, session) {
    if (job.session !== session) return;
    job.session = null;
    job.offers.delete(session.remote.device);
    if (session.incoming) job.settled = session.incoming.close();
    session.channel.close();
    void this.#world.book.update(job.transfer, { from: session.moved });
    this.#next();
  }

  /**
   * @param {Job} job
   * @param {Remote} remote
   * @param {FileChannel} channel
   * @param {string} total
   */
  async #done(job, remote, channel, total) {
    job.session = null;
    void this.#forget(job);
    await this.#world.book.update(job.transfer, { stage: 'done', reason: '', by: '', total });
    this.#say(remote, { t: 'file_done', file: job.transfer.file });
    channel.close();
    this.#world.news(job.transfer);
    this.#next();
  }

  // --- links ---------------------------------------------------------------------------------------

  /** @param {Remote} remote */
  down(remote) {
    for (const job of this.#jobs.values()) {
      if (job.transfer.peer !== remote.peer) continue;
      job.offers.delete(remote.device);
      if (job.granted?.device === remote.device) job.granted = null;
      if (job.session?.remote.device === remote.device) this.#dropped(job, job.session);
    }
    this.#next();
  }

  /**
   * @param {Remote} remote
   * @param {import('../types.js').Frame} frame
   */
  #say(remote, frame) {
    // Without a link the sender's next offer asks again.
    this.#world.p2p.send(remote, frame).catch(() => undefined);
  }

  // --- the end -------------------------------------------------------------------------------------

  /**
   * @param {Job} job
   * @param {'declined'|'cancelled'|'failed'} stage
   * @param {string} reason
   * @param {Transfer['by']} by
   */
  #end(job, stage, reason, by) {
    const { transfer } = job;
    const settled = this.#forget(job);
    void this.#world.book.update(transfer, { stage, reason, by });
    // What is being stored just now comes first, so that it doesn't stay.
    const clearing = settled.then(() => this.#world.book.free(transfer)).then(() => {
      if (this.#clearing.get(transfer.key) === clearing) this.#clearing.delete(transfer.key);
    });
    this.#clearing.set(transfer.key, clearing);
    this.#world.news(transfer);
    this.#next();
  }

  /**
   * @param {Job} job
   * @returns {Promise<void>} resolves when nothing of it is stored any more
   */
  async #forget(job) {
    this.#jobs.delete(job.transfer.key);
    const { session, settled } = job;
    job.session = null;
    job.granted = null;
    const aborted = session?.incoming?.abort();
    session?.channel.close();
    job.release?.();
    await Promise.all([settled, aborted]);
  }

  /** Another tab does this from now on. */
  stop() {
    for (const job of this.#jobs.values()) void this.#forget(job);
  }

  /**
   * What a transfer does just now.
   * @param {Transfer} transfer
   * @returns {import('./transfers.js').Now}
   */
  view(transfer) {
    const job = this.#jobs.get(transfer.key);
    const device = job?.session?.remote.device ?? job?.granted?.device ?? transfer.device;
    if (job?.session) {
      const { moved, rate } = job.session;
      return { phase: moved < transfer.size ? 'moving' : 'checking', moved, rate, device };
    }
    const moved = job?.digests ? bytesOf(transfer.size, job.digests.length) : transfer.from;
    if (transfer.stage === 'offered') return { phase: 'offer', moved: 0, rate: null, device: [...(job?.offers.keys() ?? [])][0] ?? '' };
    if (job?.checking) return { phase: 'checking', moved, rate: null, device };
    if (job && (job.offers.size > 0)) return { phase: 'turn', moved, rate: null, device };
    return { phase: this.#world.p2p.links(transfer.peer).length > 0 ? 'idle' : 'away', moved, rate: null, device };
  }
}

/**
 * A reason in the words of the protocol.
 * @param {string} reason
 */
function asTold(reason) {
  return reason === 'no_space' ? 'failed' : reason;
}
