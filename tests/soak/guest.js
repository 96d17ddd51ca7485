'use strict';
// One kind of hostile client of tests/attack, as a guest of the soak: for some seconds, beside all else.
const {Stage} = require('../attack/stage');
const {BUCKET} = require('../attack/polite');
const {header, pause, request} = require('../attack/hostile');
const {EXPLAINED} = require('./verdict');

/** After its time, an attack that waits for something has so long. */
const ENDLESS_MS = 60_000, SETUPS = 10;

class Guest extends Stage {
  constructor(soak, attack, ms) {
    super(attack, {});
    Object.assign(this, {soak, ms, router: soak.router, directory: soak.directory, line: soak.line, calls: 0});
  }

  /** Sets up, attacks, and leaves. */
  async run() {
    const {attack} = this;
    if (attack.setup && !await this.setUp()) return;
    this.begun = performance.now();
    let watch;
    const endless = new Promise((resolve) => { watch = setTimeout(() => resolve('endless'), this.ms + ENDLESS_MS); });
    const ended = await Promise.race([this.attacks(), endless]).finally(() => {
      clearTimeout(watch);
      this.over = true;
      for (const one of this.hostile) one.leave();
    });
    // Bounds of an attack's own are of one that is alone with the router: here they are told of.
    for (const fault of this.faults.splice(0)) this.note(`alone: ${fault}`);
    if (ended === 'endless') this.faults.push(`${attack.name} does not come to its end`);
    // Connections that a router should have closed count, as in attacks.
    for (const [name, n] of Object.entries(this.notes)) if (name.startsWith('not closed')) this.faults.push(`${attack.name}: ${n} ${name}`);
  }
  /** What a request of its own is answered may tell of what is done to shards meanwhile: then the attack is over. */
  async attacks() {
    try {
      await this.attack.attack(this);
    } catch (error) {
      // MultiError: several shards were asked.
      if (!EXPLAINED.has(error.name) && error.name !== 'MultiError') throw error;
      this.note(`it was answered: ${error.name}: ${error.message}`);
    }
  }
  /** What else happens may make that fail, some times: a router that has no room refuses, a shard is not there. */
  async setUp() {
    for (let times = 0; times < SETUPS && !this.soak.over; ++times, await pause(200)) {
      this.calls = 0;
      try {
        await this.attack.setup(this);
        return true;
      } catch (error) {
        if (error.constructor !== Error) throw error;  // not what a request was answered
        this.note(`not set up at once: ${error.name}`);
      }
    }
    return false;
  }

  goOn() { return !this.over && !this.soak.over && this.alive() && performance.now() - this.begun < this.ms; }

  /** The same ones each time that this attack comes, at the shard of the kind that it wants: rows are written over, and not added. */
  async directoryAt(pnode) {
    const {homes, kinds} = this.soak, wanted = (this.attack.shards || ['embedded'])[pnode] || 'embedded';
    const name = `${this.attack.name} ${this.calls++}`;
    if (!homes.has(name)) homes.set(name, await this.soak.directoryAt(kinds.indexOf(wanted)));
    return homes.get(name);
  }
}

/** Clients that come, ask, and leave: after their answers, before them, in the middle of a frame, or with a reset. */
const reconnects = {
  kind: 'client', name: 'reconnects',
  async attack(guest) {
    const {directory} = await guest.directoryAt(0);
    const gets = Buffer.concat([1, 2, 3, 4, 5].map((msgid) => request(msgid, 'getObject', [BUCKET, `${directory}/f`, {}])));
    do {
      await Promise.all(Array.from({length: 20}, async (_, i) => {
        const one = await guest.connect();
        ++guest.acts;
        await one.send(i % 4 === 2 ? Buffer.concat([gets, header(10_000), Buffer.alloc(5000, 'x')]) : gets);
        if (i % 4 === 0) await one.until(() => one.answers() === 5);
        if (i % 4 === 3) one.reset();
        else one.leave();
      }));
      await pause(20);
    } while (guest.goOn());
  },
};

module.exports = {Guest, reconnects};
