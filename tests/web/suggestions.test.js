import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { MOST, RENEWED_AFTER, Suggestions } from '../../www/js/pages/suggestions.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
});

/** The pages of one browser that are told of each other's questions. */
function browser() {
  const all = [];
  return () => {
    const own = new EventTarget();
    own.postMessage = () => all.filter((one) => one !== own).forEach((one) => one.dispatchEvent(new Event('message')));
    all.push(own);
    return own;
  };
}

/** A login page. `pick` is what the person does with what the browser offers just now. */
function visit({ hidden = false, able = true, enters = true, others = browser()() } = {}) {
  const page = Object.assign(new EventTarget(), { hidden });
  const at = {
    asked: 0,
    offered: [],
    entered: [],
    pick: (_credential) => undefined,
    answer: undefined,
    async turnsTo(shown) {
      page.hidden = !shown;
      page.dispatchEvent(new Event('visibilitychange'));
      await turn();
    },
  };
  at.suggestions = new Suggestions({
    able: Promise.resolve(able),
    ask: async () => {
      at.asked += 1;
      const number = at.asked;
      if (at.answer) await at.answer;
      return number;
    },
    show: (asked, signal) => new Promise((resolve, reject) => {
      signal.throwIfAborted();
      at.offered.push(asked);
      at.pick = resolve;
      at.fail = reject;
      signal.addEventListener('abort', () => {
        at.offered.splice(at.offered.indexOf(asked), 1);
        reject(signal.reason);
      });
    }),
    picked: async (credential) => {
      at.entered.push(credential);
      return enters;
    },
    page,
    others,
  });
  return at;
}

async function starts(at) {
  at.suggestions.start();
  await turn();
}

async function minutesPass(count) {
  mock.timers.tick(count * 60_000);
  await turn();
}

test('whoever picks a passkey that the browser offers enters, and nothing is asked any more', async () => {
  const at = visit();
  await starts(at);
  assert.deepEqual([at.asked, at.offered], [1, [1]]);
  at.pick('key');
  await turn();
  assert.deepEqual(at.entered, ['key']);
  await minutesPass(60);
  assert.equal(at.asked, 1);
});

test('what cannot be done is not asked for', async () => {
  const at = visit({ able: false });
  await starts(at);
  await minutesPass(60);
  await at.turnsTo(true);
  assert.equal(at.asked, 0);
});

test('a passkey that is refused may be picked again', async () => {
  const at = visit({ enters: false });
  await starts(at);
  at.pick('removed');
  await turn();
  assert.deepEqual([at.entered, at.offered.at(-1)], [['removed'], 2]);
});

test('the question is renewed before it is over, and only a few times', async () => {
  const at = visit();
  await starts(at);
  mock.timers.tick(RENEWED_AFTER - 1);
  await turn();
  assert.deepEqual([at.asked, at.offered], [1, [1]]);
  mock.timers.tick(1);
  await turn();
  assert.deepEqual([at.asked, at.offered], [2, [2]]);
  for (let number = 0; number < 3 * MOST; number += 1) await minutesPass(RENEWED_AFTER / 60_000);
  // What the server doesn't know any more isn't offered either.
  assert.deepEqual([at.asked, at.offered], [MOST, []]);
});

test('nothing is asked for while the page does not show', async () => {
  const at = visit({ hidden: true });
  await starts(at);
  assert.equal(at.asked, 0);
  await at.turnsTo(true);
  assert.equal(at.asked, 1);
  await at.turnsTo(false);
  await minutesPass(60);
  assert.equal(at.asked, 1);
  await at.turnsTo(true);
  assert.deepEqual([at.asked, at.offered], [2, [2]]);
});

test('what is offered stays when the page shows again soon: the person may have been away for the finger', async () => {
  const at = visit();
  await starts(at);
  await at.turnsTo(false);
  await at.turnsTo(true);
  assert.deepEqual([at.asked, at.offered], [1, [1]]);
});

test('where another page asked meanwhile, this one asks again when it shows', async () => {
  const page = browser();
  const [first, second] = [visit({ others: page() }), visit({ others: page(), hidden: true })];
  await starts(first);
  await first.turnsTo(false);
  await second.turnsTo(true);
  await starts(second);
  assert.deepEqual([first.asked, second.asked], [1, 1]);
  await second.turnsTo(false);
  await first.turnsTo(true);
  assert.deepEqual([first.asked, first.offered], [2, [2]]);
});

test('whoever goes another way is offered nothing, and the next question waits for the last one', async () => {
  const at = visit();
  let answer;
  at.answer = new Promise((resolve) => { answer = resolve; });
  await starts(at);
  let still = true;
  const stopped = at.suggestions.stop().then(() => { still = false; });
  await turn();
  assert.equal(still, true);
  answer();
  await stopped;
  assert.deepEqual([at.asked, at.offered], [1, []]);
  await minutesPass(60);
  await at.turnsTo(true);
  assert.equal(at.asked, 1);
  await starts(at);
  assert.deepEqual([at.asked, at.offered], [2, [2]]);
});

test('a pick that comes when the person already went another way is left', async () => {
  const at = visit();
  await starts(at);
  at.pick('key');
  await at.suggestions.stop();
  assert.deepEqual(at.entered, []);
});

test('a browser that offers nothing, and a server that does not answer, are no complaint', async () => {
  const at = visit();
  await starts(at);
  at.fail(new DOMException('no', 'NotAllowedError'));
  await turn();
  assert.deepEqual([at.asked, at.entered], [1, []]);
  const cut = visit();
  cut.answer = Promise.reject(new Error('no link'));
  await starts(cut);
  assert.deepEqual([cut.asked, cut.offered], [1, []]);
  await cut.suggestions.stop();
});

test('a browser that can not tell its other pages offers passkeys all the same', async () => {
  const at = visit({ others: null });
  await starts(at);
  assert.deepEqual(at.offered, [1]);
});
