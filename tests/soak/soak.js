'use strict';
// A router over four shards of three kinds, a load that goes on, and all that may happen to it meanwhile.
const {execFileSync} = require('child_process');
const os = require('os');
const path = require('path');

const {pause} = require('../attack/hostile');
const {Polite} = require('../attack/polite');
const {Samples, descriptorsOf} = require('../attack/samples');
const {LONG_REQUEST, STOP_BYTES, Stage, pnodeOf} = require('../attack/stage');
const {BUCKET, PREFIX} = require('./account');
const {ATTACKS, LONG_ONLY, OPERATIONS, copyRing, turns} = require('./acts');
const {Guest} = require('./guest');
const {Load} = require('./load');
const {MorayThread} = require('./moray_thread');
const {Series, percentile} = require('./series');
const {STAYS_BYTES} = require('./verdict');

const KINDS = ['postgres', 'embedded', 'moray', 'moray'], VNODES = 1000, DIRECTORIES_EACH = 15;
const SHARE = 0.7, HOSTILE_NICE = 10;
const ERROR = 50, LOST_MOST = 200_000;  // a level of the log; connections of which the last line is kept
/** What the set carries: more than this of what is offered is answered in time, and 99 of 100 requests within so much. */
const CARRIED = {share: 0.97, p99Ms: 25}, FIRST_RATE = 400, STEP = 1.25;

/** One that came again and again is told once. */
function summed(faults) {
  const counts = new Map();
  for (const fault of faults) counts.set(fault, (counts.get(fault) || 0) + 1);
  return [...counts].map(([fault, n]) => n > 1 ? `${fault} (${n} times)` : fault);
}

