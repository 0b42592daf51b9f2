/**
 * Calls to the services on this origin: JSON in, JSON out, errors as one type.
 */

/** What went wrong with a call: the status (0 for no answer), the stable code, the words for people. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {number} [retryAfter] milliseconds
   * @param {unknown} [answer] the whole of what the server said
   */
  constructor(status, code, message, retryAfter, answer) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.answer = answer;
  }
}

/** Longer than any timeout of the proxy: a call that hangs must not hold the outbox for ever. */
const PATIENCE = 30_000;

/**
 * @template T
 * @param {string} path
 * @param {Record<string, string|number|undefined>} [query]
 * @returns {Promise<T>}
 */
export function get(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return call('GET', search ? `${path}?${search}` : path);
}

/**
 * @template T
 * @param {string} path
 * @param {object} [body]
 * @param {{keepalive?: boolean}} [options] `keepalive`: goes out even if the page is closed meanwhile
 * @returns {Promise<T>}
 */
export function post(path, body = {}, options = {}) {
  return call('POST', path, body, options);
}

/**
 * @template T
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {{keepalive?: boolean}} [options]
 * @returns {Promise<T>}
 */
async function call(method, path, body, options = {}) {
  /** @type {RequestInit} */
  const init = {
    method, headers: { accept: 'application/json' }, credentials: 'same-origin', cache: 'no-store',
    redirect: 'error', signal: AbortSignal.timeout(PATIENCE), ...options,
  };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { accept: 'application/json', 'content-type': 'application/json' };
  }
  /** @type {Response} */
  let response;
  /** @type {any} */
  let answer;
  try {
    response = await fetch(path, init);
    const text = await response.text();
    answer = parse(text);
  } catch (error) {
    throw new ApiError(0, 'unreachable', error instanceof Error ? error.message : String(error));
  }
  if (response.ok && answer !== null) return answer;
  const wait = Number(response.headers.get('retry-after'));
  throw new ApiError(
    response.ok ? 502 : response.status,
    typeof answer?.code === 'string' ? answer.code : `http_${response.status}`,
    typeof answer?.message === 'string' ? answer.message : response.statusText,
    Number.isFinite(wait) && wait > 0 ? wait * 1000 : undefined,
    answer,
  );
}

/**
 * @param {string} text
 * @returns {any} null when it is no JSON
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
