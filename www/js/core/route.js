/**
 * The conversation in the address bar: `#/c/general` is a channel, `#/d/bob` the talk with a peer.
 *
 * @typedef {{kind: 'channel'|'direct', name: string}} Place
 */

/**
 * @param {string} hash
 * @returns {Place|null}
 */
export function placeOf(hash) {
  const match = /^#\/([cd])\/(.+)$/.exec(hash);
  if (!match) return null;
  try {
    return { kind: match[1] === 'c' ? 'channel' : 'direct', name: decodeURIComponent(match[2]) };
  } catch {
    return null;
  }
}

/** @param {Place} place */
export function hashOf(place) {
  return `#/${place.kind === 'channel' ? 'c' : 'd'}/${encodeURIComponent(place.name)}`;
}

/**
 * @param {Place|null} one
 * @param {Place|null} other
 */
export function samePlace(one, other) {
  return one?.kind === other?.kind && one?.name === other?.name;
}
