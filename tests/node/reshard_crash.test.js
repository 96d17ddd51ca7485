'use strict';
// Plans whose coordinator, router or databases die: whatever was acknowledged is there, once.
const assert = require('node:assert');
const {after, before, test} = require('node:test');

const {random} = require('./reshard_ledger');
const {prepare, end, run, sanitized, long} = require('./reshard_losses');

const ACTS = ['take_over', 'make_schema', 'arm', 'wait_armed', 'copy', 'pump', 'verify', 'prepare', 'block', 'fence', 'wait_fenced', 'pump_last',
  'advance_sequence', 'wait_flushed', 'compare_servers', 'commit', 'wait_commit_flushed', 'activate', 'commit_target', 'unblock', 'soak', 'finalize',
  'begin_cleanup', 'clean', 'end_cleanup'];
const CUTOVER = ACTS.slice(ACTS.indexOf('prepare'), ACTS.indexOf('unblock') + 1);
// One for each act of the cutover at least.
const RUNS = Number(process.env.MORAY_ROUTER_RUNS || (sanitized ? 4 : long ? 40 : CUTOVER.length));
const SEED = Number(process.env.MORAY_ROUTER_SEED || 1);

before(prepare);
after(end);

/** What dies while the plan stands still at an act, beside its coordinator. */
const DEATHS = {
  coordinator: async () => {},
  router: async (system) => system.crashRouter(),
  source: async (system) => system.clusters[0].restart(),
  target: async (system) => system.clusters[1].restart(),
};

for (let i = 0; i < RUNS; ++i) {
  const seed = SEED + i;
  const any = random(seed * 7919);
  // The first runs go through the cutover's acts, one each; later ones are drawn.
  const act = i < CUTOVER.length ? CUTOVER[i] : ACTS[any(ACTS.length)];
  const where = any(2) === 0 ? '--crash-behind' : '--crash-before';
  const death = Object.keys(DEATHS)[any(4)];
  const second = ACTS[any(ACTS.length)];
  const share = any(3) === 0 ? '0-2' : '0-19';
  test(`seed ${seed}: the coordinator dies ${where === '--crash-behind' ? 'after' : 'before'} ${act}, with it the ${death}, and again before ${second}`, async () => {
    const ledger = await run(seed, async (system, plan) => {
      await system.reshard('run', plan, where, act).done;
      await DEATHS[death](system);
      await system.reshard('run', plan, '--crash-before', second).done;
    }, {share});
    if (death === 'coordinator') assert.strictEqual(ledger.unknown, 0, ledger.lastUnknown);
  });
}

test('the router goes on by itself where nothing is fenced, and the plan afterwards', async () => {
  await run(101, async (system, plan, ledger) => {
    await system.reshard('run', plan, '--crash-behind', 'block').done;
    await system.quiet(() => system.result('status').then(({gate}) => gate.hold === '' && gate.refuse === ''));
    const before = ledger.acknowledged;
    await system.quiet(() => ledger.acknowledged > before);
  }, {options: {}, more: ['--max-block', '200', '--lease', '3400']});
});

test('a router takes a decided ring by itself, after a restart too', async () => {
  for (const restarted of [false, true])
    await run(102, async (system, plan) => {
      const died = await system.reshard('run', plan, '--crash-behind', 'wait_commit_flushed').done;
      assert.strictEqual(died.signal, 'SIGKILL', died.err);
      assert.strictEqual((await system.result('status')).ring.generation, 1);
      if (restarted) await system.crashRouter();
      await system.quiet(() => system.result('status').then(({ring}) => ring.generation === 2));
    }, {more: ['--max-block', '200', '--lease', '3400', '--attempts', '100']});  // so short a block is often given up
});
