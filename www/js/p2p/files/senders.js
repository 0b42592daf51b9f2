/**
 * All files on their way out: who is asked, who accepted, what is sent now and what waits for its turn.
 *
 * A file is offered to every linked device of the receiver; the first that accepts gets it, and the others are told
 * that it is over for them. After each reconnection it is offered again, to the device that accepted it if there is one,
 * and goes on where that device says.
 *
 * @typedef {import('../types.js').Remote} Remote
 * @typedef {import('../types.js').FileChannel} FileChannel
 * @typedef {import('./transfer.js').Transfer} Transfer
 * @typedef {import('./transfers.js').World} World
 * @typedef {import('./outgoing.js').Source} Source
 *
 * @typedef {object} Session        A file's channel and what goes over it.
 * @property {Remote} remote
 * @property {FileChannel|null} channel
 * @property {Outgoing|null} outgoing
 * @property {number} moved
 * @property {Rate} rate
 *
 * @typedef {object} Job            A transfer under way whose file is at hand.
 * @property {Transfer} transfer
 * @property {Source} source
 * @property {Set<string>} asked    Devices that have the offer and haven't answered.
 * @property {Set<string>} refused  Devices that can't or won't take it.
 * @property {{remote: Remote, from: number}|null} accept   Who takes it, until the channel is there.
 * @property {Session|null} session
 * @property {() => void} release   Lets go of the link.
 * @property {number} failures      Channels that broke in a row without a piece getting through.
 * @property {() => void} unschedule
 */

import { backoff } from '../../core/backoff.js';
import { Outgoing } from './outgoing.js';
import { Rate } from './rate.js';
import { newOutgoing, outKey, underWay } from './transfer.js';
import { AT_ONCE, bytesOf, OFFERS_OPEN, startPiece } from './wire.js';

/** Channels that may break in a row while the link stays up. */
const PATIENCE = 6;

export class Senders {
  #world;
  /** @type {Map<string, Job>} in the order in which they were asked for */
  #jobs = new Map();

  /** @param {World} world */
  constructor(world) {
    this.#world = world;
  }

  /**
   * Sends a file, or goes on with one that was interrupted: the same file has the same id.
   * @param {{file: string, peer: string, name: string, size: number, mime: string}} what
   * @param {Source} source
   * @returns {boolean} whether it wasn't under way already
   */
  send(what, source) {
    const { book } = this.#world;
    const key = outKey(what.file);
    if (this.#jobs.has(key)) return false;
    const old = book.get(key);
    const transfer = old && underWay(old) ? old : newOutgoing(what, this.#world.stamp());
    this.#jobs.set(key, {
      transfer, source, asked: new Set(), refused: new Set(), accept: null, session: null, failures: 0, unschedule: () => undefined,
      release: this.#world.p2p.hold(transfer.peer),
    });
    void book.add(transfer);
    this.#world.p2p.connect(transfer.peer);
    this.#askAll(transfer.peer);
    return true;
  }

  /**
   * The file of a transfer is at hand.
   * @param {string} key
   */
  has(key) {
    return this.#jobs.has(key);
  }

  // --- offers --------------------------------------------------------------------------------------

  /** @param {string} peer */
  #askAll(peer) {
    const remotes = this.#world.p2p.links(peer).map((link) => link.remote);
    for (const job of this.#jobs.values()) if (job.transfer.peer === peer) for (const remote of remotes) this.#ask(job, remote);
  }

  /**
   * Offers a file to a device, if it is one that should be asked and there is room for one more question.
   * @param {Job} job
   * @param {Remote} remote
   */
  #ask(job, remote) {
    const { transfer, asked, refused } = job;
    if (job.session || job.accept || asked.has(remote.device) || refused.has(remote.device)) return;
    if (transfer.stage === 'accepted' ? transfer.device !== remote.device : asked.size === 0 && this.#unanswered(transfer.peer) >= OFFERS_OPEN) return;
    asked.add(remote.device);
    const { file, name, size, mime, timestamp } = transfer;
    this.#world.p2p.send(remote, { t: 'file_offer', file, to: this.#world.spelling(transfer.peer), name, size, mime, timestamp })
      .catch(() => asked.delete(remote.device));
    this.#world.changed();
  }

