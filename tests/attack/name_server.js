'use strict';
// A name server, over UDP and TCP, that answers rightly until it is told otherwise: silent, slow, lying, truncated, huge.
const dgram = require('dgram');
const net = require('net');

const A = 1, SRV = 33, NAME_ERROR = 3;

/** The question of a message: {id, labels, type, bytes}. */
function questionOf(message) {
  const labels = [];
  let at = 12;
  for (; message[at] > 0; at += 1 + message[at]) labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
  return {id: message.readUInt16BE(0), name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), bytes: message.subarray(12, at + 5)};
}
function nameBytes(name) {
  return Buffer.concat([...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])]);
}
function u16(...numbers) {
  const bytes = Buffer.alloc(2 * numbers.length);
  numbers.forEach((number, i) => bytes.writeUInt16BE(number & 0xffff, 2 * i));
  return bytes;
}
const record = (type, ttl, rdata) => Buffer.concat([u16(0xc00c, type, 1, ttl >>> 16, ttl, rdata.length), rdata]);

/** `records`: [{port}] for SRV, [address] for A. */
function answerOf({id, type, bytes}, records, {flags = 0x8580, ttl = 1} = {}) {
  const made = records.map((each) => type === SRV ? record(SRV, ttl, Buffer.concat([u16(0, 10, each.port), nameBytes(each.host || 'a.shard.test')]))
    : record(A, ttl, Buffer.from(each.split('.').map(Number))));
  return Buffer.concat([u16(id, flags, 1, made.length, 0, 0), bytes, ...made]);
}

class NameServer {
  /** `ports`: where the shard's servers are. */
  constructor(ports) {
    Object.assign(this, {ports, asked: 0, sockets: new Set(), lie: null});
  }

  /** On a port that is free for both. */
  async start() {
    for (let bound = false; !bound;) {
      this.tcp = net.createServer((socket) => this.accept(socket));
      await new Promise((resolve) => this.tcp.listen(0, '127.0.0.1', resolve));
      this.port = this.tcp.address().port;
      this.udp = dgram.createSocket('udp4');
      bound = await new Promise((resolve) => this.udp.once('error', () => resolve(false)).bind(this.port, '127.0.0.1', () => resolve(true)));
      if (!bound) this.tcp.close();
    }
    this.udp.on('message', (message, {port, address}) => this.take(message, (bytes) => this.udp.send(bytes, port, address)));
    return this;
  }
  accept(socket) {
    this.sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
    let held = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const message = held.subarray(2, 2 + held.readUInt16BE(0));
        held = held.subarray(2 + message.length);
        this.take(message, (bytes) => socket.write(Buffer.concat([u16(bytes.length), bytes])), socket);
      }
    });
  }

  /** `lie(question, right, send, socket)`, where set, answers instead; `socket`: of a question over TCP. */
  take(message, send, socket) {
    ++this.asked;
    const question = questionOf(message), right = () => this.right(question);
    if (this.lie) this.lie(question, right, send, socket);
    else send(right());
  }
  right(question) {
    if (question.type === SRV && question.name.startsWith('_moray._tcp.')) return answerOf(question, this.ports.map((port) => ({port})));
    if (question.type === A) return answerOf(question, ['127.0.0.1']);
    return answerOf(question, [], {flags: 0x8580 | (question.type === SRV ? NAME_ERROR : 0)});
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    this.udp.close();
    await new Promise((resolve) => this.tcp.close(resolve));
  }
}

module.exports = {A, NAME_ERROR, NameServer, SRV, answerOf, nameBytes, record, u16};
