/**
 * Acts on the last of several calls, once they pause.
 * @param {() => void} work
 * @param {number} ms
 * @returns {() => void}
 */
export function afterPause(work, ms) {
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}