  /** @param {string} peer */
  #unanswered(peer) {
    return [...this.#jobs.values()].filter(({ transfer, asked }) => transfer.peer === peer && transfer.stage === 'offered' && asked.size > 0).length;
  }

  /** @param {Remote} remote */
  up(remote) {
    for (const job of this.#jobs.values()) {
      if (job.transfer.peer !== remote.peer) continue;
      // What was said on the old link may not have arrived.
      job.asked.delete(remote.device);
      job.refused.delete(remote.device);
      job.failures = 0;
    }
    this.meet(remote);
  }

  /**
   * Says what a linked device should know.
   * @param {Remote} remote
   */
  meet(remote) {
    for (const job of this.#jobs.values()) if (job.transfer.peer === remote.peer) this.#ask(job, remote);
    for (const transfer of this.#world.book.all()) {
      if (transfer.dir === 'out' && transfer.peer === remote.peer && transfer.untold.includes(remote.device)) this.#tell(transfer, remote);
    }
  }

  /** @param {Remote} remote */
  down(remote) {
    for (const job of this.#jobs.values()) {
      if (job.transfer.peer !== remote.peer) continue;
      job.asked.delete(remote.device);
      if (job.accept?.remote.device === remote.device) job.accept = null;
      if (job.session?.remote.device === remote.device) this.#dropped(job, job.session);
    }
    this.#world.changed();
  }

  // --- answers -------------------------------------------------------------------------------------

  /**
   * @param {Remote} remote
   * @param {import('./wire.js').FileAccept} frame
   */
  accepted(remote, { file, from }) {
    const job = this.#jobs.get(outKey(file));
    const transfer = job?.transfer;
    if (!job || !transfer || transfer.peer !== remote.peer) {
      const known = this.#world.book.get(outKey(file));
      // The page was reloaded, and the person has to choose the file again: no reason to give up.
      if (known?.peer === remote.peer && underWay(known)) return;
      return this.#cancelAt(remote, file, 'cancelled');
    }
    if (transfer.stage === 'accepted' && transfer.device !== remote.device) return this.#cancelAt(remote, file, 'cancelled');
    if (startPiece(transfer.size, from) === null) return this.#end(job, 'failed', 'failed', 'them');
    const { session } = job;
    job.session = null;
    session?.outgoing?.stop();
    session?.channel?.close();
    job.unschedule();
    job.asked.delete(remote.device);
    job.accept = { remote, from };
    for (const device of job.asked) this.#cancelAt({ peer: remote.peer, device }, file, 'cancelled');
    job.asked.clear();
    void this.#world.book.update(transfer, { stage: 'accepted', device: remote.device, from });
    this.#next();
    return this.#askAll(remote.peer);
  }

  /**
   * @param {Remote} remote
   * @param {import('./wire.js').FileDecline} frame
   */
  declined(remote, { file, reason }) {
    const job = this.#mine(remote, file);
    if (!job) return;
    if (reason === 'declined') return this.#end(job, 'declined', reason, 'them', remote.device);
    job.asked.delete(remote.device);
    job.refused.add(remote.device);
    // Only this device can't; another one of the same person may.
    const others = this.#world.devices(remote.peer).filter((device) => !job.refused.has(device));
    if (others.length === 0 || job.transfer.device === remote.device) return this.#end(job, 'declined', reason, 'them', remote.device);
    this.#world.changed();
    return this.#askAll(remote.peer);
  }

  /**
   * @param {Remote} remote
   * @param {import('./wire.js').FileCancel} frame
   */
  cancelled(remote, { file, reason }) {
    const job = this.#mine(remote, file);
    if (job) return this.#end(job, reason === 'cancelled' ? 'cancelled' : 'failed', reason, 'them', remote.device);
    // Without its file at hand a transfer can still be given up by the other side.
    const transfer = this.#world.book.get(outKey(file));
    if (transfer?.peer !== remote.peer || !underWay(transfer) || this.#jobs.has(transfer.key)) return undefined;
    if (transfer.device !== '' && transfer.device !== remote.device) return undefined;
    return this.#close(transfer, reason === 'cancelled' ? 'cancelled' : 'failed', reason, 'them');
  }

  /**
   * @param {Remote} remote
   * @param {import('./wire.js').FileDone} frame
   */
  done(remote, { file }) {
    const job = this.#mine(remote, file);
    if (job) this.#end(job, 'done', '', 'them', remote.device);
  }

  /**
   * The job that a device may speak about.
   * @param {Remote} remote
   * @param {string} file
   */
  #mine(remote, file) {
    const job = this.#jobs.get(outKey(file));
    if (job?.transfer.peer !== remote.peer) return null;
    const known = job.transfer.stage === 'accepted' ? job.transfer.device === remote.device : job.asked.has(remote.device);
    return known ? job : null;
  }

  // --- sending -------------------------------------------------------------------------------------

  /** Opens channels for what was accepted, as many as may be at once. */
  #next() {
    let working = [...this.#jobs.values()].filter((job) => job.session).length;
    for (const job of this.#jobs.values()) {
      if (working >= AT_ONCE) return;
      if (!job.accept || job.session) continue;
      working += 1;
      void this.#open(job, job.accept);
    }
  }

  /**
   * @param {Job} job
   * @param {{remote: Remote, from: number}} accept
   */
  async #open(job, { remote, from }) {
    const { transfer, source } = job;
    const session = /** @type {Session} */ ({ remote, channel: null, outgoing: null, moved: from, rate: new Rate() });
    job.accept = null;
    job.session = session;
    this.#world.changed();
    const channel = await this.#world.p2p.openFile(remote, transfer.file).catch(() => null);
    if (!channel) return this.#dropped(job, session);
    if (job.session !== session) return channel.close();
    const start = from;
    const outgoing = new Outgoing(source, startPiece(transfer.size, from) ?? 0, {
      send: (message) => channel.send(message),
      sha256: this.#world.sha256,
      moved: (bytes) => {
        session.moved = bytes;
        session.rate.add(this.#world.now(), bytes);
        if (outgoing && bytesOf(transfer.size, outgoing.have) > start) job.failures = 0;
        this.#world.moved();
      },
      failed: (reason) => this.#end(job, 'failed', reason, reason === 'changed' ? 'me' : 'them'),
    });
    session.channel = channel;
    session.outgoing = outgoing;
    void this.#world.book.update(transfer, { way: this.#world.way(remote) });
    channel.onmessage = (message) => outgoing.take(message);
    channel.onclose = () => this.#dropped(job, session);
    return outgoing.run();
  }

  /**
   * A channel is gone before its file was through. A link that is still up is worth another try.
   * @param {Job} job
   * @param {Session} session
   */
  #dropped(job, session) {
    if (job.session !== session) return;
    job.session = null;
    session.outgoing?.stop();
    session.channel?.close();
    const { remote } = session;
    if (this.#isUp(remote)) {
      job.failures += 1;
      if (job.failures > PATIENCE) return this.#end(job, 'failed', 'failed', 'them');
      job.unschedule = this.#world.later(backoff(job.failures, this.#world.random()), () => this.#isUp(remote) && this.#ask(job, remote));
    }
    this.#next();
    this.#world.changed();
  }

