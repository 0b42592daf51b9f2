/**
 * A new password for the own account.
 */

import { get, post } from '../net/api.js';
import { securePost } from '../dialogs/reauth.js';
import { act } from '../ui/act.js';
import { byId } from '../ui/dom.js';
import { t } from '../ui/i18n.js';
import { toast } from '../ui/overlay.js';
import { showButton, watchStrength } from '../ui/password.js';

/**
 * @param {import('../types.js').Account} me
 * @param {() => void} changed  the other sessions are over
 */
export function passwordSection(me, changed) {
  const form = byId('password-form', HTMLFormElement);
  const current = byId('password-current', HTMLInputElement);
  const next = byId('password-new', HTMLInputElement);
  let min = 12;
  byId('password-name', HTMLInputElement).defaultValue = me.username;
  showButton(byId('show-current'), current);
  showButton(byId('show-new'), next);
  const hint = watchStrength(next, byId('password-hint'), () => ({ min, username: me.username }));
  get('/auth/info').then((answer) => {
    min = /** @type {import('../types.js').Info} */ (answer).password_min;
    hint();
  }, () => undefined);
  /** An account that a provider vouches for has none at first. @param {boolean} has */
  const draw = (has) => {
    byId('password-so-far').hidden = current.disabled = !has;
    byId('password-none').hidden = has;
    for (const [id, key] of /** @type {const} */ ([['password-title', 'password.change'], ['password-save', 'password.save']])) {
      const words = has ? key : 'password.set';
      byId(id).dataset.i18n = words;
      byId(id).textContent = t(words);
    }
  };
  const look = () => get('/auth/factors').then((answer) => draw(/** @type {import('../types.js').Factors} */ (answer).password), () => undefined);
  void look();
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    for (const field of [current, next]) field.removeAttribute('aria-invalid');
    const well = await act(form, byId('password-error'), async () => {
      const first = current.disabled;
      // Without one so far it is the recent sign-in that counts.
      await (first ? securePost('/password', { new_password: next.value }) : post('/password', { current_password: current.value, new_password: next.value }));
    }, (problem) => {
      const field = problem.code.startsWith('password_') || current.disabled ? next : current;
      if (problem.status >= 400 && problem.status < 429) field.setAttribute('aria-invalid', 'true');
      field.focus();
    });
    if (!well) return;
    form.reset();
    hint();
    toast(t('password.changed'));
    void look();
    changed();
  });
}
