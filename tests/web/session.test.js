import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offers, Session } from '../../www/js/p2p/session.js';

const START = 1_700_000_000_000;
const description = (name = 'sdp') => ({ sdp: name, public_key: 'k', signature: 's' });
const offer = (name) => ({ kind: 'offer', ...description(name) });
const answer = (name) => ({ kind: 'answer', ...description(name) });
const candidate = (name) => ({ kind: 'candidate', candidate: name });
const kinds = (actions) => actions.map((action) => action.do);

test('exactly one of two devices offers: the lower peer, or of one peer the lower device', () => {
  const [alice, bob] = [{ peer: 'Alice', device: '02' }, { peer: 'bob', device: '01' }];
  assert.ok(offers(alice, bob) && !offers(bob, alice));
  assert.ok(offers({ peer: 'a', device: '01' }, { peer: 'A', device: '02' }));
  assert.ok(!offers({ peer: 'A', device: '02' }, { peer: 'a', device: '01' }));
});

test('who offers begins with the time and goes up, whatever the clock does', () => {
  const session = new Session(true);
  assert.deepEqual(session.want(true, START), [{ do: 'offer', session: START }]);
  assert.deepEqual(kinds(session.tick(START + 1999, true)), []);
  assert.deepEqual(session.tick(START + 2000, true), [{ do: 'close' }, { do: 'offer', session: START + 2000 }]);
  assert.deepEqual(session.tick(START + 6000, true).at(-1), { do: 'offer', session: START + 6000 });
  // The clock is set back by an hour, and the other side asks.
  const [, again] = session.receive(START + 6000, { kind: 'call' }, START - 3_600_000);
  assert.deepEqual(again, { do: 'offer', session: START + 6001 });
});

test('who waits for an offer asks for it, again and again at growing intervals, as long as the other is there', () => {
  const session = new Session(false);
  assert.deepEqual(session.want(true, START), [{ do: 'call', session: 0 }]);
  const asked = [];
  for (let at = START; at < START + 300_000; at += 250) if (kinds(session.tick(at, true)).includes('call')) asked.push(at - START);
  assert.deepEqual(asked.slice(0, 5), [2000, 6000, 14000, 30000, 62000]);
  assert.equal(asked[6] - asked[5], 60_000);
  assert.deepEqual(kinds(session.tick(START + 999_999, false)), ['close']);
  assert.deepEqual(kinds(session.tick(START + 1_999_999, false)), []);
  assert.deepEqual(kinds(session.tick(START + 1_999_999, true)), ['call']);
});

test('an answer is taken once, for the offer that is under way', () => {
  const session = new Session(true);
  session.want(true, START);
  assert.equal(session.fits(START - 1, 'answer'), false);
  assert.deepEqual(session.receive(START - 1, answer(), START), []);
  assert.deepEqual(session.receive(START, answer('x'), START), [{ do: 'accept', description: answer('x'), candidates: [] }]);
  assert.deepEqual(session.receive(START, answer('y'), START), []);
  assert.deepEqual(session.receive(START, offer('z'), START), []);
});

test('a newer offer ends the old session, an older one is answered with the newest number', () => {
  const session = new Session(false);
  assert.deepEqual(kinds(session.receive(START, offer(), START)), ['answer']);
  session.up();
  assert.deepEqual(kinds(session.receive(START + 1, offer(), START + 1)), ['close', 'answer']);
  assert.deepEqual(session.receive(START, offer(), START + 2), [{ do: 'call', session: START + 1 }]);
  assert.deepEqual(session.receive(START + 1, offer('again'), START + 2), []);
  assert.equal(session.fits(START, 'offer'), false);
});

test('candidates that come before their description wait, up to 64 of the newest session', () => {
  const session = new Session(false);
  session.receive(START - 5, candidate('old'), START);
  for (let n = 0; n < 100; n += 1) session.receive(START, candidate(`c${n}`), START);
  session.receive(START - 5, candidate('older'), START);
  const [made] = session.receive(START, offer(), START);
  assert.equal(made.candidates.length, 64);
  assert.equal(made.candidates[0], 'c0');
  assert.deepEqual(session.receive(START, candidate('late'), START), [{ do: 'candidate', candidate: 'late' }]);
  assert.deepEqual(session.receive(START - 5, candidate('stale'), START), []);
  assert.deepEqual(session.receive(START, candidate('x'.repeat(1025)), START), []);
  assert.deepEqual(session.receive(START, candidate(7), START), []);
});

test('an answer that overtakes nothing gets the candidates that overtook it', () => {
  const session = new Session(true);
  session.want(true, START);
  assert.deepEqual(session.receive(START, candidate('early'), START), []);
  assert.deepEqual(session.receive(START, answer(), START)[0].candidates, ['early']);
});

