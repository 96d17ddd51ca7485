'use strict';
// A relay before a server, through which some of its clients reach it; what they ask can be held back.
const net = require('net');

class Relay {
  constructor(port) { Object.assign(this, {port, pipes: new Set(), held: null}); }

  start() {
    this.server = net.createServer((from) => this.join(from, net.connect(this.port, '127.0.0.1')));
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => resolve(this)));
  }
  get listens() { return this.server.address().port; }
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

  join(from, to) {
    const pair = [from, to];
    this.pipes.add(pair);
    from.on('data', (data) => { if (this.held) this.held.push([to, data]); else to.write(data); });
    to.on('data', (data) => from.write(data));
    for (const [one, other] of [pair, [to, from]]) {
      one.on('error', () => {});
      one.on('close', () => { other.destroy(); this.pipes.delete(pair); });
    }
  }

  /** What is asked from now on reaches the server at `release`. */
  hold() { this.held = []; }
  release() {
    const held = this.held || [];
    this.held = null;
    for (const [to, data] of held) to.write(data);
  }
  cut(choose = () => true) { for (const pair of [...this.pipes]) if (choose(pair[0])) pair[0].destroy(); }

  stop() {
    this.release();
    this.cut();
    this.server.close();
  }
}

module.exports = {Relay};
