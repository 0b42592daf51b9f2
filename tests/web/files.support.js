/** Two ends of files: a seeded dice, bytes, a memory for pieces, and a network of devices whose links can be cut. */

import { createHash } from 'node:crypto';
import { Transfers } from '../../www/js/p2p/files/transfers.js';

/** The same numbers for the same seed. */
export function dice(seed) {
  let state = seed >>> 0 || 1;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, below: (n) => Math.floor(next() * n) };
}

export const sha256 = async (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
export const hex = (bytes) => Buffer.from(bytes).toString('hex');

/** Bytes that depend on their place, so that a swapped or doubled piece shows. */
export function content(size, seed = 1) {
  const bytes = new Uint8Array(size);
  const words = new Uint32Array(bytes.buffer, 0, size >> 2);
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(at + seed, 2654435761) ^ (at >>> 7);
  for (let at = words.length * 4; at < size; at += 1) bytes[at] = at + seed;
  return bytes;
}

/** What an `Outgoing` reads from. */
export function source(bytes) {
  return { size: bytes.length, read: async (start, end) => bytes.slice(start, end) };
}

/** A file as a page gives it. */
export function file(name, bytes, lastModified = 1_700_000_000_000) {
  return { name, type: 'application/octet-stream', lastModified, ...source(bytes) };
}

/** Lets everything that waits for nothing but a turn have it. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export async function until(what, turns = 20_000) {
  for (let turn = 0; turn < turns; turn += 1) {
    if (what()) return;
    await settle();
  }
  throw new Error(`it never became true: ${what}`);
}

/** Records and pieces, as a disk that outlives the page. */
export class MemoryStore {
  records = new Map();
  pieces = new Map();
  full = false;

  async transfers() {
    return [...this.records.values()].map((record) => structuredClone(record));
  }

  async putTransfer(transfer) {
    this.records.set(transfer.key, structuredClone(transfer));
  }

  async removeTransfer(key) {
    this.records.delete(key);
  }

  async putPiece(key, n, bytes, digest) {
    await settle();
    if (this.full) throw new Error('QuotaExceededError');
    this.pieces.set(`${key}#${n}`, { bytes: bytes.slice(), digest: digest.slice() });
  }

  async verified(key) {
    const digests = [];
    for (let n = 0; this.pieces.has(`${key}#${n}`); n += 1) {
      const { bytes, digest } = this.pieces.get(`${key}#${n}`);
      if (hex(await sha256(bytes)) !== hex(digest)) break;
      digests.push(digest);
    }
    for (const name of this.of(key)) if (Number(name.split('#')[1]) >= digests.length) this.pieces.delete(name);
    return digests;
  }

  async dropPieces(key) {
    for (const name of this.of(key)) this.pieces.delete(name);
  }

  of(key) {
    return [...this.pieces.keys()].filter((name) => name.startsWith(`${key}#`));
  }

  /** The whole of what came. */
  whole(key) {
    return Buffer.concat(this.of(key).map((_, n) => this.pieces.get(`${key}#${n}`).bytes));
  }
}

/** One end of a file's channel; messages arrive in order, a turn later, and not at all once it is closed. */
class Channel {
  onmessage = null;
  onclose = null;
  other;
  open = true;
  #early = [];
  #lane = Promise.resolve();

  constructor(net) {
    this.net = net;
  }

  async send(message) {
    if (!this.open) throw new Error('closed');
    this.net.carried += 1;
    const copy = message instanceof Uint8Array ? message.slice().buffer : JSON.parse(JSON.stringify(message));
    const { other } = this;
    this.#lane = this.#lane.then(settleSometimes).then(() => other.open && other.take(copy));
    await this.#lane;
  }

  take(message) {
    if (this.onmessage) this.onmessage(message);
    else this.#early.push(message);
  }

  listen(listener) {
    this.onmessage = listener;
  }

  close() {
    for (const end of [this, this.other]) {
      if (!end.open) continue;
      end.open = false;
      // Here at once, there a moment later.
      if (end === this) end.onclose?.();
      else queueMicrotask(() => end.onclose?.());
    }
  }

  /** What came before anybody listened. */
  flush() {
    for (const message of this.#early.splice(0)) this.onmessage?.(message);
  }
}

let turn = 0;
/** Mostly at once, now and then a turn later: tests with thousands of messages stay quick. */
function settleSometimes() {
  turn += 1;
  return turn % 8 === 0 ? settle() : undefined;
}

let stamped = 0;
function stamp() {
  stamped = Math.max(Date.now(), stamped + 1);
  return new Date(stamped).toISOString();
}

/** Devices and the links between them. */
export class Net {
  devices = new Map();
  carried = 0;

  /** A device of a peer, with a disk of its own. */
  device(peer, device, store = new MemoryStore()) {
    const one = new Device(this, peer, device, store);
    this.devices.set(device, one);
    return one;
  }

  link(one, other) {
    if (one.links.has(other.id)) return;
    for (const [here, there] of [[one, other], [other, one]]) here.links.set(there.id, new Set());
    for (const [here, there] of [[one, other], [other, one]]) here.tell('up', { remote: there.remote, way: 'direct' });
  }

  cut(one, other) {
    if (!one.links.has(other.id)) return;
    const channels = [...one.links.get(other.id), ...other.links.get(one.id)];
    for (const [here, there] of [[one, other], [other, one]]) here.links.delete(there.id);
    for (const channel of channels) channel.close();
    for (const [here, there] of [[one, other], [other, one]]) here.tell('down', { remote: there.remote });
  }
}

export class Device extends EventTarget {
  /** Channels by device. */
  links_ = new Map();
  isLeader = true;
  news = [];
  frames = [];
  held = 0;

  constructor(net, peer, id, store) {
    super();
    Object.assign(this, { net, me: peer, id, device: id, store, remote: { peer, device: id } });
    this.open();
  }

  /** The page is opened: a fresh memory, the old disk. */
  open() {
    this.up = true;
    this.timers = new Set();
    this.transfers = new Transfers({
      p2p: this.peers(), store: this.store, sha256, now: () => Date.now(), random: () => 0, stamp,
      later: (ms, work) => {
        // Waiting is not what is tested here: whatever comes later, comes soon.
        const timer = setTimeout(work, Math.min(ms, 5)).unref();
        return () => clearTimeout(timer);
      },
      spelling: (peer) => peer, devices: (peer) => [...this.net.devices.values()].filter((one) => one.me === peer && one.up).map((one) => one.id),
      changed: () => undefined, moved: () => undefined, news: (transfer) => this.news.push(`${transfer.name} ${transfer.stage}`),
    });
    return this.transfers.start();
  }

  /** The page is closed: links and memory are gone, the disk is not. */
  shut() {
    this.up = false;
    for (const id of [...this.links.keys()]) this.net.cut(this, this.net.devices.get(id));
    this.transfers.stop();
  }

  get links() {
    return this.links_;
  }

  /** The interface of the links, as the page offers it. */
  peers() {
    const device = this;
    return Object.assign(new Proxied(this), {
      me: this.me, device: this.id, isLeader: true,
      links: (peer) => [...device.links.keys()].map((id) => device.net.devices.get(id)).filter((one) => one.me === peer)
        .map((one) => ({ remote: one.remote, way: 'direct' })),
      connect: () => undefined,
      hold: () => {
        device.held += 1;
        return () => {
          device.held -= 1;
        };
      },
      send: async (remote, frame) => {
        if (!device.links.has(remote.device)) throw new Error('no link');
        const other = device.net.devices.get(remote.device);
        const copy = JSON.parse(JSON.stringify(frame));
        const link = device.links.get(remote.device);
        await settle();
        // What was on its way when the link broke is lost, also if there is a new one.
        if (device.links.get(remote.device) === link) other.hear(device.remote, copy);
      },
      openFile: async (remote, file) => {
        if (!device.links.has(remote.device)) throw new Error('no link');
        const other = device.net.devices.get(remote.device);
        const [here, there] = [new Channel(device.net), new Channel(device.net)];
        Object.assign(here, { other: there });
        Object.assign(there, { other: here });
        device.links.get(remote.device).add(here);
        await settle();
        if (!here.open) throw new Error('closed');
        other.tell('filechannel', { remote: device.remote, file, channel: there });
        await settle();
        there.flush();
        return here;
      },
    });
  }

  hear(remote, frame) {
    this.frames.push(frame);
    this.tell('frame', { remote, frame });
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // --- what a test says and asks -----------------------------------------------------------------

  send(peer, what) {
    return this.transfers.send(peer, what);
  }

  /** The only transfer, or the one with this name. */
  transfer(name) {
    return this.transfers.all().find((one) => name === undefined || one.name === name);
  }

  stage(name) {
    return this.transfer(name)?.stage;
  }

  said(t) {
    return this.frames.filter((frame) => frame.t === t);
  }
}

/** An EventTarget that hears what another one hears. */
class Proxied {
  constructor(target) {
    this.addEventListener = target.addEventListener.bind(target);
    this.removeEventListener = target.removeEventListener.bind(target);
  }
}
