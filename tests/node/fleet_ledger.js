'use strict';
// Writers and readers through all routers of a fleet, who write down what they were told; and an operator who moves vnodes between
// databases by hand (block, copy, remap, unblock) while routers, the service and the operator's own commands are killed, stopped and
// started again. No acknowledged write may be lost, and no read may be older than what anybody has seen before it began.
const assert = require('node:assert');
const {spawn} = require('child_process');

const {PNODES, pause, until} = require('./fleet_scene');

const KEYS = 48, LEASE_S = 2;
/** Errors by which nothing was done. */
const REFUSED = new Set(['ReadOnlyError', 'NoBackendsError', 'OverloadedError']);

/** Numbers of a seed. */
function randomOf(seed) {
  let state = seed * 2654435761 % 4294967296;
  const next = () => {  // xorshift
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state / 4294967296;
  };
  for (let i = 0; i < 8; ++i) next();
  return {below: (count) => Math.floor(next() * count), among: (list) => list[Math.floor(next() * list.length)], next};
}

/** What is known of each key: `acknowledged` is the newest that must be there, `attempted` the newest that may be. */
class Ledger {
  /** `scene`: whose `members` have `put` and `get`, and a `client` while they serve. */
  constructor(scene, random) {
    Object.assign(this, {scene, random, faults: [], stops: false, writes: 0, reads: 0, refused: 0, failing: new Map(), longest: 0});
    this.keys = Array.from({length: KEYS}, (_, i) => ({key: `ledger${i}`, acknowledged: 0, attempted: 0, seen: 0, busy: false}));
  }

  member() {
    const up = this.scene.members.filter(({client}) => client);
    return up.length === 0 ? null : this.random.among(up);
  }

  /** `longest`: for how many ms a router has refused a key without a break. */
  note(of, member, served) {
    const place = `${of.key} by ${member.name}`, since = this.failing.get(place);
    if (since !== undefined) this.longest = Math.max(this.longest, Date.now() - since);
    if (served) this.failing.delete(place);
    else if (since === undefined) this.failing.set(place, Date.now());
  }

  async write() {
    const of = this.random.among(this.keys), member = this.member();
    if (of.busy || !member) return pause(5);
    of.busy = true;
    const n = ++of.attempted;
    try {
      await member.put(of.key, {n});
      of.acknowledged = Math.max(of.acknowledged, n);
      of.seen = Math.max(of.seen, n);
      this.note(of, member, true);
      ++this.writes;
    } catch (error) {
      this.note(of, member, false);
      this.lastRefused = `${of.key} by ${member.name}: ${error}`;
      ++this.refused;
      await pause(10);
      // A database may have it yet from a router that was killed, and do it after a later write: there is none.
      if (!REFUSED.has(error.name)) return;
    }
    of.busy = false;
  }

  async read() {
    const of = this.random.among(this.keys), member = this.member();
    if (!member) return pause(5);
    const least = Math.max(of.acknowledged, of.seen);
    try {
      const {n} = await member.get(of.key);
      ++this.reads;
      this.note(of, member, true);
      if (n < least) this.faults.push(`${of.key} by ${member.name}: ${n}, after ${least} was seen`);
      if (n > of.attempted) this.faults.push(`${of.key} by ${member.name}: ${n}, which nobody wrote`);
      of.seen = Math.max(of.seen, n);
    } catch (error) {
      if (error.name === 'ObjectNotFoundError') this.faults.push(`${of.key} by ${member.name}: not there, after ${least} was seen`);
      this.note(of, member, false);
      this.lastRefused = `${of.key} by ${member.name}: ${error}`;
      ++this.refused;
      await pause(10);
    }
  }

  start(writers = 6, readers = 6) {
    const loop = async (step) => { while (!this.stops) await step.call(this); };
    this.running = [...Array(writers).fill(this.write), ...Array(readers).fill(this.read)].map(loop);
  }
  async stop() {
    this.stops = true;
    await Promise.all(this.running);
  }
  /** When all is well again: each key, by each router. */
  async check() {
    for (const of of this.keys) {
      const values = await Promise.all(this.scene.members.map(async (member) => (await member.get(of.key)).n));
      for (const [i, n] of values.entries())
        if (n !== values[0] || n < of.acknowledged || n > of.attempted) this.faults.push(`at the end, ${of.key} by ${this.scene.members[i].name}: ${n}, of ${of.acknowledged} to ${of.attempted}; ${values}`);
    }
    assert.deepStrictEqual(this.faults, []);
  }
}

/** The operator. */
class Mover {
  constructor(scene, random) {
    Object.assign(this, {scene, random, moved: 0, refused: 0});
  }

