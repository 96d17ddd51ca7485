'use strict';
// A plan can always be ended, and the source alone serves while the target is away.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET} = require('./reshard_ledger');
const {keysAt, keysIn, rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const MAX_BLOCK = 1000;
/** What a busy machine may add to a block: starting and scheduling, not waiting for a server. */
const MACHINE = 3000;
const own = scene();
const states = (shard) => own.system.sqlOrError(shard, 'SELECT plan, role, state FROM moray_router.reshard_plan ORDER BY plan');

/** A coordinator that stands before an act of the cutover, with all writes to moving vnodes held. */
async function blocked(act, seed) {
  // The coordinator itself is stopped for a while, which is what leases are for, and not this test.
  await own.begin({seed, settings: {timeouts: {holdMs: 60000}}});
  const plan = await own.system.plan('--half', '--max-block', String(MAX_BLOCK), '--lease', '30000', '--soak', '0');
  const running = await own.system.standing(plan, act);
  assert.ok(!await own.system.open());
  return {plan, running};
}

/** From here on writes are held for no longer than the budget, and the source serves them. */
async function servedBySource(running) {
  const since = Date.now();
  own.system.goOn(running);
  await own.system.quiet(() => own.system.open());
  const held = Date.now() - since;
  assert.ok(held < MAX_BLOCK + 200 + MACHINE, `writes were held for ${held} ms more`);
  await own.written(50);
  assert.deepStrictEqual(own.ledger.refused, {});
  assert.match(states(0), /\|source\|capturing/);
}

const FAULTS = {
  dies: (cluster) => cluster.kill(),
  hangs: (cluster) => cluster.freeze(),
};
let seed = 300;
for (const [name, fault] of Object.entries(FAULTS))
  for (const act of ['wait_fenced', 'pump_last'])
    test(`the target ${name} before ${act}: the source serves within the budget, and the plan goes on when it is back`, async () => {
      const {running} = await blocked(act, ++seed);
      fault(own.clusters[1]);
      await servedBySource(running);
      own.clusters[1].revive();
      const end = await own.system.ended(running);
      assert.strictEqual(end.code, 0, end.err);
      await own.settled();
      assert.deepStrictEqual(rowsNotOwned(own.system), []);
    });

/** What `abort` says; it ends soon, whatever became of the target. */
async function aborted(plan) {
  const end = await own.system.ended(own.system.reshard('abort', plan));
  assert.strictEqual(end.code, 7, end.err);
  return end;
}

/** Neither database knows of any plan. */
function nothingLeft(shards) {
  for (const shard of shards) {
    assert.strictEqual(own.system.sql(shard, "SELECT count(*) FROM pg_namespace WHERE nspname = 'moray_router'"), '0');
    assert.strictEqual(own.system.sql(shard, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zzzz_moray%'"), '0');
  }
}

test('the target is lost during the copy: abort ends the plan, and cleans the target when it is back', async () => {
  await own.begin({seed: 310, writers: 2});
  const {system, clusters} = own;
  for (const key of keysIn(system, 300, (vnode) => vnode < 32, 'copied')) await own.put(key, {text: 'x'.repeat(2000)});
  // As in a large table: a statement for each vnode, so that some are there while others are copied.
  system.sql(0, `UPDATE pg_class SET reltuples = 1e7 WHERE relname = '${BUCKET}'`);
  const plan = await system.plan('--vnodes', '0-31', '--copy-bytes-per-second', '50000');
  const running = system.reshard('run', plan);
  await system.quiet(() => keysAt(system, 1).length > 0);
  clusters[1].kill();
  await system.killed(running);
  assert.match((await aborted(plan)).err, /left at (the )?target/);
  assert.match(states(0), /\|source\|aborted/);
  await own.written(50);
  assert.match((await system.reshardTo(1, 'forget', plan)).err, /target/);
  clusters[1].launch();
  assert.ok(keysAt(system, 1).length > 0);
  await aborted(plan);
  assert.deepStrictEqual(keysAt(system, 1), []);
  await own.settled();
  await system.reshardTo(0, 'forget', plan);
  nothingLeft([0, 1]);
});

test('the target is lost for good in the last pump: abort ends the plan, and forget goes without the target', async () => {
  const {plan, running} = await blocked('pump_last', 311);
  const {system, clusters} = own;
  clusters[1].kill();
  await servedBySource(running);
  await system.killed(running);
  assert.match((await aborted(plan)).err, /left at (the )?target/);
  assert.match(states(0), /\|source\|aborted/);
  await own.written(50);
  await system.reshardTo(1, 'forget', plan);
  await own.ledger.stop();
  await system.reshardTo(0, 'forget', plan, '--target-is-gone');
  nothingLeft([0]);
  clusters[1].launch();  // for a look at what is there; it is no shard any more
  await own.settled({}, {ghosts: true});
});

test('abort while the target hangs does not wait for it', async () => {
  await own.begin({seed: 312});
  const {system, clusters} = own;
  const plan = await system.plan('--half', '--settle', '600000');
  const running = system.reshard('run', plan);
  await system.until(plan, 'pump', running);
  clusters[1].freeze();
  await system.killed(running);
  assert.match((await aborted(plan)).err, /left at (the )?target/);
  clusters[1].thaw();
  await aborted(plan);
  assert.deepStrictEqual(keysAt(system, 1), []);
  await own.settled();
});

test('a failover of the source brings a fence back while the target is away: the source takes it away alone', async () => {
  await own.begin({seed: 315});
  const {system, clusters, ledger} = own;
  const plan = await system.plan('--half', '--soak', '0');
  await system.reshard('run', plan, '--crash-before', 'verify').done;
  clusters[1].kill();
  // A standby may have had the row of an attempt that was given up later.
  system.sql(0, `UPDATE moray_router.reshard_plan SET state = 'fenced' WHERE plan = ${plan}`);
  await system.quiet(() => ledger.refused.ReadOnlyError > 0);
  const running = system.reshard('run', plan);
  await system.quiet(() => /\|source\|capturing/.test(states(0)));
  await own.written(30);  // what was refused before is counted by now
  const {ReadOnlyError} = ledger.refused;
  await own.written(50);
  assert.strictEqual(ledger.refused.ReadOnlyError, ReadOnlyError);
  clusters[1].revive();
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  await ledger.stop();
  await ledger.check(system, own.client);
});

test('the old owner is lost in the soak: finalize is heard, and the cleanup follows when it is back', async () => {
  await own.begin({seed: 313, writers: 0});
  const {system, clusters} = own;
  const moved = keysIn(system, 20, (vnode) => vnode < 32);
  for (const key of moved) await own.put(key, {n: 1});
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  clusters[0].kill();
  for (const key of moved) await own.put(key, {n: 2});
  await system.reshardTo(0, 'finalize', plan);
  await system.quiet(() => /\|target\|done/.test(states(1)));
  assert.strictEqual(system.sql(1, 'SELECT count(*) FROM moray_router.reshard_log'), '0');
  for (const key of moved) await own.put(key, {n: 3});
  clusters[0].launch();
  const end = await system.ended(running);
  assert.strictEqual(end.code, 0, end.err);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  for (const key of moved) assert.strictEqual((await own.get(key)).n, 3);
});

test('the old owner is lost for good before a coordinator comes back: finalize ends the soak all the same', async () => {
  await own.begin({seed: 314});
  const {system, clusters} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  await system.killed(running);
  await own.ledger.stop();
  clusters[0].kill();
  assert.match((await system.reshardTo(9, 'finalize', plan)).err, /nobody carries plan 1 on/);
  const again = system.reshard('run', plan);
  await system.quiet(() => /\|target\|done/.test(states(1)));
  await system.waits(plan, /source/, again);
  clusters[0].launch();
  assert.strictEqual((await system.ended(again)).code, 0);
  await own.settled();
});
