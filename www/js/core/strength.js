/**
 * What is said about a new password while it is typed: how many characters it lacks, then how hard it is to guess.
 *
 * @typedef {''|'short'|'weak'|'ok'|'good'} Grade
 * @typedef {{grade: Grade, key: 'password.hint'|'password.short'|'password.weak'|'password.strong'|'password.best'|'password.ok'|'password.good', n: number}} Verdict
 */

/** Above this length a password is good against guessing for years. */
const COMFORTABLE = 15;
/** The best score. */
const BEST = 4;

/**
 * @param {string} password
 * @param {number} min  the fewest characters
 * @param {import('../types.js').Strength|null} strength  the server's estimate; null until there is one
 * @returns {Verdict}
 */
export function judge(password, min, strength) {
  const length = [...password].length;
  if (length === 0) return { grade: '', key: 'password.hint', n: min };
  if (length < min) return { grade: 'short', key: 'password.short', n: min - length };
  // Without an estimate the length is all that is known.
  if (strength === null) return length < COMFORTABLE ? { grade: 'ok', key: 'password.ok', n: 0 } : { grade: 'good', key: 'password.good', n: 0 };
  if (!strength.acceptable) return { grade: 'weak', key: 'password.weak', n: 0 };
  return strength.score < BEST ? { grade: 'ok', key: 'password.strong', n: 0 } : { grade: 'good', key: 'password.best', n: 0 };
}

/** Filled parts of the bar, of four. */
export const BARS = { '': 0, short: 1, weak: 2, ok: 3, good: 4 };
