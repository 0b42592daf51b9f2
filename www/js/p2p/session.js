/**
 * How one device agrees on a link with one other: session numbers, who offers, what is repeated when, what is too old
 * (`docs/p2p.md`, Signalling). Time is passed in and nothing here touches the network: each call gives back what has to be done.
 *
 * @typedef {import('./types.js').Remote} Remote
 * @typedef {import('./types.js').Signal} Signal
 * @typedef {import('./types.js').Description} Description
 *
 * `offer` and `answer`: make a connection and send its description with this number; `accept`: the answer has come; `call`: ask
 * for an offer; `close`: let go of the connection.
 * @typedef {{do: 'offer', session: number}|{do: 'answer', session: number, description: Description, candidates: string[]}
 *   |{do: 'accept', description: Description, candidates: string[]}|{do: 'candidate', candidate: string}
 *   |{do: 'call', session: number}|{do: 'close'}} Action
 */

import { fold } from '../core/names.js';

/** Candidates that wait for the description that they belong to. */
export const CANDIDATES_WAITING = 64;
/** Bytes of a candidate line at most. */
export const CANDIDATE_BYTES = 1024;
/** The largest session number. */
export const SESSION_MAX = Number.MAX_SAFE_INTEGER;
/** A call or offer that nobody answered is repeated after this time, then after twice the last one. */
const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 60_000;
/** From the answer on, a link has this long to come up. */
const CONNECT_MS = 15_000;
/** A call that was sent before the newest offer arrived comes within this time. */
const CROSSING_MS = 2000;

/**
 * Whether the first of two devices makes the offers.
 * @param {Remote} one
 * @param {Remote} other
 */
export function offers(one, other) {
  const [a, b] = [fold(one.peer), fold(other.peer)];
  return a === b ? one.device < other.device : a < b;
}

export class Session {
  /** @type {'idle'|'waiting'|'connecting'|'up'} */
  phase = 'idle';
  /** The number of the session that is under way; 0 when none is. */
  number = 0;
  /** Whether this side wants a link. */
  wanted = false;
  /** Attempts since the last link that came to nothing. */
  failures = 0;
  #newest = 0;
  #began = 0;
  #attempts = 0;
  /** When to try again (`idle`, `waiting`) or to give up (`connecting`). */
  #due = 0;
  /** @type {{session: number, candidates: string[]}} */
  #early = { session: 0, candidates: [] };

  /** @param {boolean} offering whether this side makes the offers */
  constructor(offering) {
    this.offering = offering;
  }

  /**
   * This side wants a link, or no longer does.
   * @param {boolean} wanted
   * @param {number} now milliseconds since 1970
   * @param {boolean} [live] whether the other device can be reached by signals
   * @returns {Action[]}
   */
  want(wanted, now, live = true) {
    const began = wanted && !this.wanted;
    this.wanted = wanted;
    // Whoever begins to want a link doesn't wait for what failed long ago.
    return began && live && this.phase === 'idle' ? this.#start(now) : [];
  }

  /**
   * The circumstances changed (the other device came back, the network did): what failed before may work now.
   * @param {number} now
   */
  refresh(now) {
    this.failures = 0;
    this.#attempts = 0;
    if (this.phase === 'idle') this.#due = now;
  }

