/**
 * The part of a channel's history that this page holds: always one run of messages without a gap.
 *
 * The tracker numbers the messages of a channel 1, 2, 3, … without holes (`seq`), so the page can tell
 * for certain what it misses: `missing` says from where to fetch.
 *
 * @typedef {import('../types.js').StoredMessage} StoredMessage
 * @typedef {object} Log
 * @property {StoredMessage[]} messages  Ascending, `seq` without holes.
 * @property {number} head               The channel's newest `seq` that the page has heard of.
 * @property {boolean} loaded            Whether a first page has come.
 */

/**
 * @param {number} [head]
 * @returns {Log}
 */
export function emptyLog(head = 0) {
  return { messages: [], head, loaded: false };
}

/** @param {Log} log */
export function firstSeq(log) {
  return log.messages[0]?.seq ?? 0;
}

/** @param {Log} log */
export function lastSeq(log) {
  return log.messages.at(-1)?.seq ?? 0;
}

/**
 * Whether nothing older exists.
 * @param {Log} log
 */
export function atStart(log) {
  return log.loaded && (log.messages.length === 0 ? log.head === 0 : firstSeq(log) === 1);
}

/**
 * Takes a message from the live stream or from the answer to sending.
 * @param {Log} log
 * @param {StoredMessage} message
 * @returns {'added'|'known'|'gap'|'unloaded'} `gap`: messages in between must be fetched first.
 */
export function append(log, message) {
  log.head = Math.max(log.head, message.seq);
  if (!log.loaded) return 'unloaded';
  const last = lastSeq(log);
  if (message.seq === last + 1) {
    log.messages.push(message);
    return 'added';
  }
  return message.seq <= last ? 'known' : 'gap';
}

/**
 * From which `seq` on messages are missing at the end, if they are.
 * @param {Log} log
 * @returns {number|null}
 */
export function missing(log) {
  return log.loaded && lastSeq(log) < log.head ? lastSeq(log) : null;
}

/**
 * Takes a page of history: older, newer or overlapping. A newer page that does not touch what is held
 * replaces it, because a run with a hole would hide messages; an older one that does not touch is dropped.
 * @param {Log} log
 * @param {StoredMessage[]} page ascending
 * @param {number} head
 */
export function mergePage(log, page, head) {
  log.head = Math.max(log.head, head);
  log.loaded = true;
  if (page.length === 0) return;
  if (log.messages.length === 0) {
    log.messages = [...page];
    return;
  }
  const first = page[0].seq;
  const last = page[page.length - 1].seq;
  if (first > lastSeq(log) + 1) {
    log.messages = [...page];
  } else if (last >= firstSeq(log) - 1) {
    const older = page.filter((message) => message.seq < firstSeq(log));
    const newer = page.filter((message) => message.seq > lastSeq(log));
    log.messages = [...older, ...log.messages, ...newer];
  }
}

/**
 * Forgets the oldest messages, so that a page left open for weeks does not grow without end.
 * @param {Log} log
 * @param {number} keep
 */
export function trim(log, keep) {
  if (log.messages.length > keep) log.messages = log.messages.slice(-keep);
}
