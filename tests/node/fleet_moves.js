'use strict';
// Plans of resharding over a fleet, one after the other, while routers, the service, databases and coordinators are killed, stopped
// and started again. Writers and readers go through all routers in turn: no acknowledged write may be lost, none come back, and no
// read, through any router, may be older than what anybody has seen before it began.
const assert = require('node:assert');

const {random} = require('./reshard_ledger');
const {pause} = require('./reshard_system');

const MAX_BLOCK_MS = 1500;
const LEASE_MS = MAX_BLOCK_MS + 200;  // a router's

/** What goes wrong meanwhile, each undone again before it returns. */
const FAULTS = {
  async killRouter({system, any}) {
    const i = any(system.routers.length), router = system.routers[i];
    if (router.busy) return;
    router.busy = true;
    router.child.kill('SIGKILL');
    await router.exited;
    await pause(any(1500));
    await system.startRouter(i);
  },
  async stopRouter({system, any}) {
    const router = system.routers[any(system.routers.length)];
    if (router.busy) return;
    router.busy = true;
    router.child.kill('SIGSTOP');
    await pause(LEASE_MS * [0.5, 1.5, 3][any(3)]);
    router.child.kill('SIGCONT');
    router.busy = false;
  },
  async killService({system, any}) {
    if (system.serviceBusy) return;
    system.serviceBusy = true;
    await system.zookeeper.kill();
    await pause(any(4000));
    await system.zookeeper.launch();
    system.serviceBusy = false;
  },
  async restartDatabase({system, any}) {
    if (system.databaseBusy) return;
    system.databaseBusy = true;
    await system.clusters[any(system.clusters.length)].restart();
    system.databaseBusy = false;
  },
  async killCoordinator({mover}) {
    if (mover.running) mover.running.child.kill('SIGKILL');
  },
  async stopCoordinator({mover, any}) {
    if (!mover.running) return;
    const {child} = mover.running;
    child.kill('SIGSTOP');
    await pause(any(4000));
    child.kill('SIGCONT');
  },
};

/** Runs plans, and each again whose coordinator has died. */
class Mover {
  constructor(system, any) {
    Object.assign(this, {system, any, finished: 0, aborted: 0, takenBack: 0, coordinators: 0});
  }

  /** Coordinators, until one has ended by itself. */
  async carry(words) {
    for (let killed = false;;) {
      ++this.coordinators;
      this.running = this.system.reshard(...words);
      const {code, err} = await this.running.done;
      this.running = null;
      if (code === 0 || code === 7) return code;
      // The one before was killed after it had written down that the plan is over.
      if (killed && / is finished/.test(err)) return 0;
      if (killed && / was aborted: plan again/.test(err)) return 7;
      killed = code === null;
      // Killed; or it wants a person, after so many cutovers that were given up: one retries.
      if (code !== null && code !== 5) this.said = `${words.join(' ')} ends with ${code}: ${err.slice(-600)}`;
      await pause(100);
    }
  }

  /** Vnodes that the first shard, or the second, has: the one that has more gives some. */
  async move() {
    const {system, any} = this;
    const of = [system.vnodesOf(0), system.vnodesOf(1)], from = of[0].length >= of[1].length ? 0 : 1;
    const first = any(Math.max(1, of[from].length - 6)), vnodes = of[from].slice(first, first + 1 + any(6)).join(',');
    const words = ['--vnodes', vnodes, '--from', system.pnodes[from], '--to', system.pnodes[1 - from], '--max-block', String(MAX_BLOCK_MS), '--lease', String(2 * LEASE_MS + 1000)];
    const back = any(4) === 0;
    let plan;
    // A router, or the service, may be away just now.
    await system.quiet(async () => {
      const made = await system.reshard('plan', '--config', system.config, ...system.defaults(words), ...words, ...(back ? [] : ['--soak', '0'])).done;
      plan = (/plan (\d+) is in/.exec(made.err) || [])[1];
      if (!plan) this.said = made.err + made.out;
      return plan;
    }, 120000).catch(() => assert.fail(`no plan can be made: ${this.said}`));
    const begun = this.carryOn(plan, back);
    const faults = Array.from({length: 1 + any(3)}, async () => {
      await pause(any([600, 2500, 5000][any(3)]));
      const kinds = Object.keys(FAULTS), kind = kinds[any(kinds.length)];
      this.faults[kind] = (this.faults[kind] || 0) + 1;
      await FAULTS[kind]({system, any, mover: this});
    });
    await Promise.all(faults);
    await begun;
    await system.quiet(async () => (await system.reshard('forget', back ? this.last : plan).done).code === 0, 120000);
  }
  async carryOn(plan, back) {
    this.last = plan;
    if (!back) {
      const code = await this.carry(['retry', plan]);
      if (code === 0) ++this.finished;
      else ++this.aborted;
      return;
    }
    const soaks = this.carryInTheBackground(['retry', plan]);
    await this.system.until(plan, 'soak');
    this.goesBack = true;
    await this.carry(['rollback', plan]);
    await soaks;
    this.goesBack = false;
    ++this.takenBack;
    this.last = String(Number(plan) + 1);
  }
  async carryInTheBackground(words) {
    for (;;) {
      ++this.coordinators;
      this.running = this.system.reshard(...words);
      const {code} = await this.running.done;
      if (code === 6 || code === 0 || (code === 1 && this.goesBack)) return;  // paused for the rollback, or taken back
      await pause(100);
    }
  }
}

/** One seed; what it came to. */
async function runMoves(own, seed, {plans = 2} = {}) {
  const {system, ledger, clients} = own, any = random(seed * 7919), mover = new Mover(system, any);
  mover.faults = {};
  const acknowledged = ledger.acknowledged, reads = ledger.reads;
  for (let i = 0; i < plans; ++i) await mover.move();
  await system.quiet(() => system.together());
  await ledger.goesOn();
  assert.deepStrictEqual(ledger.wrong, []);
  for (const name of Object.keys(ledger.refused)) assert.ok(['ReadOnlyError', 'NoBackendsError'].includes(name), JSON.stringify(ledger.refused));
  return {seed, finished: mover.finished, aborted: mover.aborted, takenBack: mover.takenBack, coordinators: mover.coordinators,
    writes: ledger.acknowledged - acknowledged, reads: ledger.reads - reads, refused: ledger.refused, unknown: ledger.unknown, clients: clients.length, faults: mover.faults};
}

module.exports = {FAULTS, runMoves};
