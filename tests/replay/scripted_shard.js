'use strict';
// A shard that answers from a script and remembers what it was asked.
const net = require('net');
const {Decoder, DATA, END, ERROR, encode} = require('./fast_wire');

const STATUS = {DATA, END, ERROR};

class ScriptedShard {
  constructor(pnode) {
    this.pnode = pnode;
    this.sockets = new Set();
    this.seen = [];
    this.mode = 'pass';
    /** Called with a request's JSON text; returns frames: [{status: 'DATA', json}]. */
    this.answer = () => [];
    this.delayOf = () => 0;  // ms
    this.server = net.createServer((socket) => this.accept(socket));
  }

  listen(port = 0) {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', () => {
        this.port = this.server.address().port;
        resolve(this);
      });
    });
  }

  accept(socket) {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    const decoder = new Decoder();
    socket.on('data', (chunk) => {
      for (const request of decoder.push(chunk)) this.handle(socket, request);
    });
  }

  handle(socket, request) {
    this.seen.push(request);
    if (this.mode === 'hang') return;
    const crcOffset = this.mode === 'corrupt' ? 1 : 0;
    const delay = this.delayOf(request.json);
    const write = () => {
      for (const {status, json} of this.answer(request.json))
        socket.write(encode({version: request.version, status: STATUS[status], msgid: request.msgid, json, crcOffset}));
    };
    if (delay) setTimeout(write, delay);
    else write();
  }

  dropConnections() {
    for (const socket of this.sockets) socket.destroy();
  }

  close() {
    this.dropConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

module.exports = {ScriptedShard};
