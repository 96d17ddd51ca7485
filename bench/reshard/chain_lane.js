'use strict';
// Some vnodes on their way from shard to shard, by one plan after the other.
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {PNODES, pause} = require(path.join(tests, 'reshard_system'));
const {rowsNotOwned} = require(path.join(tests, 'reshard_rows'));

const ACTS = ['take_over', 'make_schema', 'arm', 'wait_armed', 'copy', 'pump', 'verify', 'bind', 'prepare', 'block', 'fence', 'wait_fenced', 'pump_last',
  'advance_sequence', 'wait_flushed', 'compare_servers', 'commit', 'wait_commit_flushed', 'activate', 'commit_target', 'unblock', 'soak', 'finalize',
  'begin_cleanup', 'clean', 'end_cleanup'];
const AFTER_COMMIT = ['wait_commit_flushed', 'activate', 'commit_target', 'unblock'];
const TRIES = 40;
const MAX_BLOCK = 1500;
const ROUTER_LEASE = MAX_BLOCK + 200;
const LEASE = 2 * ROUTER_LEASE + 1000;  // the plan's, as it says itself
/**
 * Milliseconds that writes may be held: where coordinator and routers go on, and where one of them is stopped or killed.
 * After the commit nobody but the target can take writes to what moves, and a target that is away is waited for; so that what comes after
 * the commit counts only where no server was away. A coordinator that is stopped in its block for longer than its routers' lease blocks on
 * for as long, as it sees it; writes are refused then, and wait no more.
 */
const BLOCKED_MOST = {uninterrupted: MAX_BLOCK + 200, interrupted: LEASE};
const SERVERS = /^(server|cuts)/;
const SEEN_WITHIN = 6000;  // milliseconds for a coordinator to come to an act

class Lane {
  constructor(system, faults, outcomes, {first, last, any, judgesBlocks}) { Object.assign(this, {system, faults, outcomes, first, last, any, judgesBlocks, at: 0}); }

  async run(hops) {
    const direction = 1 + this.any(2);
    for (let hop = 0; hop < hops; ++hop) {
      const next = (this.at + direction) % 3;
      if (this.any(3) === 0) await this.thereAndBack(next);
      else await this.move(next);
      await this.faults.serversBack();
      const strangers = rowsNotOwned(this.system, {only: (vnode) => vnode >= this.first && vnode <= this.last});
      for (const row of strangers) this.outcomes.broken.push(`after hop ${hop} of ${this.first}-${this.last}: not owned: ${row}`);
    }
  }

  async move(next) {
    const plan = await this.plan(next, '0');
    await this.disturbed('run', plan);
    await this.until(plan, /is finished/, (end) => end.code === 0);
    this.count('moved');
    this.at = next;
  }

  async thereAndBack(next) {
    const plan = await this.plan(next, '600');
    await this.disturbed('run', plan, ACTS.slice(0, ACTS.indexOf('soak') + 1));  // it stays in its soak
    const soaking = await this.toSoak(plan);
    await pause(this.any(300));
    await this.disturbed('rollback', plan);
    await this.until(plan, /is finished|was taken back/, (end) => end.code === 0, 'rollback');
    await soaking.done;
    this.count('taken back');
  }

  count(kind) { this.outcomes.plans[kind] = (this.outcomes.plans[kind] || 0) + 1; }

  /** A plan is refused while a router or server is away, or another plan's cutover is under way: later it is made. */
  async plan(next, soak) {
    const words = ['--vnodes', `${this.first}-${this.last}`, '--soak', soak, '--max-block', String(MAX_BLOCK), '--attempts', '20',
      '--from', PNODES[this.at], '--to', PNODES[next]];
    let end;
    for (let i = 0; i < TRIES; ++i) {
      end = await this.system.reshard('plan', '--config', this.system.config, ...this.system.defaults(words), ...words).done;
      if (end.code === 0) return /plan (\d+) is in/.exec(end.err)[1];
      this.count('not made');
      await pause(300);
    }
    throw new Error(`no plan can be made: ${end.out} ${end.err}`);
  }

  /** One run of a coordinator that something happens to: it dies, or stands still while something happens beside it. */
  async disturbed(command, plan, acts = ACTS) {
    const act = acts[this.any(acts.length)], kind = this.any(6), servers = this.faults.calm(SERVERS);
    if (kind === 0) return this.note(await this.system.reshard(command, plan, '--crash-before', act).done, 'interrupted', servers());
    if (kind === 1 && act !== 'soak') return this.note(await this.system.reshard(command, plan, '--crash-behind', act).done, 'interrupted', servers());
    const running = this.system.reshard(command, plan, '--stop-before', act);
    await Promise.race([this.system.stands(running, SEEN_WITHIN).catch(() => {}), running.done]);  // or it has no such act
    const stood = Date.now();
    this.faults.begin(this.any);
    if (kind > 3) await pause(300 + this.any(3000));  // it is stopped itself meanwhile
    running.child.kill('SIGCONT');
    const stopped = Date.now() - stood;
    await Promise.race([running.done, pause(500 + this.any(3000))]);
    await this.system.killed(running);
    this.note(await running.done, 'interrupted', servers(), stopped);
    return undefined;
  }

  /** Its blocks, too: `kind` of them, whether all servers were there, and for how many milliseconds it was stopped. */
  note(end, kind = 'interrupted', servers, stopped = 0) {
    this.count(end.signal === 'SIGKILL' ? 'killed' : `ended with ${end.code}`);
    for (const [text, ms, acts] of end.err.matchAll(/writes were held for ([\d.]+) ms \((.*)\)/g)) {
      const after = [...acts.matchAll(/(\w+) ([\d.]+) ms/g)].filter(([, act]) => AFTER_COMMIT.includes(act)).reduce((sum, [, , each]) => sum + Number(each), 0);
      const judged = servers ? Number(ms) : Number(ms) - after;
      this.outcomes.blocks[servers ? kind : `${kind}, to the commit`].push(judged);
      if (this.judgesBlocks && judged > BLOCKED_MOST[kind] + Math.max(0, stopped - ROUTER_LEASE)) this.outcomes.broken.push(`${text}, ${kind}`);
    }
  }

  /** Until a coordinator comes to the plan's end, by whatever else happens to others. */
  async until(plan, already, good, command = 'run') {
    let end;
    for (let i = 0; i < TRIES; ++i) {
      const routers = this.faults.calm(/^router/), servers = this.faults.calm(SERVERS);
      end = await this.system.reshard(command, plan, '--take-over').done;
      // At first it may go on with a block of another coordinator.
      this.note(end, routers() && i > 0 ? 'uninterrupted' : 'interrupted', servers());
      if (good(end) || already.test(end.err)) return;
      await pause(200);
    }
    throw new Error(`plan ${plan} does not end: ${end.code} ${end.err.slice(-1500)} ${JSON.stringify(await this.system.status(plan))}`);
  }

  async toSoak(plan) {
    for (let i = 0; i < TRIES; ++i) {
      const running = this.system.reshard('run', plan, '--take-over'), servers = this.faults.calm(SERVERS);
      let ended = false;
      running.done.then(() => { ended = true; });
      while (!ended && (await this.system.status(plan)).act !== 'soak') await pause(200);
      if (!ended) return running;
      this.note(await running.done, 'interrupted', servers());
    }
    throw new Error(`plan ${plan} does not come to its soak: ${JSON.stringify(await this.system.status(plan))}`);
  }
}

module.exports = {Lane, LEASE};
