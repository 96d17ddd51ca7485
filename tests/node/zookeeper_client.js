'use strict';
// What another program does with ZooKeeper's nodes: a connection for each call, as of a user or of nobody.
const net = require('net');

const TYPES = {create: 1, delete: 2, get: 4, set: 5, acl: 6, close: -11};
const ERRORS = {'-101': 'no node', '-102': 'denied', '-103': 'version differs', '-110': 'exists'};
const ALL = 31;

const int = (value) => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(value); return bytes; };
const long = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigInt64BE(BigInt(value)); return bytes; };
const buffer = (value) => Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);
const frame = (...parts) => buffer(Buffer.concat(parts));

/** Reads one answer's members in their order. */
class Answer {
  constructor(bytes) { Object.assign(this, {bytes, at: 0}); }
  int() { this.at += 4; return this.bytes.readInt32BE(this.at - 4); }
  long() { this.at += 8; return Number(this.bytes.readBigInt64BE(this.at - 8)); }
  text() {
    const length = Math.max(this.int(), 0);
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }
  stat() { this.at += 16; return {created: this.long(), changed: this.long(), version: this.int()}; }
}

/** Frames of a socket, one after the other. */
async function* frames(socket) {
  let bytes = Buffer.alloc(0);
  for await (const more of socket) {
    bytes = Buffer.concat([bytes, more]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      yield new Answer(bytes.subarray(4, 4 + bytes.readInt32BE(0)));
      bytes = bytes.subarray(4 + bytes.readInt32BE(0));
    }
  }
}

class ZooKeeperClient {
  /** `login`: `user:password`, or none. */
  constructor(port, login = null) { Object.assign(this, {port, login}); }

  async call(type, ...parts) {
    const socket = net.connect(this.port, '127.0.0.1'), answers = frames(socket);
    socket.write(frame(int(0), long(0), int(4000), long(0), buffer(Buffer.alloc(16))));
    await answers.next();
    if (this.login) {
      socket.write(frame(int(-4), int(100), int(0), buffer('digest'), buffer(this.login)));
      await answers.next();
    }
    socket.write(frame(int(1), int(TYPES[type]), ...parts));
    const {value: answer} = await answers.next();
    socket.end(frame(int(2), int(TYPES.close)));
    answer.int();
    answer.long();
    const error = answer.int();
    if (error !== 0) throw new Error(ERRORS[error] || `error ${error}`);
    return answer;
  }
  /** Anybody may do anything with it. */
  create(path, value) { return this.call('create', buffer(path), buffer(value), int(1), int(ALL), buffer('world'), buffer('anyone'), int(0)); }
  set(path, value) { return this.call('set', buffer(path), buffer(value), int(-1)); }
  remove(path) { return this.call('delete', buffer(path), int(-1)); }
  /** Its value, version and when it was created; null: there is none. */
  async get(path) {
    try {
      const answer = await this.call('get', buffer(path), Buffer.from([0]));
      return {value: answer.text(), ...answer.stat()};
    } catch (error) {
      if (error.message === 'no node') return null;
      throw error;
    }
  }
  /** By whom what is permitted: `{'world:anyone': 1}`. */
  async acl(path) {
    const answer = await this.call('acl', buffer(path)), all = {};
    for (let count = answer.int(); count > 0; --count) {
      const permitted = answer.int(), scheme = answer.text();
      all[`${scheme}:${answer.text()}`] = permitted;
    }
    return all;
  }
}

module.exports = {TYPES, ZooKeeperClient, buffer, frame, frames, int, long};
