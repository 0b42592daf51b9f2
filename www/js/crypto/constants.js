/**
 * The numbers that SHA-2 is made from (FIPS 180-4 §4.2 and §5.3): fractional parts of roots of the first primes. Computed,
 * not typed.
 */

/** @param {number} count */
function primes(count) {
  /** @type {bigint[]} */
  const found = [];
  for (let n = 2n; found.length < count; n += 1n) if (found.every((prime) => n % prime !== 0n)) found.push(n);
  return found;
}

/**
 * The whole part of the root of `n` with this degree.
 * @param {bigint} n
 * @param {bigint} degree
 */
function root(n, degree) {
  let low = 0n;
  let high = 1n << (BigInt(n.toString(2).length) / degree + 1n);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= n) low = middle;
    else high = middle;
  }
  return low;
}

const FRACTION = 64n;

/** The first 64 bits of the fractional parts of the cube roots of the first 80 primes. */
export const CUBE_ROOTS = primes(80).map((prime) => BigInt.asUintN(64, root(prime << (FRACTION * 3n), 3n)));

/** The first 64 bits of the fractional parts of the square roots of the first 8 primes. */
export const SQUARE_ROOTS = primes(8).map((prime) => BigInt.asUintN(64, root(prime << (FRACTION * 2n), 2n)));
