import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AT_ONCE, OFFERS_OPEN, PIECE_BYTES } from '../../www/js/p2p/files/wire.js';
import { content, dice, file, hex, Net, settle, sha256, until } from './files.support.js';

const MIB = PIECE_BYTES;
const same = async (one, other) => assert.equal(hex(await sha256(one)), hex(await sha256(other)));

/** Ann and Bob, linked. */
function pair() {
  const net = new Net();
  const ann = net.device('ann', 'a'.repeat(32));
  const bob = net.device('bob', 'b'.repeat(32));
  net.link(ann, bob);
  return { net, ann, bob };
}

const offered = (who, name) => until(() => who.stage(name) === 'offered' && who.transfers.now(who.transfer(name))?.phase === 'offer');
const accept = (who, name) => who.transfers.accept(who.transfer(name).key);
const ended = (who, name) => until(() => !['offered', 'accepted', undefined].includes(who.stage(name)));

test('a file that is accepted arrives, and both sides know', async () => {
  const { ann, bob } = pair();
  const bytes = content(2.5 * MIB);
  assert.equal(await ann.send('Bob', file('plan.pdf', bytes)), 'sent');
  await offered(bob);
  assert.equal(ann.transfers.now(ann.transfer()).phase, 'asking');
  assert.deepEqual(bob.said('file_offer').map(({ name, size, to }) => [name, size, to]), [['plan.pdf', bytes.length, 'bob']]);
  accept(bob);
  await ended(ann);
  await ended(bob);
  assert.deepEqual([ann.stage(), bob.stage()], ['done', 'done']);
  await same(bob.store.whole(bob.transfer().key), bytes);
  assert.deepEqual([bob.transfer().held, bob.transfer().saved, ann.transfer().held], [true, false, false]);
  assert.deepEqual([ann.held, bob.held], [0, 0], 'nobody holds the link any more');
  assert.deepEqual([ann.news, bob.news], [['plan.pdf done'], ['plan.pdf offered', 'plan.pdf done']]);
});

test('an empty file arrives too', async () => {
  const { ann, bob } = pair();
  await ann.send('bob', file('empty', content(0)));
  await offered(bob);
  accept(bob);
  await ended(ann);
  assert.deepEqual([ann.stage(), bob.stage()], ['done', 'done']);
});

test('nothing is taken without the person’s word', async () => {
  const { net, ann, bob } = pair();
  await ann.send('bob', file('plan.pdf', content(MIB)));
  await offered(bob);
  const channel = await ann.peers().openFile(bob.remote, bob.transfer().file);
  await until(() => !channel.open);
  assert.equal(bob.store.pieces.size, 0);
  assert.equal(net.carried, 0);
});

test('no is told to the sender', async () => {
  const { ann, bob } = pair();
  await ann.send('bob', file('plan.pdf', content(MIB)));
  await offered(bob);
  bob.transfers.decline(bob.transfer().key);
  await ended(ann);
  assert.deepEqual([ann.stage(), ann.transfer().reason, ann.transfer().by], ['declined', 'declined', 'them']);
  assert.deepEqual([bob.stage(), bob.transfer().by], ['declined', 'me']);
});

test('an offer that is taken back leaves nothing behind', async () => {
  const { ann, bob } = pair();
  await ann.send('bob', file('plan.pdf', content(MIB)));
  await offered(bob);
  ann.transfers.cancel(ann.transfer().key);
  await until(() => bob.transfers.all().length === 0);
  assert.equal(ann.stage(), 'cancelled');
  assert.equal(bob.store.records.size, 0);
});

for (const who of ['ann', 'bob']) {
  test(`${who === 'ann' ? 'the sender' : 'the receiver'} can stop it in the middle, and the pieces go`, async () => {
    const { ann, bob } = pair();
    await ann.send('bob', file('film.mkv', content(12 * MIB)));
    await offered(bob);
    accept(bob);
    await until(() => bob.store.pieces.size >= 2);
    const stopper = { ann, bob }[who];
    stopper.transfers.cancel(stopper.transfer().key);
    await ended(ann);
    await ended(bob);
    assert.deepEqual([ann.stage(), bob.stage()], ['cancelled', 'cancelled']);
    assert.deepEqual([ann.transfer().by, bob.transfer().by], who === 'ann' ? ['me', 'them'] : ['them', 'me']);
    for (let turn = 0; turn < 20; turn += 1) await settle();
    assert.equal(bob.store.pieces.size, 0);
    assert.equal(bob.transfer().held, false);
  });
}

