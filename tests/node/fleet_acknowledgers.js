'use strict';
// Members of a fleet that serve nobody: each has a session of its own with ZooKeeper, and agrees to all that it is asked.
const net = require('net');

const {TYPES, buffer, frame, frames, int, long} = require('./zookeeper_client');

const CREATE_FOR_ANYBODY = [int(1), int(31), buffer('world'), buffer('anyone')];
const SESSION_MS = 20_000;

class Acknowledger {
  constructor(id, port, login) { Object.assign(this, {id, port, login, number: 0, waiting: new Map(), answers: {}, silent: false}); }

  async start() {
    this.socket = net.connect(this.port, '127.0.0.1');
    this.socket.on('error', () => {});
    const answers = frames(this.socket);
    this.socket.write(frame(int(0), long(0), int(SESSION_MS), long(0), buffer(Buffer.alloc(16))));
    await answers.next();
    this.reading = this.read(answers);
    this.pings = setInterval(() => this.socket.write(frame(int(-2), int(11))), SESSION_MS / 4);
    await new Promise((resolve) => {
      this.waiting.set(-4, resolve);
      this.socket.write(frame(int(-4), int(100), int(0), buffer('digest'), buffer(this.login)));
    });
    await this.create(`live/${this.id}`, this.id, 1);
    await this.create(`acks/${this.id}`, this.text({token: '', stage: 'prepare', refusal: '', indeterminate: 0}));
    this.ring = (await this.state()).ring;
    await this.create(`roster/${this.id}`, this.entry());
  }
  text(value) { return JSON.stringify({v: 1, incarnation: this.id, ...value}); }
  entry() { return this.text({ring: this.ring, address: this.id, httpPort: 0, version: 'none', holdMs: 5000}); }
  path(name) { return buffer(`/moray-router/f/${name}`); }

  async read(answers) {
    for await (const answer of answers) {
      const number = answer.int();
      answer.long();
      const error = answer.int();
      if (number === -1) this.follow().catch(() => {});
      const resolve = this.waiting.get(number);
      this.waiting.delete(number);
      if (resolve) resolve(error === 0 ? answer : Promise.reject(new Error(`${this.id}: error ${error}`)));
    }
  }
  ask(type, ...parts) {
    const number = ++this.number;
    return new Promise((resolve) => {
      this.waiting.set(number, resolve);
      this.socket.write(frame(int(number), int(TYPES[type]), ...parts));
    });
  }
  create(name, value, flags = 0) { return this.ask('create', this.path(name), buffer(value), ...CREATE_FOR_ANYBODY, int(flags)); }
  set(name, value) { return this.ask('set', this.path(name), buffer(value), int(-1)); }
  /** And hears when it changes. */
  async state() { return JSON.parse((await this.ask('get', this.path('state'), Buffer.from([1]))).text()); }

  async follow() {
    const {change, ring} = await this.state();
    if (this.silent) return;
    if (change === null && ring.generation !== this.ring.generation) {
      this.ring = ring;
      await this.set(`roster/${this.id}`, this.entry());
    }
    if (change === null || this.answers[change.stage] === change.token) return;
    await this.set(`acks/${this.id}`, this.text({token: change.token, stage: change.stage, refusal: '', indeterminate: 0}));
    this.answers[change.stage] = change.token;
  }

  /** It leaves. */
  async stop() {
    for (const name of [`roster/${this.id}`, `acks/${this.id}`]) await this.ask('delete', this.path(name), int(-1));
    clearInterval(this.pings);
    this.socket.end(frame(int(++this.number), int(TYPES.close)));
    await this.reading;
  }
}

class Acknowledgers {
  /** `count` of them, in a FleetScene's fleet; `a1` is the first. */
  constructor(scene, count) {
    const {nodes} = scene.zookeeper;
    this.all = Array.from({length: count}, (_, i) => new Acknowledger(`a${i + 1}`, nodes[i % nodes.length].port, 'fleet:secret'));
  }
  async start() {
    await Promise.all(this.all.map((each) => each.start()));
    return this;
  }
  /** Which change each of them has agreed to last at a stage. */
  answered(stage) { return this.all.map(({answers}) => answers[stage]); }
  /** One of them, by its number, says nothing any more. */
  silence(number) { this.all[number - 1].silent = true; }
  async stop() { await Promise.all(this.all.map((each) => each.stop())); }
}

module.exports = {Acknowledgers};