  /** @param {Remote} remote */
  #isUp(remote) {
    return this.#world.p2p.links(remote.peer).some((link) => link.remote.device === remote.device);
  }

  // --- the end -------------------------------------------------------------------------------------

  /**
   * The person doesn't want to send it any more.
   * @param {string} key
   */
  cancel(key) {
    const job = this.#jobs.get(key);
    if (job) return this.#end(job, 'cancelled', 'cancelled', 'me');
    const transfer = this.#world.book.get(key);
    if (!transfer || !underWay(transfer)) return undefined;
    this.#close(transfer, 'cancelled', 'cancelled', 'me', transfer.device === '' ? [] : [transfer.device]);
    return this.#tellAll(transfer);
  }

  /**
   * @param {Job} job
   * @param {'done'|'declined'|'cancelled'|'failed'} stage
   * @param {string} reason
   * @param {Transfer['by']} by
   * @param {string} [knower] the device that said so; the others are told
   */
  #end(job, stage, reason, by, knower = '') {
    const { transfer, asked, session } = job;
    this.#jobs.delete(transfer.key);
    job.unschedule();
    job.session = null;
    session?.outgoing?.stop();
    session?.channel?.close();
    job.release();
    const devices = transfer.stage === 'accepted' ? [transfer.device] : [...asked];
    this.#close(transfer, stage, reason, by, devices.filter((device) => device !== knower));
    this.#tellAll(transfer);
    this.#next();
    this.#askAll(transfer.peer);
  }

  /**
   * @param {Transfer} transfer
   * @param {'done'|'declined'|'cancelled'|'failed'} stage
   * @param {string} reason
   * @param {Transfer['by']} by
   * @param {string[]} [untold]
   */
  #close(transfer, stage, reason, by, untold = []) {
    void this.#world.book.update(transfer, { stage, reason, by, untold });
    this.#world.news(transfer);
  }

  /** @param {Transfer} transfer */
  #tellAll(transfer) {
    for (const { remote } of this.#world.p2p.links(transfer.peer)) if (transfer.untold.includes(remote.device)) this.#tell(transfer, remote);
  }

  /**
   * Tells a device that a transfer is over. One that is away is told when it comes.
   * @param {Transfer} transfer
   * @param {Remote} remote
   */
  #tell(transfer, remote) {
    const reason = transfer.stage === 'failed' && transfer.reason === 'changed' ? 'changed' : transfer.stage === 'failed' ? 'failed' : 'cancelled';
    this.#world.p2p.send(remote, { t: 'file_cancel', file: transfer.file, reason }).then(() => {
      void this.#world.book.update(transfer, { untold: transfer.untold.filter((device) => device !== remote.device) });
    }, () => undefined);
  }

  /**
   * @param {Remote} remote
   * @param {string} file
   * @param {import('./wire.js').CancelReason} reason
   */
  #cancelAt(remote, file, reason) {
    this.#world.p2p.send(remote, { t: 'file_cancel', file, reason }).catch(() => undefined);
  }

  /** Another tab does this from now on. */
  stop() {
    for (const job of this.#jobs.values()) {
      job.unschedule();
      job.session?.outgoing?.stop();
      const channel = job.session?.channel;
      job.session = null;
      channel?.close();
      job.release();
    }
    this.#jobs.clear();
  }

  /**
   * What a transfer does just now.
   * @param {Transfer} transfer
   * @returns {import('./transfers.js').Now}
   */
  view(transfer) {
    const job = this.#jobs.get(transfer.key);
    if (!job) return { phase: 'lost', moved: transfer.from, rate: null, device: '' };
    const { session } = job;
    if (session) {
      const phase = session.outgoing?.ended ? 'checking' : 'moving';
      return { phase, moved: session.moved, rate: session.rate, device: session.remote.device };
    }
    const linked = this.#world.p2p.links(transfer.peer).map((link) => link.remote.device);
    const here = transfer.stage === 'accepted' ? linked.includes(transfer.device) : linked.length > 0;
    const phase = job.accept ? 'turn' : !here ? 'away' : job.asked.size > 0 && transfer.stage === 'offered' ? 'asking' : 'turn';
    return { phase, moved: transfer.from, rate: null, device: transfer.device };
  }
}
