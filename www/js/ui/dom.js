/**
 * Building nodes. All text goes in as text nodes, so that nothing a person wrote can become markup.
 *
 * @typedef {Node|string|null|undefined|false} Child
 * @typedef {object} Props
 * @property {string} [class]
 * @property {Record<string, string|number|boolean|null|undefined>} [attrs]  null, undefined and false leave one out.
 * @property {Record<string, string>} [data]
 * @property {Record<string, (event: any) => void>} [on]
 */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  if (props.class) node.className = props.class;
  for (const [name, value] of Object.entries(props.attrs ?? {})) setAttr(node, name, value);
  Object.assign(node.dataset, props.data ?? {});
  for (const [name, listener] of Object.entries(props.on ?? {})) node.addEventListener(name, listener);
  fill(node, ...children);
  return node;
}

/**
 * @param {Element} node
 * @param {string} name
 * @param {string|number|boolean|null|undefined} value
 */
export function setAttr(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value === true ? '' : value)) node.setAttribute(name, String(value === true ? '' : value));
}

/**
 * Replaces what a node holds.
 * @param {Element} node
 * @param {...Child} children
 */
export function fill(node, ...children) {
  node.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

/**
 * Sets a text only where it differs, so that screen readers aren't told again.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * The element of the page with this id; a missing one is a mistake in the page.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {{new (): T}} [type]
 * @returns {T}
 */
export function byId(id, type) {
  const node = document.getElementById(id);
  if (!node || (type && !(node instanceof type))) throw new Error(`the page lacks #${id}`);
  return /** @type {T} */ (node);
}

/**
 * Brings the children of a node in line with a list, keeping nodes whose key and signature are the same.
 * @template {{key: string, sig: string}} R
 * @param {Element} parent
 * @param {R[]} rows
 * @param {(row: R) => Element} make
 */
export function reconcile(parent, rows, make) {
  /** @type {Map<string, HTMLElement>} */
  const old = new Map();
  for (const child of parent.children) {
    if (child instanceof HTMLElement && child.dataset.key !== undefined) old.set(child.dataset.key, child);
  }
  /** @type {Element|null} */
  let at = parent.firstElementChild;
  for (const row of rows) {
    let node = old.get(row.key);
    if (!node || node.dataset.sig !== row.sig) {
      const fresh = /** @type {HTMLElement} */ (make(row));
      fresh.dataset.key = row.key;
      fresh.dataset.sig = row.sig;
      if (node) {
        const focused = node.contains(document.activeElement);
        if (node === at) at = node.nextElementSibling;
        node.remove();
        if (focused) queueMicrotask(() => fresh.querySelector('button')?.focus());
      }
      node = fresh;
    }
    old.delete(row.key);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const gone of old.values()) gone.remove();
}

/**
 * The address of an SVG for an `img`: a picture of its own, so that it never becomes part of the page.
 * @param {string} svg
 */
export function svgAddress(svg) {
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
