'use strict';
// What lies between one program and the nodes of ZooKeeper: it can be cut, or swallow all that is sent without a word, and it sees
// each request, so that it can stop at one of them. It runs in the test's own loop.
const net = require('net');

/** create, delete, set, several at once, create with more in its answer. */
const WRITES = new Set([1, 2, 5, 14, 15]);

/** Bytes of a stream as frames, each with its length before it. */
class Frames {
  constructor() { this.rest = Buffer.alloc(0); }
  take(data) {
    this.rest = Buffer.concat([this.rest, data]);
    const whole = [];
    while (this.rest.length >= 4 && this.rest.length >= 4 + this.rest.readInt32BE(0)) {
      const end = 4 + this.rest.readInt32BE(0);
      whole.push(this.rest.subarray(0, end));
      this.rest = this.rest.subarray(end);
    }
    return whole;
  }
}

/** One connection of the program's. */
class Pipe {
  constructor(cut, client, port) {
    // What waits to go to the server (`up`) and to the program; `greeted`: the first frame has gone, which is no request.
    Object.assign(this, {cut, client, port, server: null, up: [], down: [], greeted: false, ended: false, over: false});
    const frames = new Frames();
    client.on('data', (data) => { this.up.push(...frames.take(data)); this.flow(); });
    client.on('error', () => {});
    client.on('close', () => this.end());
    this.flow();
  }

  open() {
    const frames = new Frames();
    this.server = net.connect(this.port, '127.0.0.1');
    this.server.on('data', (data) => { this.down.push(...frames.take(data)); this.flow(); });
    this.server.on('error', () => {});
    this.server.on('close', () => this.end());
  }

  /** Nothing passes a hole, the news that a side has gone included. A connection of which the server has never heard is forgotten. */
  end() {
    this.ended = true;
    if (this.cut.hole && this.server !== null) return;
    this.flow();
    this.close();
  }
  /** What was sent before arrives. */
  close() {
    if (this.over) return;
    this.over = true;
    this.cut.lost(this);
    this.client.destroy();
    if (this.server) this.server.resume().end();
  }
  /** Nothing does. */
  abort() {
    this.over = true;
    this.cut.lost(this);
    this.client.destroy();
    if (this.server) this.server.destroy();
  }

  flow() {
    if (this.cut.hole || this.over) return;
    if (!this.server) this.open();
    for (; this.up.length > 0 && !this.stopsRequest(this.up[0]); this.greeted = true) this.server.write(this.up.shift());
    while (!this.cut.hole && this.down.length > 0 && !this.stopsAnswer(this.down[0])) this.client.write(this.down.shift());
  }
  stopsRequest(frame) {
    const {trap} = this.cut;
    if (!trap || trap.pipe || !this.greeted || !WRITES.has(frame.readInt32BE(8)) || !trap.picks(frame.toString('latin1'))) return false;
    if (trap.when === 'before') return this.cut.spring();
    Object.assign(trap, {pipe: this, xid: frame.readInt32BE(4)});
    return false;
  }
  stopsAnswer(frame) {
    const {trap} = this.cut;
    return trap !== null && trap.pipe === this && frame.readInt32BE(4) === trap.xid && this.cut.spring();
  }
}

class ZooKeeperCut {
  /** `ports`: of the nodes. */
  constructor(ports) { Object.assign(this, {ports, pipes: new Set(), hole: false, refuses: false, trap: null}); }

  async start() {
    this.servers = this.ports.map((port) => net.createServer((client) => {
      if (this.refuses) client.destroy();
      else this.pipes.add(new Pipe(this, client, port));
    }));
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))));
    return this;
  }
  /** Where the program finds ZooKeeper. */
  get addresses() { return this.servers.map((server) => `127.0.0.1:${server.address().port}`); }

  /** Connections end, and nobody gets a new one. */
  cut() {
    this.reset();
    this.refuses = true;
  }
  /** All that is sent either way stays here, and nobody hears that anybody has gone. */
  swallow() { this.hole = true; }
  /** All goes on; what was swallowed arrives, unless its connection was made while nothing passed and has ended since. */
  mend() {
    Object.assign(this, {hole: false, refuses: false});
    for (const pipe of [...this.pipes]) {
      pipe.flow();
      if (pipe.ended && !this.hole) pipe.close();
    }
  }
  /** Connections end with all that was swallowed; new ones pass. */
  reset() {
    for (const pipe of [...this.pipes]) pipe.abort();
    Object.assign(this, {hole: false, refuses: false});
  }
  /** A write whose answer is not to come any more is not waited for. */
  lost(pipe) {
    this.pipes.delete(pipe);
    if (this.trap && this.trap.pipe === pipe) this.trap.pipe = null;
  }

  /**
   * Swallows all from the first write on that `picks` takes, by its bytes as a string. `before`: that write, too; `after`: it is
   * done, and its answer is swallowed. Resolves then; to false where `forget` was called before.
   */
  stopAt(picks, when) {
    return new Promise((resolve) => { this.trap = {picks, when, resolve, pipe: null}; });
  }
  forget() {
    if (this.trap) this.trap.resolve(false);
    this.trap = null;
  }
  spring() {
    this.hole = true;
    this.trap.resolve(true);
    this.trap = null;
    return true;
  }

  async stop() {
    this.forget();
    this.reset();
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

module.exports = {ZooKeeperCut};
