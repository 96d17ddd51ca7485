'use strict';
// A relay before a server, through which some of its clients reach it; what they ask can be held back. It is a thread of its
// own: it goes on while the test waits for a program, which may itself wait for a client of the relay's.
const net = require('net');
const {Worker, isMainThread, parentPort, workerData} = require('worker_threads');

class Relay {
  constructor(port) { this.port = port; }

  start() {
    this.done = new Int32Array(new SharedArrayBuffer(8));  // commands, and requests that were lost
    this.thread = new Worker(__filename, {workerData: {port: this.port, done: this.done}});
    return new Promise((resolve, reject) => {
      this.thread.once('error', reject);
      this.thread.once('message', (port) => {
        this.listens = port;
        resolve(this);
      });
    });
  }
  /** A URL of the server, through the relay. */
  through(url) { return url.replace(`:${this.port}/`, `:${this.listens}/`); }
  /** And the server's own. */
  behind(url) { return url.replace(`:${this.listens}/`, `:${this.port}/`); }

  /** A cluster whose databases are reached through this relay, but for what a test itself asks. */
  before(cluster) {
    return Object.assign(Object.create(cluster), {
      makeDatabase: (...words) => this.through(cluster.makeDatabase(...words)),
      query: (url, statement) => cluster.query(this.behind(url), statement),
    });
  }

  /** The thread does it before this returns. */
  tell(...command) {
    const before = Atomics.load(this.done, 0);
    this.thread.postMessage(command);
    if (Atomics.wait(this.done, 0, before, 30_000) === 'timed-out') throw new Error('the relay does not answer');
  }
  /** What is asked from now on reaches the server at `release`. */
  hold() { this.tell('hold'); }
  release() { this.tell('release'); }
  /** Of the connections the ones whose port at the client, and `from`, leave nothing when divided by `each`. */
  cut(each = 1, from = 0) { this.tell('cut', each, from); }

  /** Of the next request that has these bytes: `answer`, it is done, and its connection is cut before anybody hears so; `request`, it
   * is cut before the server has it; `silence`, it is done, and nobody hears anything any more. */
  lose(bytes, what) { this.tell('lose', Buffer.from(bytes).toString('latin1'), what); }
  /** How many requests were lost. */
  get lost() { return Atomics.load(this.done, 1); }

  stop() {
    this.tell('stop');
    return this.thread.terminate();
  }
}

/** What the thread does. */
class Pipes {
  constructor(port, done) {
    Object.assign(this, {done, pipes: new Set(), held: null, losing: null});
    this.server = net.createServer((from) => this.join(from, net.connect(port, '127.0.0.1')));
  }
  join(from, to) {
    const pair = [from, to];
    this.pipes.add(pair);
    let lost = null;
    from.on('data', (data) => {
      if (this.losing && data.includes(this.losing.bytes, 0, 'latin1')) {
        lost = this.losing.what;
        this.losing = null;
        Atomics.add(this.done, 1, 1);
      }
      if (lost === 'request') from.destroy();
      else if (this.held) this.held.push([to, data]);
      else to.write(data);
    });
    to.on('data', (data) => { if (lost === 'answer') from.destroy(); else if (lost === null) from.write(data); });
    for (const [one, other] of [pair, [to, from]]) {
      one.on('error', () => {});
      one.on('close', () => { other.destroy(); this.pipes.delete(pair); });
    }
  }
  hold() { this.held = []; }
  release() {
    const held = this.held || [];
    this.held = null;
    for (const [to, data] of held) to.write(data);
  }
  lose(bytes, what) { this.losing = {bytes, what}; }
  cut(each, from) { for (const [one] of [...this.pipes]) if ((one.remotePort + from) % each === 0) one.destroy(); }
  stop() {
    this.release();
    this.cut(1, 0);
    this.server.close();
  }
}

if (!isMainThread) {
  const {port, done} = workerData, pipes = new Pipes(port, done);
  parentPort.on('message', ([command, ...words]) => {
    pipes[command](...words);
    Atomics.add(done, 0, 1);
    Atomics.notify(done, 0);
  });
  pipes.server.listen(0, '127.0.0.1', () => parentPort.postMessage(pipes.server.address().port));
}

module.exports = {Relay};
