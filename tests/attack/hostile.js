'use strict';
// One connection of a hostile client: it may read nothing, close one half, send what it likes; its answers are counted and not kept.
const net = require('net');

const {DATA, encode} = require('../replay/fast_wire');

const HEADER_BYTES = 15, ERROR = 3;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A request as bytes. */
function request(msgid, name, args) {
  return encode({version: 2, status: DATA, msgid, json: JSON.stringify({m: {uts: 1, name}, d: args})});
}

/** The header of a frame whose payload is said to have that length. */
function header(length, {msgid = 1, status = DATA, version = 2} = {}) {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.set([version, 1, status]);
  bytes.writeUInt32BE(msgid, 3);
  bytes.writeUInt32BE(length, 11);
  return bytes;
}

/** Tells of each frame as it comes: of DATA nothing but that; of an ERROR its name. */
class FrameCounter {
  constructor(tell) {
    Object.assign(this, {tell, head: Buffer.alloc(0), left: 0, kept: null});
  }
  push(chunk) {
    while (chunk.length > 0) {
      if (this.left > 0) {
        const taken = chunk.subarray(0, this.left);
        if (this.kept) this.kept.push(taken);
        this.left -= taken.length;
        chunk = chunk.subarray(taken.length);
      } else {
        const missing = HEADER_BYTES - this.head.length;
        this.head = Buffer.concat([this.head, chunk.subarray(0, missing)]);
        chunk = chunk.subarray(missing);
        if (this.head.length < HEADER_BYTES) return;
        this.left = this.head.readUInt32BE(11);
        this.kept = this.head[2] === ERROR ? [] : null;
      }
      if (this.left === 0 && this.head.length === HEADER_BYTES) this.whole();
    }
  }
  whole() {
    const msgid = this.head.readUInt32BE(3), status = this.head[2];
    this.head = Buffer.alloc(0);
    this.tell({msgid, data: status === DATA, error: this.kept && nameIn(Buffer.concat(this.kept))});
  }
}
function nameIn(payload) {
  try {
    const {name, ase_errors: parts} = JSON.parse(payload).d;
    return parts && parts.length > 0 ? parts[0].name : name;
  } catch {
    return 'no name';
  }
}

class Hostile {
  /** Where it fails, it is one that is closed. `to`: {port} or {path}. */
  static connect(to, {reads = true, onAnswer = () => {}} = {}) {
    const socket = net.connect({host: '127.0.0.1', allowHalfOpen: true, noDelay: true, ...to});
    const one = new Hostile(socket, onAnswer);
    if (!reads) socket.pause();
    return new Promise((resolve) => {
      socket.once('connect', () => resolve(one));
      socket.once('close', () => resolve(one));
    });
  }

  constructor(socket, onAnswer) {
    Object.assign(this, {socket, ended: false, received: 0, ends: 0, errors: {}, waiters: []});
    const frames = new FrameCounter((frame) => {
      if (frame.data) return;
      if (frame.error) this.errors[frame.error] = (this.errors[frame.error] || 0) + 1;
      else ++this.ends;
      onAnswer(frame, this);
    });
    socket.on('data', (chunk) => {
      this.received += chunk.length;
      if (!this.plain) frames.push(chunk);
      else this.text = (this.text || '') + chunk;
      this.wake();
    });
    socket.on('error', () => {});
    socket.on('end', () => { this.ended = true; this.wake(); });
    socket.on('close', () => this.wake());
  }
  /** At once, before the event: who writes on and on would keep that from coming. */
  get closed() { return this.socket.destroyed; }
  wake() { for (const waiter of this.waiters.splice(0)) waiter(); }

  answers() { return this.ends + Object.values(this.errors).reduce((sum, n) => sum + n, 0); }

  /** Resolves true once `holds()`, and false where the peer closes before, or after `ms`. */
  async until(holds, ms = 20_000) {
    const deadline = Date.now() + ms;
    while (!holds()) {
      if (this.closed || this.ended || Date.now() > deadline) return holds();
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.waiters.push(() => { clearTimeout(timer); resolve(); });
      });
    }
    return true;
  }
  /** Whether the peer has closed its half at least; one that does not read never learns of that. */
  async untilClosed(ms = 20_000) {
    await this.until(() => this.closed || this.ended, ms);
    return this.closed || this.ended;
  }

  /** Resolves with true when the system has taken the bytes, and false if the connection is closed before. */
  send(bytes) {
    if (this.closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const closed = () => resolve(false);
      this.socket.once('close', closed);
      this.socket.write(bytes, (error) => {
        this.socket.removeListener('close', closed);
        resolve(!error);
      });
    });
  }
  /** Sends no more, but would read. */
  closeHalf() { this.socket.end(); }
  leave() { this.socket.destroy(); }
  reset() { this.socket.resetAndDestroy(); }
}

module.exports = {Hostile, header, pause, request};
