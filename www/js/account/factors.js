/**
 * The second step of signing in: what the account can show besides its password. Each kind of factor is a line of the list, with a
 * module of its own: a further kind is a row in `rowsOf` and its line in `lineOf`.
 *
 * @typedef {{kind: 'totp', since?: string}|{kind: 'recovery', left: number}} Single  Lines of which there is one.
 * @typedef {{kind: 'passkeys', count: number, served: boolean}|{kind: 'passkey', passkey: import('../types.js').Passkey}} Keys
 * @typedef {Single|Keys} Row
 *
 * @typedef {object} Section            What a line is given to work with.
 * @property {string} name              Whose account it is.
 * @property {(work: () => Promise<unknown>) => (event: MouseEvent) => void} deed  A button's press; what goes wrong is said in the section.
 * @property {(codes: string[], kind?: Row['kind']) => void} changed  The factors are others now. Recovery codes that came of it are shown,
 *   and then it goes on at the line of this kind.
 * @property {(id: string) => void} renamed  A passkey has another name now.
 */

import { get } from '../net/api.js';
import { act } from '../ui/act.js';
import { byId } from '../ui/dom.js';
import { Listing } from '../ui/listing.js';
import { passkeyLine, passkeysLine } from './passkeys.js';
import { codesDialog, codesLine } from './recovery.js';
import { appLine } from './totp.js';

/**
 * @param {import('../types.js').Account} me
 * @param {() => void} ended  the other sessions are over
 */
export function factorsSection(me, ended) {
  const error = byId('factors-error');
  const list = byId('factors-list');
  /** @type {Section} */
  const section = {
    name: me.username,
    deed: (work) => (event) => act(/** @type {HTMLElement} */ (event.currentTarget), error, work, () => void listing.reload()),
    // Its line is drawn anew with the name, so the focus goes back by hand.
    renamed: (id) => void listing.reload().then(() => /** @type {HTMLElement|null} */ (list.querySelector(`[data-key="passkey ${CSS.escape(id)}"] button`))?.focus()),
    changed: (codes, kind = 'totp') => {
      void listing.reload();
      ended();
      // Told this one time, so they don't wait for the list. The line that it began with has been drawn anew meanwhile.
      if (codes.length > 0) codesDialog(me.username, codes, () => /** @type {HTMLElement|null} */ (list.querySelector(`[data-key="${kind}"] button`))?.focus());
    },
  };
  /** @type {Listing<Row>} */
  const listing = new Listing(list, {
    load: async () => ({ rows: rowsOf(await get('/auth/factors')) }),
    key: (row) => (row.kind === 'passkey' ? `passkey ${row.passkey.id}` : row.kind),
    make: (row) => lineOf(row, section),
    none: '',
  });
  void listing.reload();
}

/**
 * @param {Row} row
 * @param {Section} section
 */
function lineOf(row, section) {
  switch (row.kind) {
    case 'totp': return appLine(row, section);
    case 'passkeys': return passkeysLine(row, section);
    case 'passkey': return passkeyLine(row, section);
    case 'recovery': return codesLine(row, section);
  }
}

/**
 * @param {import('../types.js').Factors} factors
 * @returns {Row[]}
 */
function rowsOf({ totp, passkeys, passkeys_unavailable: unavailable, recovery_codes: left }) {
  /** @type {Row[]} */
  const rows = [
    { kind: 'totp', since: totp?.since },
    { kind: 'passkeys', count: passkeys.length, served: unavailable === undefined },
    ...passkeys.map((passkey) => /** @type {Row} */ ({ kind: 'passkey', passkey })),
  ];
  // They stand for a factor: without one there are none.
  if (totp || passkeys.length > 0) rows.push({ kind: 'recovery', left });
  return rows;
}
