'use strict';
// Where one attack takes place: a router of its own over three shards, polite clients, the hostile ones, and what is measured.
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {lineOf} = require('../node/admin_client');
const {raw} = require('../node/hostile_clients');
const {PostgresCluster} = require('../node/postgres_cluster');
const {RouterProcess, temporaryDirectory, unpackRing} = require('../node/router_process');
const {Hostile, pause} = require('./hostile');
const {MemoryMoray} = require('./memory_moray');
const {BUCKET, Polite} = require('./polite');
const {Samples, descriptorsOf, memoryOf} = require('./samples');

const pnodeOf = (i) => `tcp://${i + 1}.moray.example.com:2020`;
const MEMORY_BYTES = 256 << 20;
/** A router that takes this much is attacked no more, and one that goes on then is killed. */
const STOP_BYTES = 3.2e9, KILL_BYTES = 4e9;
/** How many rounds of each polite client an attack lasts for, in the short form; and, where they are starved, how long. */
const ROUNDS = 20, STARVED_MS = 120_000;
/** After its time, or where it goes by counts, an attack that waits for something has so long. */
const ENDLESS_MS = 300_000;
/** What a router may keep when its clients have left. */
const STAYS_BYTES = 50 << 20;
const SETTLE_MS = 20_000, LONG_REQUEST = {timeout: 60_000};

class Stage {
  /**
   * `seconds`: how long the attack goes on; 0: by counts. `budget`: whether the program knows limits.memoryBytes. `clusters`: a list
   * to which the PostgreSQL cluster is added that several attacks share; the caller stops it.
   */
  constructor(attack, {seconds = 0, budget = false, clusters}) {
    Object.assign(this, {attack, seconds, budget, clusters, long: seconds > 0, acts: 0, notes: {}, faults: [], hostile: new Set(), closers: [], stopped: null});
  }

  /** Its report; nothing that it started is left, also where it fails. */
  async run() {
    try {
      await this.build();
      return await this.play();
    } finally {
      if (this.samples) this.samples.stop();
      for (const one of this.hostile) one.leave();
      if (this.polite) await this.polite.stop();
      if (this.router && this.alive()) {
        this.router.child.kill('SIGKILL');
        await this.router.stop();
      }
      for (const close of this.closers.reverse()) await close();
      fs.rmSync(this.directory, {recursive: true, force: true});
    }
  }

  async build() {
    this.directory = temporaryDirectory();
    fs.chmodSync(this.directory, 0o755);
    this.config = {};
    const kinds = this.attack.shards || ['embedded', 'embedded', 'embedded'];
    this.morays = kinds.map((kind, i) => kind === 'moray' ? this.moray(pnodeOf(i)) : null);
    for (const moray of this.morays.filter(Boolean)) {
      await moray.listen();
      this.closers.push(() => moray.close());
    }
    this.shards = kinds.map((kind, i) => this.shard(kind, i));
    if (this.shards.some(({backend}) => backend === 'postgres')) await this.addDatabases();
    if (this.attack.prepare) await this.attack.prepare(this);
    const {limits, timeouts, pool, ...more} = {...this.attack.config, ...this.config};
    this.router = new RouterProcess({
      ring: {location: this.ring(kinds)}, shards: this.shards, ...more,
      limits: {...this.budget ? {memoryBytes: MEMORY_BYTES} : {}, ...limits},
      timeouts: {objectMs: 1000, findMs: 1000, streamIdleMs: 2000, connectMs: 1000, drainMs: 500, ...timeouts},
      pool: {idleMs: 1000, ...pool},
    });
    if (this.attack.descriptors) Object.assign(this.router, {program: '/bin/sh', args: ['-c', `ulimit -n ${this.attack.descriptors}; exec ${this.router.program} ${this.router.args.join(' ')}`]});
    this.router.environment = this.environment || {};
    await this.router.start();
    this.line = lineOf(() => path.join(this.router.directory, 'admin.sock'));
    await this.ask('createBucket', [BUCKET, {index: {n: {type: 'number'}}}, LONG_REQUEST]);
  }
  // What a soak has otherwise.
  moray(pnode) { return new MemoryMoray(pnode); }
  ring() { return unpackRing('plain-100', this.directory); }

