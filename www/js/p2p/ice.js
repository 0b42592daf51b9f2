/**
 * The servers that help to find a way: the tracker's own STUN server, and what the administrator configured.
 *
 * @typedef {import('../types.js').Ice} Ice
 */

import { get } from '../net/api.js';

/** Without credentials that end, the list is asked for again after so long. */
const KEEP_MS = 10 * 60_000;
/** Credentials are used up to so long before their end. */
const MARGIN_MS = 2 * 60_000;

/**
 * @param {Ice} ice
 * @param {string} host under which the page reached the server
 * @returns {RTCIceServer[]}
 */
export function serversOf({ stun_port: port, stun, turn }, host) {
  const urls = [...(port === null ? [] : [`stun:${host}:${port}`]), ...stun];
  return [
    ...(urls.length > 0 ? [{ urls }] : []),
    ...(turn ? [{ urls: turn.urls, username: turn.username, credential: turn.credential }] : []),
  ];
}

/** @returns {() => Promise<RTCIceServer[]>} asks when it must; without an answer, this network's own addresses have to do */
export function iceServers() {
  /** @type {RTCIceServer[]} */
  let servers = [];
  let until = 0;
  return async () => {
    if (Date.now() < until) return servers;
    try {
      const ice = /** @type {Ice} */ (await get('/chat/ice'));
      servers = serversOf(ice, location.hostname);
      until = Math.min(Date.now() + KEEP_MS, ice.turn ? Date.parse(ice.turn.expires_at) - MARGIN_MS : Infinity);
    } catch {
      // What was known before may still be good.
    }
    return servers;
  };
}
