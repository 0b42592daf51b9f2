/**
 * The audit log: searched, page by page, and as a file.
 *
 * @typedef {import('../types.js').AuditEntry} AuditEntry
 */

import { afterPause } from '../core/pause.js';
import { get } from '../net/api.js';
import { byId } from '../ui/dom.js';
import { t, textOr, when } from '../ui/i18n.js';
import { icon } from '../ui/icons.js';
import { item, Listing, tag } from '../ui/listing.js';

const PAUSE_MS = 250;
const PAGE = 50;

export function auditPart() {
  const find = byId('audit-find', HTMLInputElement);
  const failures = byId('audit-failures', HTMLInputElement);
  const file = byId('audit-export', HTMLAnchorElement);
  const query = () => ({ q: find.value.trim() || undefined, result: failures.checked ? 'failure' : undefined });

  /** @type {Listing<AuditEntry>} */
  const listing = new Listing(byId('audit-list'), {
    load: async (before) => {
      const { entries, next } = /** @type {import('../types.js').AuditPage} */ (await get('/auth/admin/audit', { ...query(), before, limit: PAGE }));
      return { rows: entries, next };
    },
    key: ({ n }) => String(n),
    make: line,
    none: t('audit.none'),
  });
  const search = () => {
    const asked = Object.entries(query()).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    file.search = new URLSearchParams([['format', 'csv'], ...asked]).toString();
    void listing.reload();
  };
  find.addEventListener('input', afterPause(search, PAUSE_MS));
  failures.addEventListener('change', search);
  void listing.reload();
  return listing;
}

/** @param {AuditEntry} entry */
function line(entry) {
  const well = entry.result === 'success';
  const about = entry.about && entry.about !== entry.who ? t('audit.about', { name: entry.about }) : '';
  const who = [entry.who && t('audit.by', { name: entry.who }), about, entry.detail].filter(Boolean).join(' · ');
  const where = [when('full', Date.parse(entry.at)), t('audit.from', { address: entry.ip }), entry.request_id && t('audit.request', { id: entry.request_id })];
  return item({
    mark: icon(well ? 'check' : 'warn'),
    title: textOr(`event.${entry.event}`, entry.event),
    tags: [well ? null : tag(entry.result, 'bad')],
    notes: [who, where.filter(Boolean).join(' · ')].filter(Boolean),
  });
}