class Soak extends Stage {
  /** `seconds`: of the load with all that happens beside it. `rate`: instead of 70 % of what the set carries. `only`: names of hostile clients; null: all. `short`: many things in little time. */
  constructor({seconds, seed, rate = null, short = false, only = null}) {
    super({name: 'soak', shards: KINDS, config: {timeouts: {holdMs: 30_000}, limits: {largeFramesBytesMax: 128 << 20}}}, {budget: true, clusters: []});
    Object.assign(this, {kinds: KINDS, duration: seconds, seed, fixedRate: rate, short, only, events: [], guests: {}, homes: new Map(), over: false, notAcknowledged: 0, lost: new Map(), errorLines: []});
  }
  moray(pnode) { return new MorayThread(pnode); }
  ring(kinds) {
    const location = path.join(this.directory, 'ring');
    execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'create', '-b', 'leveldb', '-l', location, '-v', String(VNODES), '-p', kinds.map((_, i) => pnodeOf(i)).join(' ')], {stdio: 'ignore'});
    copyRing(this);
    return location;
  }
  /** An operator's command, which must succeed; a worker may be too busy to say so within a second. */
  async command(name, args) {
    const {ok, error} = await this.line(name, args);
    if (!ok && error.code !== 'not_acknowledged') throw new Error(`${name}: ${error.code}: ${error.message}`);
    if (!ok) ++this.notAcknowledged;
  }
  now() { return this.begun === undefined ? 0 : (performance.now() - this.begun) / 1000; }

  async run() {
    try {
      return await super.run();
    } finally {
      this.over = true;
      if (this.load) await this.load.stop();
      for (const cluster of this.clusters) cluster.stop();
    }
  }

  async play() {
    const fresh = this.measure();
    await this.startClients();
    // This thread's own priority: the others have begun. Elsewhere, hostile clients would have processors of their own.
    os.setPriority(process.pid, HOSTILE_NICE);
    const carries = this.fixedRate === null ? await this.findRate() : null, rate = Math.round(this.fixedRate || SHARE * carries);
    const rest = await this.rest();
    this.samples = new Samples(this.router.child.pid, STOP_BYTES, () => this.tooMuch());
    this.begun = performance.now();
    this.series.begin();
    console.log(carries === null ? `${rate} requests a second` : `the set carries ${carries} requests a second; ${rate} are offered`);
    await this.load.rate(rate);
    await Promise.all([this.hostiles(), this.operations(), this.untilOver()]);
    const {points} = this.series;
    this.series.end();
    this.begun = undefined;
    await this.load.rate(0);
    await this.load.idle();
    const descriptors = await this.settled(() => descriptorsOf(this.router.child.pid, this.directory), (now) => now <= rest.descriptors + 5);
    return {...await this.judgeable({fresh, rest, descriptors}), carries, rate, points, latencies: this.series.latencies, events: this.events, guests: this.guests, notAcknowledged: this.notAcknowledged};
  }
  /** A report as tests/attack/judge.js takes it, and more. */
  async judgeable({fresh, rest, descriptors}) {
    this.sift(this.router.lines.splice(0));
    const ledger = await this.polite.finish(), load = await this.load.finish(), {most} = this.samples;
    const left = performance.now(), after = await this.settled(() => this.measure(), ({own}) => own <= fresh.own + STAYS_BYTES);
    const settledMs = performance.now() - left, alive = this.alive(), end = await this.end();
    return {
      load, ledger, alive, end, stopped: this.stopped, faults: [...summed(this.faults), ...load.cuts.length > 0 ? [`${load.cuts.length} connections of the open loop were cut`] : [], ...this.errorLines.length > 0 ? [`${this.errorLines.length} lines of errors in the router's log`] : [], ...load.unread > 0 ? [`${load.unread} keys were not read back`] : []],
      wrong: load.wrong + ledger.wrong, lost: load.lost + ledger.lost, unanswered: load.unanswered + ledger.unanswered, errors: {}, starved: [], recoveredMs: 0,
      memory: {before: fresh, rest, most, after, settledMs}, descriptors: {before: rest.descriptors, most: most.descriptors, after: descriptors}, examples: [...this.errorLines.slice(0, 20).map((line) => `log: ${JSON.stringify(line)}`), ...load.cuts.slice(0, 20).map((cut) => this.whyCut(cut)), ...load.examples, ...ledger.examples],
    };
  }

  /** Of the router's log, what may be asked about later: whom it has lost, and what must not happen at all. */
  sift(lines) {
    for (const line of lines) {
      if (line.level >= ERROR && this.errorLines.length < 100) this.errorLines.push(line);
      if (!line.peer) continue;
      this.lost.delete(line.peer);
      this.lost.set(line.peer, line);
      if (this.lost.size > LOST_MOST) this.lost.delete(this.lost.keys().next().value);
    }
  }
  /** In the words of the router's log. */
  whyCut({port, at, problem, open, silentMs, unsent}) {
    const line = this.lost.get(`127.0.0.1:${port}`), second = `in second ${Math.round((at - this.series.begun) / 1000)}`;
    const told = line ? `${JSON.stringify(line)}, ${(at - Date.parse(line.time)) / 1000} s before` : 'the router has logged nothing of it';
    return `cut: a connection of the open loop (port ${port}) with ${open} requests under way, of which ${unsent} bytes were not sent, silent for ${silentMs} ms, ${second}, ${problem}: ${told}`;
  }

  async startClients() {
    const {port} = this.router, shards = KINDS.map((kind, i) => KINDS.indexOf(kind) === KINDS.lastIndexOf(kind) ? kind : `${kind} ${i}`);
    const lanes = [];
    await this.ask('createBucket', [BUCKET, {index: {n: {type: 'number'}}}, LONG_REQUEST]);
    for (const [pnode, shard] of shards.entries()) lanes.push({name: `ledger at ${shard}`, directory: (await this.directoryAt(pnode)).directory, attacked: true, timeoutMs: 30_000, pauseMs: 100, bucket: BUCKET, prefix: PREFIX});
    this.places = [];
    for (const [pnode, shard] of shards.entries())
      for (let i = 0; i < DIRECTORIES_EACH; ++i) this.places.push({...await this.directoryAt(pnode), shard, pnode: pnodeOf(pnode)});
    this.series = new Series(this);
    this.polite = await Polite.start(port, lanes);
    const directories = this.places.map(({directory, shard}) => ({directory, shard})), process = {pid: this.router.child.pid, directory: this.directory};
    this.load = await Load.start({port, directories, process, seed: this.seed}, (figures) => this.series.take(figures));
    await this.load.fill();
  }

  /** The open loop goes faster, step by step, until the set does not follow twice in a row: the last rate at which it did. */
  async findRate() {
    const seconds = this.short ? 1 : 4;
    for (let rate = FIRST_RATE, carried = FIRST_RATE; ; rate *= STEP) {
      let follows = false;
      for (let attempt = 0; attempt < 2 && !follows; ++attempt) {
        await this.load.rate(rate);
        const [before, ...seen] = await this.series.next(seconds + 1), times = seen.flatMap(({times: some}) => [...some]).sort((a, b) => a - b);
        const asked = seen[seen.length - 1].requests - before.requests;
        follows = times.length >= CARRIED.share * asked && percentile(times, 0.99) <= CARRIED.p99Ms;
        console.log(`  ${Math.round(rate)} a second: ${Math.round(times.length / seconds)} of ${Math.round(asked / seconds)} answered, p99 ${percentile(times, 0.99)} ms${follows ? '' : ': not carried'}`);
        if (!follows) {
          await this.load.rate(0);
          await this.load.idle();
        }
      }
      if (!follows || !this.alive()) return Math.round(carried);
      carried = rate;
    }
  }
  /** What is used when the open loop stands still. */
  async rest() {
    await this.load.rate(0);
    await this.load.idle();
    await pause(this.short ? 1500 : 5000);
    return this.measure();
  }

  async untilOver() {
    while (this.now() < this.duration && this.alive() && !this.stopped) await pause(100);
    this.over = true;
    if (this.now() < this.duration) this.faults.push(`it was over after ${Math.round(this.now())} s`);
  }
  tooMuch() {
    super.tooMuch();
    this.over = true;
  }
  hostiles() {
    const kinds = ATTACKS.filter(({name}) => this.only ? this.only.has(name) : !this.short || !LONG_ONLY.has(name));
    return turns(this, kinds, this.seed + 2, this.short ? 100 : 3000, async (attack, _, event) => {
      const guest = new Guest(this, attack, this.short ? 500 : 3000);
      await guest.run();
      event.acts = guest.acts;
      const sum = this.guests[attack.name] = this.guests[attack.name] || {times: 0, acts: 0, notes: {}};
      ++sum.times;
      sum.acts += guest.acts;
      for (const [name, n] of Object.entries(guest.notes)) sum.notes[name] = (sum.notes[name] || 0) + n;
      this.faults.push(...guest.faults);
    });
  }
  operations() {
    return turns(this, Object.keys(OPERATIONS), this.seed + 3, this.short ? 500 : 2000, (name, any) => OPERATIONS[name](this, any));
  }
}

module.exports = {KINDS, SHARE, Soak};
