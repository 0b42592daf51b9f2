/**
 * How fast a transfer is, and how long it will take: over the last seconds, so that neither a burst nor an old
 * standstill decides.
 */

/** Looked back at, in milliseconds. */
const WINDOW = 5000;
/** Before this much time nothing can be said. */
const LEAST = 500;
/** Samples closer than this are one. */
const STEP = 100;

export class Rate {
  /** @type {{at: number, bytes: number}[]} */
  #samples = [];

  /**
   * @param {number} now milliseconds, any clock that goes forward
   * @param {number} bytes moved so far
   */
  add(now, bytes) {
    const last = this.#samples.at(-1);
    if (last && this.#samples.length > 1 && now - this.#samples[this.#samples.length - 2].at < STEP) last.bytes = bytes;
    else this.#samples.push({ at: now, bytes });
    while (this.#samples.length > 2 && now - this.#samples[1].at >= WINDOW) this.#samples.shift();
  }

  /**
   * Bytes a second; null when not enough was seen.
   * @param {number} now
   * @returns {number|null}
   */
  speed(now) {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || now - first.at < LEAST) return null;
    return Math.max(0, ((last.bytes - first.bytes) * 1000) / (now - first.at));
  }

  /**
   * Seconds for so many bytes more; null when nobody can say.
   * @param {number} now
   * @param {number} bytes
   * @returns {number|null}
   */
  left(now, bytes) {
    const speed = this.speed(now);
    return speed === null || speed < 1 ? null : bytes / speed;
  }
}