  shard(kind, i) {
    const pnode = pnodeOf(i);
    if (kind === 'moray') return {pnode, address: `127.0.0.1:${this.morays[i].port}`};
    return kind === 'postgres' ? {pnode, backend: kind} : {pnode, backend: kind, path: path.join(this.directory, `shard-${i}`), sync: false};
  }
  async addDatabases() {
    if (this.clusters.length === 0) this.clusters.push(await new PostgresCluster().start());
    const [cluster] = this.clusters;
    this.shards.forEach((shard, i) => { if (shard.backend === 'postgres') shard.url = cluster.makeDatabase(`${this.attack.name}_${i}`); });
  }

  async play() {
    const attacked = this.attack.attacked || [], {pid} = this.router.child;
    const lanes = [...(this.attack.polite || [0, 1, 2]).map((pnode) => ({pnode})), ...this.attack.lanes || []].map((lane, i) => ({timeoutMs: 30_000, ...lane, name: `polite ${i} at shard ${lane.pnode}`}));
    for (const lane of lanes) {
      lane.directory = (await this.directoryAt(lane.pnode)).directory;
      if (attacked.includes(lane.pnode)) Object.assign(lane, {attacked: true, timeoutMs: 0});
    }
    if (this.attack.setup) await this.attack.setup(this);
    this.polite = await Polite.start(this.router.port, lanes);
    await this.rounds(ROUNDS);
    const before = this.measure();
    this.samples = new Samples(pid, STOP_BYTES, () => this.tooMuch());
    await this.polite.phase('during');
    await this.onslaught();
    await this.polite.phase('after');
    const recoveredMs = await this.polite.recovered();
    if (recoveredMs !== null) await this.rounds(ROUNDS);
    const descriptors = await this.settled(() => descriptorsOf(pid, this.directory), (now) => now <= before.descriptors + 5);
    if (this.attack.check && recoveredMs !== null) await this.attack.check(this);
    const {most} = this.samples, counted = await this.polite.finish();
    const alive = this.alive();
    const memory = await this.settled(() => memoryOf(pid) || before, ({own}) => own <= before.own + STAYS_BYTES);
    const end = await this.end();
    return {
      name: this.attack.name, kind: this.attack.kind, acts: this.acts, ...counted, recoveredMs, alive, end, starved: this.starved, stopped: this.stopped,
      memory: {before, most, after: memory}, descriptors: {before: before.descriptors, most: most.descriptors, after: descriptors}, notes: this.notes, faults: this.faults,
    };
  }

  /** The attack, until it is over or stopped; then its clients leave. */
  async onslaught() {
    Object.assign(this, {begun: performance.now(), roundsBefore: this.polite.roundsNow()});
    const stop = new Promise((resolve) => { this.stop = resolve; });
    if (this.stopped) this.stop();
    const watch = setTimeout(() => {
      this.faults.push('the attack does not come to its end');
      this.stop();
    }, this.seconds * 1000 + ENDLESS_MS);
    await Promise.race([this.attack.attack(this), stop]);
    clearTimeout(watch);
    const rounds = this.polite.lanes.map((_, i) => this.roundsSince(i));
    this.starved = this.polite.lanes.map(({attacked, name}, i) => !attacked && rounds[i] < ROUNDS && `${rounds[i]} of ${ROUNDS} rounds of ${name}`).filter(Boolean);
    this.over = true;
    for (const one of this.hostile) one.leave();
    if (this.attack.mend) await this.attack.mend(this);
  }
  tooMuch() {
    this.stopped = 'memory';
    if (this.stop) this.stop();
    this.killer = setInterval(() => { if ((memoryOf(this.router.child.pid) || {resident: 0}).resident > KILL_BYTES) this.router.child.kill('SIGKILL'); }, 50);
  }
  alive() { return this.router.child.exitCode === null && this.router.child.signalCode === null; }
  async end() {
    clearInterval(this.killer);
    const late = setTimeout(() => {
      this.faults.push('it does not end');
      this.router.child.kill('SIGKILL');
    }, SETTLE_MS);
    const {code, signal} = await this.router.stop();
    clearTimeout(late);
    return code === null ? signal : code;
  }

  measure() {
    const {pid} = this.router.child;
    return {...memoryOf(pid), descriptors: descriptorsOf(pid, this.directory)};
  }
  /** What `look` finds, once it is `right` or for a time has not been. */
  async settled(look, right) {
    const deadline = Date.now() + SETTLE_MS;
    let found = look();
    for (; !right(found) && Date.now() < deadline && this.alive(); found = look()) await pause(50);
    return found;
  }