test('a link that breaks in the middle costs nothing but time', async () => {
  const { net, ann, bob } = pair();
  const bytes = content(12 * MIB);
  await ann.send('bob', file('film.mkv', bytes));
  await offered(bob);
  accept(bob);
  await until(() => bob.store.pieces.size >= 3);
  net.cut(ann, bob);
  await until(() => ann.transfers.now(ann.transfer()).phase === 'away');
  for (let turn = 0; turn < 20; turn += 1) await settle();
  const had = bob.store.pieces.size;
  net.link(ann, bob);
  await ended(bob);
  await same(bob.store.whole(bob.transfer().key), bytes);
  const accepts = ann.said('file_accept').map((frame) => frame.from);
  assert.deepEqual(accepts, [0, had * MIB]);
  assert.equal(bob.news.filter((one) => one.endsWith('offered')).length, 1, 'the person is asked once');
});

test('a receiver’s reload goes on from the disk, after checking it', async () => {
  const { net, ann, bob } = pair();
  const bytes = content(12 * MIB);
  await ann.send('bob', file('film.mkv', bytes));
  await offered(bob);
  accept(bob);
  await until(() => bob.store.pieces.size >= 5);
  bob.shut();
  for (let turn = 0; turn < 20; turn += 1) await settle();
  const { key } = ann.transfers.all().map(({ file: id }) => ({ key: `in|ann|${id}` }))[0];
  // The disk has lost a bit in the fourth piece.
  bob.store.pieces.get(`${key}#3`).bytes[77] ^= 1;
  await bob.open();
  assert.equal(bob.transfers.now(bob.transfer()).phase, 'away');
  net.link(ann, bob);
  await ended(bob);
  assert.deepEqual(ann.said('file_accept').map((frame) => frame.from), [0, 3 * MIB]);
  await same(bob.store.whole(key), bytes);
  assert.equal(bob.transfer().from, 3 * MIB, 'the page can tell that it was resumed');
});

test('a sender’s reload goes on once the same file is chosen again', async () => {
  const { net, ann, bob } = pair();
  const bytes = content(12 * MIB);
  await ann.send('bob', file('film.mkv', bytes));
  await offered(bob);
  accept(bob);
  await until(() => bob.store.pieces.size >= 3);
  ann.shut();
  await ann.open();
  net.link(ann, bob);
  const { key } = ann.transfer();
  assert.deepEqual(ann.transfers.lost(), [key]);
  assert.equal(ann.transfers.now(ann.transfer()).phase, 'lost');
  assert.equal(bob.transfers.now(bob.transfer()).phase, 'idle');
  assert.equal(await ann.transfers.send('bob', file('film.mkv', bytes, 5), key), 'another');
  assert.equal(await ann.transfers.send('bob', file('film.mkv', bytes), key), 'sent');
  await ended(bob);
  assert.ok(ann.said('file_accept').at(-1).from >= 3 * MIB);
  await same(bob.store.whole(bob.transfer().key), bytes);
});

test('a file that changes meanwhile is told to both, and nothing of it stays', async () => {
  const { ann, bob } = pair();
  const changing = file('log.txt', content(12 * MIB));
  const { read } = changing;
  changing.read = (start, end) => (start < 10 * MIB ? read(start, end) : Promise.reject(new Error('NotReadableError')));
  await ann.send('bob', changing);
  await offered(bob);
  accept(bob);
  await ended(bob);
  assert.deepEqual([ann.stage(), ann.transfer().reason], ['failed', 'changed']);
  assert.deepEqual([bob.stage(), bob.transfer().reason, bob.transfer().by], ['failed', 'changed', 'them']);
  await until(() => bob.store.pieces.size === 0);
});

test('a full disk is told to both', async () => {
  const { ann, bob } = pair();
  await ann.send('bob', file('film.mkv', content(3 * MIB)));
  await offered(bob);
  bob.store.full = true;
  accept(bob);
  await ended(ann);
  assert.deepEqual([bob.stage(), bob.transfer().reason, ann.stage(), ann.transfer().reason], ['failed', 'no_space', 'failed', 'failed']);
});

