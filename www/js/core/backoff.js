/**
 * How long to wait before the next attempt: doubling from half a second to ten seconds, with jitter,
 * so that a thousand pages don't come back in the same instant when a server returns.
 */

const FIRST = 500;
const LONGEST = 10_000;

/**
 * @param {number} attempt 0 for the first retry
 * @param {number} random from 0 to 1
 * @returns {number} milliseconds
 */
export function backoff(attempt, random) {
  const full = Math.min(LONGEST, FIRST * 2 ** Math.min(attempt, 10));
  return Math.round(full * (0.5 + random / 2));
}
