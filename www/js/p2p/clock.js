/**
 * The time that this device's messages are given: its clock's, but never the same twice, and never before what has been
 * seen in a talk, so that an answer stands after what it answers in everybody's list.
 */

import { CLOCK_MS } from './inbox.js';

export class Clock {
  #last = 0;
  #now;

  /** @param {() => number} [now] milliseconds since 1970 */
  constructor(now = Date.now) {
    this.#now = now;
  }

  /** @returns {string} RFC 3339, UTC */
  stamp() {
    this.#last = Math.max(this.#now(), this.#last + 1);
    return new Date(this.#last).toISOString();
  }

  /**
   * A message with this time is in a talk. One from a clock that is far ahead changes nothing.
   * @param {string} timestamp
   */
  passed(timestamp) {
    const time = Date.parse(timestamp);
    if (time <= this.#now() + CLOCK_MS) this.#last = Math.max(this.#last, time);
  }
}
