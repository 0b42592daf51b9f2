/**
 * What a person chose in this browser: theme, language, notifications. Storage may be forbidden; then a
 * choice lives as long as the page.
 */

/** @type {Map<string, string>} */
const memory = new Map();

/**
 * @param {string} name
 * @returns {string|null}
 */
export function pref(name) {
  try {
    return localStorage.getItem(name) ?? memory.get(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

/**
 * @param {string} name
 * @param {string|null} value null removes it
 */
export function setPref(name, value) {
  if (value === null) memory.delete(name);
  else memory.set(name, value);
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Kept in memory.
  }
}

/**
 * Removes all that begins with a prefix.
 * @param {string} prefix
 */
export function dropPrefs(prefix) {
  for (const name of [...memory.keys()]) if (name.startsWith(prefix)) memory.delete(name);
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(prefix)) localStorage.removeItem(name);
  } catch {
    // Nothing was stored.
  }
}