  /**
   * @param {number} now
   * @param {boolean} live whether the other device can be reached by signals
   * @returns {Action[]}
   */
  tick(now, live) {
    if (now < this.#due) return [];
    switch (this.phase) {
      case 'idle':
        return this.wanted && live ? this.#start(now) : [];
      case 'waiting':
        if (this.#attempts > 1) this.failures += 1;
        return this.wanted && live ? this.#start(now) : this.#end(now);
      case 'connecting':
        return this.failed(now);
      default:
        return [];
    }
  }

  /**
   * A signal of the other device. A description has been proven before it comes here.
   * @param {number} session
   * @param {Signal} signal
   * @param {number} now
   * @returns {Action[]}
   */
  receive(session, signal, now) {
    switch (signal.kind) {
      case 'call':
        return this.#called(session, now);
      case 'offer':
        return this.#offered(session, signal, now);
      case 'answer':
        if (!this.fits(session, 'answer')) return [];
        this.phase = 'connecting';
        this.#due = now + CONNECT_MS;
        return [{ do: 'accept', description: signal, candidates: this.#takeEarly(session) }];
      case 'candidate':
        return this.#candidate(session, signal.candidate);
      case 'bye':
        return session === this.number && this.phase !== 'idle' ? this.#end(now) : [];
      default:
        return [];
    }
  }

  /**
   * Whether a description with this number would be taken: asked before the costly proof.
   * @param {number} session
   * @param {'offer'|'answer'} kind
   */
  fits(session, kind) {
    if (kind === 'offer') return !this.offering && session > this.#newest && session <= SESSION_MAX;
    return this.offering && this.phase === 'waiting' && session === this.number;
  }

  /** Both sides have said hello. */
  up() {
    this.phase = 'up';
    this.failures = 0;
    this.#attempts = 0;
  }

  /**
   * The link that was up is gone.
   * @param {number} now
   * @returns {Action[]}
   */
  lost(now) {
    const actions = this.#end(now);
    this.#due = now;
    return actions;
  }

  /**
   * The attempt came to nothing.
   * @param {number} now
   * @returns {Action[]}
   */
  failed(now) {
    this.failures += 1;
    const actions = this.#end(now);
    this.#due = now + retryAfter(this.#attempts);
    return actions;
  }

  /**
   * @param {number} now
   * @returns {Action[]}
   */
  #end(now) {
    this.phase = 'idle';
    this.number = 0;
    this.#due = now + FIRST_RETRY_MS;
    return [{ do: 'close' }];
  }

  /**
   * @param {number} now
   * @returns {Action[]}
   */
  #start(now) {
    /** @type {Action[]} */
    const actions = this.number === 0 ? [] : [{ do: 'close' }];
    this.#given();
    this.phase = 'waiting';
    this.#due = now + retryAfter(this.#attempts);
    this.#attempts += 1;
    if (!this.offering) {
      this.number = 0;
      return [...actions, { do: 'call', session: this.#newest }];
    }
    if (this.#newest >= SESSION_MAX) return actions;
    this.#newest = Math.max(now, this.#newest + 1);
    this.number = this.#newest;
    this.#began = now;
    return [...actions, { do: 'offer', session: this.number }];
  }

  /** The other side begins anew before this attempt came to anything: it has given it up. */
  #given() {
    if (this.phase === 'connecting') this.failures += 1;
  }

  /**
   * @param {number} session the newest that the other side has seen
   * @param {number} now
   * @returns {Action[]}
   */
  #called(session, now) {
    if (!this.offering || session > SESSION_MAX) return [];
    // It was sent before the offer that is under way arrived.
    if (this.phase !== 'idle' && session < this.number && now - this.#began < CROSSING_MS) return [];
    this.#newest = Math.max(this.#newest, session);
    return this.#start(now);
  }

  /**
   * @param {number} session
   * @param {Description} description
   * @param {number} now
   * @returns {Action[]}
   */
  #offered(session, description, now) {
    if (this.offering || session > SESSION_MAX || session === this.#newest) return [];
    // The other side's clock was set back: its next offer goes above this number.
    if (session < this.#newest) return [{ do: 'call', session: this.#newest }];
    /** @type {Action[]} */
    const actions = this.number === 0 ? [] : [{ do: 'close' }];
    this.#given();
    this.#newest = session;
    this.number = session;
    this.phase = 'connecting';
    this.#due = now + CONNECT_MS;
    return [...actions, { do: 'answer', session, description, candidates: this.#takeEarly(session) }];
  }

  /**
   * @param {number} session
   * @param {string} candidate
   * @returns {Action[]}
   */
  #candidate(session, candidate) {
    if (typeof candidate !== 'string' || candidate.length > CANDIDATE_BYTES) return [];
    if (session === this.number && (this.phase === 'connecting' || this.phase === 'up')) return [{ do: 'candidate', candidate }];
    const expected = this.offering ? session === this.number && this.phase === 'waiting' : session > this.#newest;
    if (!expected || session < this.#early.session) return [];
    if (session > this.#early.session) this.#early = { session, candidates: [] };
    if (this.#early.candidates.length < CANDIDATES_WAITING) this.#early.candidates.push(candidate);
    return [];
  }

  /** @param {number} session */
  #takeEarly(session) {
    const { candidates } = this.#early.session === session ? this.#early : { candidates: [] };
    this.#early = { session: 0, candidates: [] };
    return candidates;
  }
}

/** @param {number} attempts */
function retryAfter(attempts) {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 10));
}
