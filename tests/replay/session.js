'use strict';
// One raw connection of a client: sends bytes, gathers frames, says how it ended.
const net = require('net');
const {DATA, Decoder, encode} = require('./fast_wire');

class Session {
  static connect(port) {
    return new Promise((resolve, reject) => {
      const socket = net.connect({host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true});
      const session = new Session(socket);
      socket.once('connect', () => resolve(session));
      socket.once('error', reject);
    });
  }

  constructor(socket) {
    this.socket = socket;
    this.frames = [];
    this.closed = false;
    this.problem = undefined;
    this.waiters = [];
    const decoder = new Decoder();
    socket.on('data', (chunk) => {
      try {
        this.frames.push(...decoder.push(chunk));
      } catch (error) {
        this.problem = error;
      }
      this.wake();
    });
    const end = () => {
      this.closed = true;
      this.wake();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }

  wake() {
    this.waiters = this.waiters.filter((waiter) => !waiter());
  }

  /** Resolves true once `condition()` holds, false after `ms`. */
  until(condition, ms) {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiters = this.waiters.filter((waiter) => waiter !== check);
        resolve(false);
      }, ms);
      const check = () => {
        if (!condition()) return false;
        clearTimeout(timer);
        resolve(true);
        return true;
      };
      this.waiters.push(check);
    });
  }

  send(bytes) {
    this.socket.write(bytes);
  }

  /** Whether the request has had its END or ERROR. */
  answered(msgid) {
    return this.frames.some((frame) => frame.msgid === msgid && frame.status !== 'DATA');
  }

  /** One request and its answer: {outcome: end | error | closed | timeout, frames}. */
  async exchange({version = 2, msgid, json}, ms = 20000) {
    this.frames = [];
    this.send(encode({version, status: DATA, msgid, json}));
    const inTime = await this.until(() => this.answered(msgid) || this.closed || this.problem, ms);
    if (this.problem) throw this.problem;
    const last = this.frames.filter((frame) => frame.msgid === msgid).pop();
    let outcome = inTime ? 'closed' : 'timeout';
    if (last && last.status !== 'DATA') outcome = last.status.toLowerCase();
    return {outcome, frames: this.frames};
  }

  close() {
    this.socket.destroy();
  }
}

module.exports = {Session};