  // What attacks use.

  /**
   * Whether the attack goes on: for its seconds, or until each polite client beside it has gone a number of rounds and the attack
   * has done its `least`: acts, or what it says is enough.
   */
  goOn() {
    if (this.stopped || this.over || !this.alive()) return false;
    const ms = performance.now() - this.begun, {least = 0} = this.attack;
    if (this.long) return ms < this.seconds * 1000;
    if (ms >= STARVED_MS) return false;
    if (typeof least === 'function' ? !least(this) : this.acts < least) return true;
    return this.polite.lanes.some(({attacked}, i) => !attacked && this.roundsSince(i) < ROUNDS);
  }
  roundsSince(i) { return this.polite.roundsNow()[i] - this.roundsBefore[i]; }
  /** Waits until the attack need go on no more. */
  async lasts(each = () => {}) {
    for (; this.goOn(); await pause(20)) await each();
  }
  /** Waits for as many rounds of each polite client. */
  async rounds(count) {
    const from = this.polite.roundsNow();
    while (this.alive() && this.polite.roundsNow().some((now, i) => now < from[i] + count)) await pause(5);
  }
  /** Waits for it, and tells where it never holds. */
  async eventually(what, holds, ms = SETTLE_MS) {
    const deadline = Date.now() + ms;
    while (!await holds()) {
      if (Date.now() > deadline || !this.alive()) {
        this.faults.push(`never: ${what}`);
        return false;
      }
      await pause(20);
    }
    return true;
  }
  note(name, by = 1) { this.notes[name] = (this.notes[name] || 0) + by; }

  /** A hostile connection, which leaves when the attack is over at the latest. */
  async connect(options, to = {port: this.router.port}) {
    const one = await Hostile.connect(to, options);
    this.hostile.add(one);
    one.socket.once('close', () => this.hostile.delete(one));
    if (this.over) one.leave();
    return one;
  }
  /** A number of them, some at a time. `work`, where given, goes on for each. */
  async connectAll(count, options, work = () => {}) {
    const all = [];
    while (all.length < count && !this.stopped && this.alive())
      all.push(...await Promise.all(Array.from({length: Math.min(100, count - all.length)}, async () => {
        const one = await this.connect(options);
        await work(one);
        return one;
      })));
    return all;
  }

  /** An RPC that must succeed. */
  ask(method, args) { return raw(this.router.port, method, args); }
  async status() { return JSON.parse((await this.router.page(this.router.statusPort, '/status')).text); }
  /** A directory whose keys are at that shard: {directory, vnode}. */
  async directoryAt(pnode) {
    for (;;) {
      this.directories = (this.directories || 0) + 1;
      const directory = `/u/stor/d${this.directories}`;
      const {result} = await this.line('locate', {bucket: BUCKET, key: `${directory}/f`});
      if (result.pnode === pnodeOf(pnode)) return {directory, vnode: result.vnode};
    }
  }
  /** Rows with `n` from 0 on, in a directory of that bucket. */
  async fill(bucket, directory, rows, bytes) {
    const each = Math.min(1000, Math.ceil((2 << 20) / bytes));
    for (let i = 0; i < rows; i += each) {
      const requests = Array.from({length: Math.min(each, rows - i)}, (_, j) => ({bucket, key: `${directory}/r${i + j}`, value: {n: i + j, text: 'x'.repeat(bytes)}, options: {}, operation: 'put'}));
      await this.ask('batch', [requests, LONG_REQUEST]);
    }
  }
}

/** Whether that program takes limits.memoryBytes. */
function knowsBudget(program) {
  const directory = temporaryDirectory(), file = path.join(directory, 'config.json');
  try {
    fs.writeFileSync(file, JSON.stringify({ring: {location: unpackRing('plain-100', directory)}, limits: {memoryBytes: MEMORY_BYTES},
      shards: [0, 1, 2].map((i) => ({pnode: pnodeOf(i), address: `127.0.0.1:${2021 + i}`}))}));
    execFileSync(program, ['serve', '--check', '--config', file], {stdio: 'ignore'});
    return true;
  } catch {
    return false;
  } finally {
    fs.rmSync(directory, {recursive: true, force: true});
  }
}

module.exports = {LONG_REQUEST, MEMORY_BYTES, STAYS_BYTES, STOP_BYTES, Stage, knowsBudget, pnodeOf};
