'use strict';
// The log of a plan in its soak has a bound; beyond it the new owner goes on alone.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET} = require('./reshard_ledger');
const {keysIn, rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();
const BOUND = 20000;

const logged = () => Number(own.system.sql(1, 'SELECT count(*) FROM moray_router.reshard_log'));

/** All keys get a version. */
const put = (keys, n) => Promise.all(keys.map((key) => own.put(key, {n})));

/** A plan in its soak, whose source is away. */
async function alone(...words) {
  await own.begin({seed: 950, writers: 0});
  const {system} = own;
  const keys = keysIn(system, 40, (vnode) => vnode < 32);
  await put(keys, 1);
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600', ...words);
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  await system.quiet(() => logged() === 0);
  own.clusters[0].kill();
  return {keys, plan, running};
}

test('the log of a soak whose source is away is shown, and grows no further than its bound; writes go on, and the plan ends', async () => {
  const {keys, plan, running} = await alone('--log-bytes', String(BOUND));
  const {system} = own;
  await put(keys, 2);
  await system.quiet(async () => (await system.status(plan)).running.logEntriesWaiting === keys.length);
  const {logBytes} = (await system.status(plan)).running;
  assert.ok(logBytes > 80 * keys.length && logBytes < 0.8 * BOUND, String(logBytes));
  let n = 3;
  for (; !(await system.status(plan)).irreversible; ++n) await put(keys, n);
  assert.match((await system.status(plan)).irreversible, /--log-bytes/);
  assert.match(running.err, /the log at the target has \d+ entries/);
  await system.quiet(() => logged() === 0);
  await put(keys, n);
  assert.strictEqual(logged(), 0);
  own.clusters[0].revive();
  const refused = await system.reshardTo(1, 'rollback', plan);
  assert.match(refused.err, /not reversible/);
  await system.quiet(() => system.sqlOrError(0, 'SELECT 1') === '1');
  await system.reshardTo(0, 'finalize', plan);
  const end = await system.ended(running, 120000);
  assert.strictEqual(end.code, 0, end.err);
  for (const key of keys) assert.strictEqual((await own.get(key)).n, n);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a coordinator that ended when it had just given up the way back leaves one that says so', async () => {
  const {keys, plan, running} = await alone();
  const {system} = own;
  await system.killed(running);
  system.sql(1, `UPDATE moray_router.reshard_plan SET state = 'done' WHERE plan = ${plan}`);
  const next = system.reshard('run', plan);
  await system.quiet(async () => (await system.status(plan)).irreversible !== null || next.child.exitCode !== null);
  assert.match((await system.status(plan)).irreversible || next.err, /nothing is logged/);
  await put(keys, 2);
  assert.strictEqual(logged(), 0);
  own.clusters[0].revive();
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(next, 120000)).code, 0, next.err);
  assert.strictEqual((await own.get(keys[0])).n, 2);
  assert.strictEqual(system.sql(1, `SELECT count(*) FROM ${BUCKET}`), String(keys.length));
});