  /** A command of `fleet`, which may be killed in the middle; its exit code, null where it was. */
  command(...words) {
    return new Promise((resolve) => {
      const child = spawn(process.env.MORAY_ROUTER_BIN, ['fleet', '-f', this.scene.file, '--json', ...words], {stdio: ['ignore', 'pipe', 'pipe']});
      let text = '';
      child.stdout.on('data', (data) => { text += data; });
      child.stderr.on('data', (data) => { text += data; });
      child.on('close', (code) => { this.child = null; resolve({code, text}); });
      this.child = child;
    });
  }
  kill() {
    if (this.child) this.child.kill('SIGKILL');
  }

  copy(vnode, from, to) {
    const {cluster, shards} = this.scene, url = (pnode) => shards[PNODES.indexOf(pnode)].url;
    cluster.query(url(to), `DELETE FROM b WHERE _vnode = ${vnode}`);
    const columns = cluster.query(url(from), "SELECT string_agg(quote_ident(column_name), ',' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'b' AND column_name NOT IN ('_id', '_txn_snap')");
    cluster.copy(url(from), `COPY (SELECT ${columns} FROM b WHERE _vnode = ${vnode}) TO STDOUT`, url(to), `COPY b (${columns}) FROM STDIN`);
  }

  /** The rows that stay where they were are what a router with an older ring would find. `ready`: is called before the ring is changed. Returns how the remap ended, null where nothing came to it. */
  async move(vnode, from, to, ready = () => {}) {
    let ended = null;
    const change = ['--lease', String(LEASE_S), '--timeout', '10', '--wait', '20', '--indeterminate-is-fine'];
    const block = await this.command('block', '--vnodes', vnode, ...change);
    if (block.code === 0) {
      this.copy(vnode, from, to);
      ready();
      const remap = await this.command('remap', '--vnodes', vnode, '--pnode', to, ...change);
      if (remap.code === 0) ++this.moved;
      else ++this.refused;
      ended = remap;
    } else {
      ++this.refused;
    }
    await until(async () => {
      if ((await this.command('unblock', '--all', '--wait', '20')).code !== 0) return false;
      const {code, text} = await this.command('status');
      if (code !== 0) return false;
      const {blocks, change: open} = JSON.parse(text);
      return blocks.length === 0 && open === null;
    }, 'all is unblocked');
    return ended;
  }
}

/** What goes wrong meanwhile, each undone again. */
const FAULTS = {
  async killRouter({scene, random}) {
    const member = random.among(scene.members);
    if (!member.process || member.busy) return;
    member.busy = true;
    await member.kill();
    await pause(random.below(1500));
    await member.start();
    member.busy = false;
  },
  async stopRouter({scene, random}) {
    const member = random.among(scene.members);
    if (!member.process || member.busy) return;
    member.busy = true;
    member.process.child.kill('SIGSTOP');
    await pause(LEASE_S * 1000 * random.among([0.5, 1.5, 3]));
    member.process.child.kill('SIGCONT');
    member.busy = false;
  },
  async killService({scene, random}) {
    if (scene.busy) return;
    scene.busy = true;
    await scene.zookeeper.kill();
    await pause(random.below(5000));
    await scene.zookeeper.launch();
    scene.busy = false;
  },
  async killCommand({mover, random}) {
    await pause(random.below(400));
    mover.kill();
  },
  async drainRouter({scene, random}) {
    const member = random.among(scene.members);
    if (!member.process || member.busy) return;
    member.busy = true;
    await member.stop();
    await member.start();
    member.busy = false;
  },
};

/** One seed on a scene that serves; what it came to. `kinds`: of FAULTS. */
async function runLedger(scene, seed, {rounds = 3, kinds = Object.keys(FAULTS)} = {}) {
  const random = randomOf(seed), ledger = new Ledger(scene, random), mover = new Mover(scene, random), done = {};
  const stage = {scene, random, mover};
  for (const of of ledger.keys) {
    of.key = `ledger${seed}.${of.key}`;
    await scene.members[0].put(of.key, {n: 0});
  }
  const [first] = scene.members;
  ledger.start();
  for (let round = 0; round < rounds; ++round) {
    const {key} = random.among(ledger.keys), {vnode, pnode} = await first.result('locate', 'b', key).catch(() => ({}));
    if (vnode === undefined) { await pause(500); --round; continue; }
    const faults = Array.from({length: 1 + random.below(2)}, async () => {
      await pause(random.below(random.among([60, 250, 1000])));
      const kind = random.among(kinds);
      done[kind] = (done[kind] || 0) + 1;
      await FAULTS[kind](stage);
    });
    await mover.move(String(vnode), pnode, random.among(PNODES.filter((other) => other !== pnode)));
    await Promise.all(faults);
  }
  await until(async () => {
    const {code, text} = await mover.command('status');
    return code === 0 && JSON.parse(text).members.every(({state}) => state === 'serves');
  }, 'all routers serve the ring in force');
  await ledger.stop();
  await ledger.check();
  return {seed, moved: mover.moved, refused: mover.refused, writes: ledger.writes, reads: ledger.reads, errors: ledger.refused, faults: done};
}

module.exports = {FAULTS, LEASE_S, Ledger, Mover, randomOf, runLedger};