test('every device is asked, the first that says yes gets it, and the others are told', async () => {
  const { net, ann, bob } = pair();
  const phone = net.device('bob', 'c'.repeat(32));
  net.link(ann, phone);
  await ann.send('bob', file('plan.pdf', content(MIB)));
  await offered(bob);
  await offered(phone);
  accept(phone);
  await ended(phone);
  await until(() => bob.transfers.all().length === 0);
  assert.equal(ann.transfer().device, phone.id);
  assert.equal(bob.store.pieces.size, 0);
  // A device that comes later isn't asked about what is over.
  const late = net.device('bob', 'd'.repeat(32));
  net.link(ann, late);
  for (let turn = 0; turn < 20; turn += 1) await settle();
  assert.equal(late.frames.length, 0);
});

test('two devices that say yes at once: one gets it', async () => {
  const { net, ann, bob } = pair();
  const phone = net.device('bob', 'c'.repeat(32));
  net.link(ann, phone);
  await ann.send('bob', file('plan.pdf', content(2 * MIB)));
  await offered(bob);
  await offered(phone);
  accept(phone);
  accept(bob);
  await ended(ann);
  await until(() => [bob, phone].every((one) => ['done', 'cancelled'].includes(one.stage())));
  assert.deepEqual([bob.stage(), phone.stage()].sort(), ['cancelled', 'done']);
});

test('a device that can’t take it leaves it to another; when none can, the sender is told why', async () => {
  const { net, ann, bob } = pair();
  const phone = net.device('bob', 'c'.repeat(32));
  net.link(ann, phone);
  await ann.send('bob', file('plan.pdf', content(MIB)));
  await offered(phone);
  phone.transfers.decline(phone.transfer().key, 'no_space');
  await until(() => ann.said('file_decline').length === 1);
  assert.equal(ann.stage(), 'offered');
  await offered(bob);
  bob.transfers.decline(bob.transfer().key, 'too_large');
  await ended(ann);
  assert.deepEqual([ann.stage(), ann.transfer().reason], ['declined', 'too_large']);
});

test('a receiver that is away is asked when it comes', async () => {
  const net = new Net();
  const [ann, bob] = [net.device('ann', 'a'.repeat(32)), net.device('bob', 'b'.repeat(32))];
  await ann.send('bob', file('plan.pdf', content(MIB)));
  assert.equal(ann.transfers.now(ann.transfer()).phase, 'away');
  net.link(ann, bob);
  await offered(bob);
  net.cut(ann, bob);
  accept(bob);
  await until(() => bob.transfers.now(bob.transfer()).phase === 'away');
  net.link(ann, bob);
  await ended(ann);
  assert.equal(ann.stage(), 'done');
});

test('what the sender takes back while the receiver is away is told when it comes', async () => {
  const { net, ann, bob } = pair();
  await ann.send('bob', file('film.mkv', content(12 * MIB)));
  await offered(bob);
  accept(bob);
  await until(() => bob.store.pieces.size >= 2);
  net.cut(ann, bob);
  ann.transfers.cancel(ann.transfer().key);
  // The sender's page is closed and opened before that.
  ann.shut();
  await ann.open();
  net.link(ann, bob);
  await ended(bob);
  assert.deepEqual([bob.stage(), bob.transfer().by], ['cancelled', 'them']);
  await until(() => ann.transfer().untold.length === 0);
});

test('what the receiver says while the sender is away is told when it comes', async () => {
  const { net, ann, bob } = pair();
  await ann.send('bob', file('one', content(12 * MIB)));
  await ann.send('bob', file('two', content(MIB)));
  await offered(bob, 'one');
  await offered(bob, 'two');
  accept(bob, 'one');
  await until(() => bob.store.pieces.size >= 2);
  net.cut(ann, bob);
  bob.transfers.cancel(bob.transfer('one').key);
  bob.transfers.decline(bob.transfer('two').key);
  net.link(ann, bob);
  await ended(ann, 'one');
  await ended(ann, 'two');
  assert.deepEqual([ann.stage('one'), ann.stage('two')], ['cancelled', 'declined']);
});

