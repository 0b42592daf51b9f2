/**
 * The page on which someone who is new here, and whom the provider knows, chooses a name. What the provider calls that person stands in
 * the address, where it is a suggestion and nothing more.
 */

import { isPeerId } from '../core/names.js';
import { ApiError, post } from '../net/api.js';
import { byId } from '../ui/dom.js';
import { errorText, t } from '../ui/i18n.js';
import { complain, complaintInAddress, forgive, nextInAddress, onSubmit, prepare } from './door.js';

const username = byId('username', HTMLInputElement);
const back = byId('back', HTMLAnchorElement);
const next = nextInAddress();

prepare('name.title');
complaintInAddress();
username.value ||= new URLSearchParams(location.search).get('username') ?? '';

onSubmit(async () => {
  forgive();
  const name = username.value.trim();
  if (!isPeerId(name)) return complain('error', t('username.bad'), 'username');
  try {
    await post('/login/name', { username: name });
    location.assign(next);
  } catch (problem) {
    const { code, message } = /** @type {ApiError} */ (problem);
    const text = errorText(code, message);
    if (/user|name/.test(code)) complain('error', text, 'username');
    else {
      // Another name helps no more: on from where one can go on.
      complain('error', text);
      back.focus();
    }
  }
  return undefined;
});
