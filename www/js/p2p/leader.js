/**
 * One tab of an account leads: it holds the links, and the others ask it. Where the browser has Web Locks, the one that
 * has the lock; on plain http, where it hasn't, the one that has a lease in localStorage, renewed every second. Either way
 * another tab takes over when the leader is closed, crashes or is put to sleep.
 *
 * @typedef {{lead: () => void, lose: () => void}} LeaderHooks
 * @typedef {{id: string, until: number}} Lease
 */

import { messageId } from '../core/names.js';

const RENEW_MS = 1000;
const LEASE_MS = 4000;
/** Whoever takes a free lease looks again after so long whether another tab did the same. */
const SETTLE_MS = 120;

/**
 * What a tab does about the lease that it finds.
 * @param {Lease|null} found
 * @param {string} me
 * @param {number} now milliseconds since 1970
 * @returns {'renew'|'take'|'wait'}
 */
export function leaseStep(found, me, now) {
  if (found?.id === me) return 'renew';
  // A lease from a far future was written before the clock was set back.
  return found === null || found.until <= now || found.until > now + 10 * LEASE_MS ? 'take' : 'wait';
}

/**
 * @param {string} name
 * @param {LeaderHooks} hooks
 */
export function elect(name, hooks) {
  if (navigator.locks) byLock(name, hooks);
  else byLease(name, hooks);
}

/**
 * @param {string} name
 * @param {LeaderHooks} hooks
 */
function byLock(name, hooks) {
  let leading = false;
  navigator.locks.request(name, () => {
    leading = true;
    hooks.lead();
    // Held until the page goes.
    return new Promise(() => undefined);
  }).catch(() => byLease(name, hooks)); // Some private windows have locks and refuse them.
  addEventListener('pagehide', () => leading && hooks.lose());
  // A page that comes back as it was left still has the lock.
  addEventListener('pageshow', (event) => event.persisted && leading && hooks.lead());
}

/**
 * @param {string} name
 * @param {LeaderHooks} hooks
 */
function byLease(name, hooks) {
  const me = messageId(Date.now());
  let leading = false;
  let gone = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let settling;

  const write = () => localStorage.setItem(name, JSON.stringify({ id: me, until: Date.now() + LEASE_MS }));
  const step = () => {
    if (gone) return;
    const what = leaseStep(read(name), me, Date.now());
    if (what === 'wait') {
      clearTimeout(settling);
      settling = undefined;
      if (leading) {
        leading = false;
        hooks.lose();
      }
      return;
    }
    write();
    if (leading || settling !== undefined) return;
    settling = setTimeout(() => {
      settling = undefined;
      if (gone || leaseStep(read(name), me, Date.now()) !== 'renew') return;
      leading = true;
      hooks.lead();
    }, SETTLE_MS);
  };
  try {
    step();
  } catch {
    // No storage: each tab for itself.
    hooks.lead();
    return;
  }
  setInterval(step, RENEW_MS);
  addEventListener('storage', (event) => event.key === name && step());
  addEventListener('pagehide', () => {
    gone = true;
    if (leading) hooks.lose();
    leading = false;
    if (read(name)?.id === me) localStorage.removeItem(name);
  });
  addEventListener('pageshow', () => {
    gone = false;
    step();
  });
}

/**
 * @param {string} name
 * @returns {Lease|null}
 */
function read(name) {
  try {
    const { id, until } = JSON.parse(localStorage.getItem(name) ?? '');
    return typeof id === 'string' && typeof until === 'number' ? { id, until } : null;
  } catch {
    return null;
  }
}
