/**
 * Who is signed in, asked by every page behind the door.
 */

import { backoff } from '../core/backoff.js';
import { ApiError, get } from '../net/api.js';
import { loginPage } from '../view/banner.js';

/**
 * The account of this session. A server that is away is asked again; a session that is over leads to the login page.
 * @param {(problem: ApiError) => void} away  told each time that there is no answer
 * @returns {Promise<import('../types.js').Account>}
 */
export async function whoAmI(away) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await get('/me');
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      if (problem.status === 401) {
        location.replace(loginPage());
        return new Promise(() => undefined);
      }
      away(problem);
      await new Promise((resolve) => setTimeout(resolve, backoff(attempt, Math.random())));
    }
  }
}