test('eight at once, more wait, and all arrive', async () => {
  const { ann, bob } = pair();
  let most = 0;
  for (let n = 0; n < 20; n += 1) await ann.send('bob', file(`file ${n}`, content(1.5 * MIB, n)));
  await until(() => bob.transfers.all().length === 20);
  for (const one of bob.transfers.all()) bob.transfers.accept(one.key);
  await until(() => {
    const moving = bob.transfers.all().filter((one) => ['moving', 'checking'].includes(bob.transfers.now(one)?.phase));
    most = Math.max(most, moving.length);
    return bob.transfers.all().every((one) => one.stage === 'done');
  });
  assert.ok(most > 1 && most <= AT_ONCE, String(most));
  for (let n = 0; n < 20; n += 1) await same(bob.store.whole(bob.transfer(`file ${n}`).key), content(1.5 * MIB, n));
});

test('a sender asks no more than 32 questions at a time', async () => {
  const { ann, bob } = pair();
  for (let n = 0; n < OFFERS_OPEN + 3; n += 1) await ann.send('bob', file(`file ${n}`, content(10, n)));
  await until(() => bob.transfers.all().length === OFFERS_OPEN);
  for (let turn = 0; turn < 20; turn += 1) await settle();
  assert.equal(bob.transfers.all().length, OFFERS_OPEN);
  assert.equal(ann.transfers.now(ann.transfer(`file ${OFFERS_OPEN}`)).phase, 'turn');
  bob.transfers.decline(bob.transfer('file 0').key);
  await offered(bob, `file ${OFFERS_OPEN}`);
});

test('a receiver keeps no more than 32 questions of one peer, and turns the rest away', async () => {
  const { ann, bob } = pair();
  for (let n = 0; n < OFFERS_OPEN + 5; n += 1) {
    const id = n.toString(16).padStart(32, '0');
    const offer = { t: 'file_offer', file: id, to: 'bob', name: `file ${n}`, size: 5, mime: '', timestamp: '2026-01-01T00:00:00.000Z' };
    await ann.peers().send(bob.remote, offer);
  }
  await until(() => ann.said('file_decline').length === 5);
  assert.ok(ann.said('file_decline').every((frame) => frame.reason === 'busy'));
  assert.equal(bob.transfers.all().length, OFFERS_OPEN);
});

test('the word that it is done may get lost: the next offer brings it again', async () => {
  const { net, ann, bob } = pair();
  const bytes = content(2 * MIB);
  await ann.send('bob', file('plan.pdf', bytes));
  await offered(bob);
  accept(bob);
  await until(() => bob.stage() === 'done');
  // The word is on its way just now.
  net.cut(ann, bob);
  assert.equal(ann.stage(), 'accepted');
  net.link(ann, bob);
  await ended(ann);
  assert.equal(ann.stage(), 'done');
  assert.deepEqual(ann.said('file_accept').map((frame) => frame.from), [0, bytes.length]);
  assert.equal(bob.news.filter((one) => one.endsWith('offered')).length, 1);
});

test('a file that is sent once more is there at once while it is kept, and asked for anew when it isn’t', async () => {
  const { net, ann, bob } = pair();
  const bytes = content(2 * MIB);
  const again = async () => {
    await ann.send('bob', file('plan.pdf', bytes));
    await offered(bob);
    accept(bob);
    await ended(ann);
  };
  await again();
  const carried = net.carried;
  await ann.send('bob', file('plan.pdf', bytes));
  await until(() => ann.news.length === 2);
  assert.equal(ann.stage(), 'done');
  assert.equal(net.carried, carried + 1, 'the end alone');
  bob.transfers.saved(bob.transfer().key);
  bob.transfers.free(bob.transfer().key);
  assert.deepEqual([bob.transfer().held, bob.transfer().saved], [false, true]);
  await again();
  await same(bob.store.whole(bob.transfer().key), bytes);
});

test('what was refused or stopped can be sent again', async () => {
  const { ann, bob } = pair();
  const bytes = content(MIB);
  await ann.send('bob', file('plan.pdf', bytes));
  await offered(bob);
  bob.transfers.decline(bob.transfer().key);
  await ended(ann);
  assert.equal(await ann.send('bob', file('plan.pdf', bytes)), 'sent');
  assert.equal(await ann.send('bob', file('plan.pdf', bytes)), 'already');
  await offered(bob);
  accept(bob);
  await ended(ann);
  assert.equal(ann.stage(), 'done');
});

