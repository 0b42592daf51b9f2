/**
 * Who one is at a provider (OpenID Connect): linking the account with it, and unlinking. The page shows this part where there is a provider, or
 * where there was one.
 *
 * @typedef {import('../types.js').Linked} Linked
 * @typedef {{linked?: Linked, name: string}} Row  What the provider is called; without `linked`, the account isn't linked with it.
 */

import { get } from '../net/api.js';
import { securePost } from '../dialogs/reauth.js';
import { sureDialog } from '../dialogs/sure.js';
import { act } from '../ui/act.js';
import { byId, el } from '../ui/dom.js';
import { t, textOr, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, Listing, tag } from '../ui/listing.js';
import { toast } from '../ui/overlay.js';

/** @param {() => void} ended  the other sessions are over */
export function linkedSection(ended) {
  const error = byId('linked-error');
  /** @type {Listing<Row>} */
  const listing = new Listing(byId('linked-list'), {
    load: async () => {
      const rows = rowsOf(await get('/auth/factors'));
      byId('linked').hidden = rows.length === 0;
      return { rows };
    },
    key: ({ linked }) => linked?.id ?? '',
    make: (row) => (row.linked ? linkedLine(row.linked, row.name, gone) : unlinkedLine(row.name, error)),
    none: '',
  });
  const gone = () => {
    void listing.reload();
    ended();
  };
  void listing.reload().then(() => complaintInAddress(error));
}

/**
 * @param {import('../types.js').Factors} factors
 * @returns {Row[]}
 */
function rowsOf({ oidc, linked }) {
  /** @type {Row[]} */
  const rows = linked.map((one) => ({ linked: one, name: (one.current && oidc) || new URL(one.issuer).host }));
  if (oidc !== undefined && !linked.some(({ current }) => current)) rows.push({ name: oidc });
  return rows;
}

/** What was wrong when the provider sent the browser back here. Said once: a reload is about something else. @param {HTMLElement} error */
function complaintInAddress(error) {
  const code = new URLSearchParams(location.search).get('error');
  if (code === null) return;
  error.textContent = textOr(`error.${code}`, t('error.unknown'));
  byId('linked').hidden = false;
  history.replaceState(null, '', location.pathname);
}

/**
 * @param {string} name
 * @param {HTMLElement} error
 */
function unlinkedLine(name, error) {
  const link = (/** @type {MouseEvent} */ event) => act(/** @type {HTMLElement} */ (event.currentTarget), error, async () => {
    location.assign(/** @type {{location: string}} */ (await securePost('/auth/oidc/link')).location);
  });
  return item({
    mark: icon('link'),
    title: name,
    tags: [tag(t('factor.off'))],
    notes: [],
    actions: [el('button', { class: 'small primary', attrs: { type: 'button', 'aria-label': t('linked.add.of', { name }) }, on: { click: link } }, t('linked.add'))],
  });
}

/**
 * @param {Linked} linked
 * @param {string} name  of the provider
 * @param {() => void} gone
 */
function linkedLine({ id, name: there, created_at: since, last_used: used, current }, name, gone) {
  const remove = () => sureDialog(
    { title: t('linked.remove.title', { name }), text: t('linked.remove.hint'), verb: t('linked.remove') },
    () => securePost('/auth/oidc/unlink', { id }),
    () => {
      toast(t('linked.removed', { name }));
      gone();
    },
  );
  return item({
    mark: icon('link'),
    title: name,
    tags: [current ? tag(t('factor.on'), 'good') : tag(t('factor.off'))],
    notes: [
      ...(there ? [t('linked.as', { name: there })] : []),
      ...(current ? [] : [t('linked.old')]),
      t('passkey.added', { time: when('short', Date.parse(since)) }),
      used === undefined ? t('passkey.unused') : t('passkey.used', { time: when('short', Date.parse(used)) }),
    ],
    actions: [el('button', { class: 'small', attrs: { type: 'button', 'aria-label': t('linked.remove.of', { name }) }, on: { click: remove } }, t('linked.remove'))],
  });
}
