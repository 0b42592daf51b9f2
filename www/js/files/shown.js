/**
 * A transfer as a page shows it: its record, and what it does just now. Plain data, so that it can go from tab to tab.
 *
 * @typedef {import('../p2p/files/transfer.js').Transfer} Transfer
 * @typedef {object} Doing
 * @property {import('../p2p/files/transfers.js').Phase|null} phase   null: it has ended.
 * @property {number} moved         Bytes from the start.
 * @property {number|null} speed    Bytes a second.
 * @property {number|null} left     Seconds.
 * @typedef {Transfer & Doing} Shown
 */

/**
 * @param {import('../p2p/files/transfers.js').Transfers} transfers
 * @param {Transfer} transfer
 * @param {number} now
 * @returns {Shown}
 */
export function shown(transfers, transfer, now) {
  const doing = transfers.now(transfer);
  if (!doing) return { ...transfer, phase: null, moved: transfer.stage === 'done' ? transfer.size : transfer.from, speed: null, left: null };
  const { phase, moved, rate } = doing;
  return { ...transfer, phase, moved, speed: rate?.speed(now) ?? null, left: rate?.left(now, transfer.size - moved) ?? null };
}

/**
 * Whether bytes flow, so that it looks different from one moment to the next.
 * @param {Shown} one
 */
export function flows(one) {
  return one.phase === 'moving' || one.phase === 'checking';
}