test('a call that crosses the offer starts no second one; one that saw it does', () => {
  const session = new Session(true);
  session.want(true, START);
  assert.deepEqual(session.receive(0, { kind: 'call' }, START + 5), []);
  assert.deepEqual(kinds(session.receive(START, { kind: 'call' }, START + 5)), ['close', 'offer']);
  // A page that was loaded anew has seen nothing, and asks.
  session.receive(session.number, answer(), START + 10);
  session.up();
  assert.deepEqual(kinds(session.receive(0, { kind: 'call' }, START + 5000)), ['close', 'offer']);
});

test('a device that is asked offers, and does not insist', () => {
  const session = new Session(true);
  assert.deepEqual(kinds(session.receive(0, { kind: 'call' }, START)), ['offer']);
  assert.deepEqual(kinds(session.tick(START + 2000, true)), ['close']);
  assert.deepEqual(kinds(session.tick(START + 60_000, true)), []);
});

test('a link that does not come up is given up and tried again later and later', () => {
  const session = new Session(true);
  session.want(true, START);
  const failed = [];
  for (let at = START; at < START + 200_000; at += 500) {
    const actions = session.tick(at, true);
    if (kinds(actions).includes('close') && session.phase === 'idle') failed.push(at - START);
    if (session.phase === 'waiting') session.receive(session.number, answer(), at);
  }
  assert.equal(failed[0], 15_000);
  assert.equal(failed[1], 15_000 + 4000 + 15_000);
  assert.equal(failed[2] - failed[1], 8000 + 15_000);
  assert.equal(session.failures, failed.length);
});

test('an attempt that the other side gives up counts as a failed one', () => {
  const session = new Session(false);
  session.receive(START, offer(), START);
  assert.equal(session.failures, 0);
  session.receive(START + 2000, offer(), START + 2000);
  assert.equal(session.failures, 1);
  session.up();
  assert.equal(session.failures, 0);
});

test('a lost link is made again at once, an ended one after a pause', () => {
  const session = new Session(true);
  session.want(true, START);
  session.receive(START, answer(), START);
  session.up();
  assert.deepEqual(kinds(session.lost(START + 1)), ['close']);
  assert.deepEqual(kinds(session.tick(START + 1, true)), ['offer']);
  session.receive(session.number, answer(), START + 2);
  session.up();
  assert.deepEqual(session.receive(START, { kind: 'bye' }, START + 3), []);
  assert.deepEqual(kinds(session.receive(session.number, { kind: 'bye' }, START + 3)), ['close']);
  assert.deepEqual(kinds(session.tick(START + 100, true)), []);
  assert.deepEqual(kinds(session.tick(START + 2003, true)), ['offer']);
});

test('a number beyond all numbers ends no talk for ever', () => {
  const session = new Session(true);
  assert.deepEqual(kinds(session.receive(Number.MAX_VALUE, { kind: 'call' }, START)), []);
  assert.deepEqual(kinds(session.want(true, START)), ['offer']);
  const other = new Session(false);
  assert.deepEqual(kinds(other.receive(Number.MAX_VALUE, offer(), START)), []);
});

test('two sides that lose, delay and reorder signals agree in the end', () => {
  let word = 7;
  const chance = () => {
    word = (Math.imul(word, 1103515245) + 12345) & 0x7fffffff;
    return (word >> 8) / (1 << 23);
  };
  for (let round = 0; round < 200; round += 1) {
    const sides = [new Session(true), new Session(false)];
    /** @type {{at: number, to: number, session: number, signal: any}[]} */
    const wire = [];
    let now = START + round;
    const act = (from, actions) => {
      for (const action of actions) {
        const send = (session, signal) => chance() < 0.8 && wire.push({ at: now + chance() * 400, to: 1 - from, session, signal });
        if (action.do === 'offer') send(action.session, offer());
        if (action.do === 'call') send(action.session, { kind: 'call' });
        if (action.do === 'answer') send(action.session, answer());
      }
    };
    const linked = () => sides.every((side) => side.phase === 'connecting' && side.number === sides[0].number);
    sides.forEach((side, index) => act(index, side.want(true, now)));
    for (let step = 0; step < 4000 && !linked(); step += 1, now += 50) {
      for (const due of wire.filter((one) => one.at <= now)) {
        wire.splice(wire.indexOf(due), 1);
        act(due.to, sides[due.to].receive(due.session, due.signal, now));
      }
      sides.forEach((side, index) => act(index, side.tick(now, true)));
    }
    assert.ok(linked(), `round ${round}`);
  }
});