test('a stranger can’t speak about somebody else’s file', async () => {
  const { net, ann, bob } = pair();
  const eve = net.device('eve', 'e'.repeat(32));
  net.link(eve, ann);
  net.link(eve, bob);
  await ann.send('bob', file('plan.pdf', content(12 * MIB)));
  await offered(bob);
  const { file: id } = ann.transfer();
  accept(bob);
  await until(() => bob.store.pieces.size >= 1);
  for (const t of ['file_accept', 'file_decline', 'file_cancel', 'file_done']) {
    for (const victim of [ann, bob]) await eve.peers().send(victim.remote, { t, file: id, from: 0, reason: 'cancelled' });
  }
  const channel = await eve.peers().openFile(bob.remote, id);
  await until(() => !channel.open);
  await ended(ann);
  assert.deepEqual([ann.stage(), bob.stage()], ['done', 'done']);
  assert.equal(bob.transfers.all().length, 1);
});

test('an offer that is for someone else, or is none, is nothing', async () => {
  const { ann, bob } = pair();
  const offer = { t: 'file_offer', file: '0'.repeat(32), to: 'carl', name: 'x', size: 5, mime: '', timestamp: '2026-01-01T00:00:00.000Z' };
  for (const frame of [offer, { ...offer, to: 'bob', size: -1 }, { ...offer, to: 'bob', file: 'x' }, { t: 'file_offer' }]) await ann.peers().send(bob.remote, frame);
  for (let turn = 0; turn < 20; turn += 1) await settle();
  assert.equal(bob.transfers.all().length, 0);
});

test('an accept from a byte that is no start ends it on both sides', async () => {
  const { ann, bob } = pair();
  await ann.send('bob', file('plan.pdf', content(2 * MIB)));
  await offered(bob);
  await bob.peers().send(ann.remote, { t: 'file_accept', file: ann.transfer().file, from: 17 });
  await ended(ann);
  assert.equal(ann.stage(), 'failed');
});

test('a device that stops being the leader lets go of everything', async () => {
  const { ann, bob } = pair();
  await ann.send('bob', file('film.mkv', content(12 * MIB)));
  await offered(bob);
  accept(bob);
  await until(() => bob.store.pieces.size >= 1);
  bob.transfers.stop();
  ann.transfers.stop();
  assert.deepEqual([ann.held, bob.held], [0, 0]);
  const { size } = bob.store.pieces;
  for (let turn = 0; turn < 50; turn += 1) await settle();
  assert.ok(bob.store.pieces.size <= size + 1);
});

test('however the links break and the receiver restarts, all files arrive whole', async () => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const { below } = dice(seed);
    const { net, ann, bob } = pair();
    const phone = net.device('bob', 'c'.repeat(32));
    const files = Array.from({ length: 5 }, (_, n) => ({ name: `file ${n}`, bytes: content(below(5 * MIB), seed * 10 + n) }));
    for (const one of files) await ann.send('bob', file(one.name, one.bytes));
    const places = () => [bob, phone].flatMap((device) => device.transfers.all().map((transfer) => ({ device, transfer })));
    const finished = () => files.every(({ name }) => ann.stage(name) === 'done');
    for (let round = 0; round < 4000 && !finished(); round += 1) {
      for (let turn = below(30); turn >= 0; turn -= 1) await settle();
      const calm = round > 60;
      const device = below(4) === 0 ? phone : bob;
      switch (calm ? 9 : below(6)) {
        case 0:
          net.cut(ann, device);
          break;
        case 1:
          device.shut();
          await device.open();
          break;
        default:
          net.link(ann, bob);
          if (calm || below(3) === 0) net.link(ann, phone);
      }
      for (const { device: at, transfer } of places()) if (transfer.stage === 'offered' && below(2) === 0) at.transfers.accept(transfer.key);
    }
    assert.ok(finished(), `seed ${seed}: ${files.map(({ name }) => ann.stage(name))}`);
    for (const { name, bytes } of files) {
      const whole = places().filter(({ transfer }) => transfer.name === name && transfer.stage === 'done');
      assert.equal(whole.length, 1, `seed ${seed}, ${name}: once`);
      await same(whole[0].device.store.whole(whole[0].transfer.key), bytes);
    }
    for (const device of [ann, bob, phone]) device.shut();
  }
});
