'use strict';
// The soak: what stands in the way of the reverse stream is waited for by name, or the way back is given up
// and found again; and whoever asks for something is heard meanwhile.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET} = require('./reshard_ledger');
const {keysAt, keysIn, rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();
const STOPPED = 5, PAUSED = 6;
const keys = (count, prefix, moves = true) => keysIn(own.system, count, (vnode) => vnode < 32 === moves, prefix);
const valueAt = (shard, key) => own.system.sql(shard, `SELECT _value FROM ${BUCKET} WHERE _key = '${key}'`);
const status = (plan) => own.system.status(plan);

async function soaking(seed, rows, options = {}) {
  await own.begin({seed, writers: 0, ...options});
  for (const [key, value] of rows()) await own.put(key, value);
  const plan = await own.system.plan('--vnodes', '0-31', '--soak', '600');
  const running = own.system.reshard('run', plan);
  await own.system.until(plan, 'soak', running);
  return {plan, running};
}
/** A row of the old owner's, locked by a session of somebody's. */
const locked = (key) => own.system.transaction(0, `SELECT 1 FROM ${BUCKET} WHERE _key = '${key}' FOR UPDATE`);

test('a lock at the old owner makes the reverse stream wait; it is named, and the plan goes on afterwards', async () => {
  const {plan, running} = await soaking(921, () => keys(3).map((key) => [key, {n: 1}]));
  const {system} = own, [key, other] = keys(3);
  const {soakUntil} = await status(plan);
  const held = await locked(key);
  await own.put(key, {n: 2});
  await system.waits(plan, /the reverse stream waits for a lock at the source, which process \d+ \(psql, user moray, by a query of .*\) holds/, running);
  await system.quiet(async () => (await status(plan)).heldBy.some(({application, side}) => application === 'psql' && side === 'source'));
  // It stays so beyond the server's own limit for a lock: the statement is tried again.
  const entries = async () => (await status(plan)).lag.entries;
  await own.put(other, {n: 2});
  const waits = () => system.sql(0, `SELECT min(query_start) FROM pg_stat_activity WHERE application_name = 'moray-router reshard ${plan}' AND wait_event_type = 'Lock'`);
  const first = waits();
  await system.quiet(() => !['', first].includes(waits()));
  assert.deepStrictEqual([(await status(plan)).stopped, (await status(plan)).irreversible, running.child.exitCode], [null, null, null]);
  assert.ok(await entries() > 0);
  await held.end('ROLLBACK');
  await system.quiet(() => valueAt(0, key) === valueAt(1, key) && valueAt(0, other) === valueAt(1, other));
  assert.deepStrictEqual([(await status(plan)).act, (await status(plan)).soakUntil], ['soak', soakUntil]);
  assert.doesNotMatch(running.err, /ALARM/);
  await system.reshardTo(0, 'rollback', plan);
  assert.strictEqual((await system.ended(running)).code, PAUSED);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('while the reverse stream waits for a lock: pause, a new coordinator, and finalize are heard', async () => {
  const {plan, running} = await soaking(922, () => keys(3).map((key) => [key, {n: 1}]));
  const {system} = own, [key] = keys(3);
  const {soakUntil} = await status(plan);
  const held = await locked(key);
  await own.put(key, {n: 2});
  await system.waits(plan, /the reverse stream waits/, running);
  await system.reshardTo(0, 'pause', plan);
  assert.strictEqual((await system.ended(running)).code, PAUSED, running.err);
  const again = system.reshard('resume', plan);
  await system.waits(plan, /the reverse stream waits/, again);
  assert.strictEqual((await status(plan)).soakUntil, soakUntil);  // not begun anew
  await system.reshardTo(0, 'finalize', plan);
  await held.end('ROLLBACK');
  assert.strictEqual((await system.ended(again)).code, 0, again.err);
  assert.strictEqual((await own.get(key)).n, 2);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a server of the old owner that hangs keeps nobody from pausing or finalizing', async () => {
  const {plan, running} = await soaking(923, () => keys(3).map((key) => [key, {n: 1}]));
  const {system, clusters} = own, [key] = keys(3);
  clusters[0].freeze();
  await own.put(key, {n: 2});
  await system.waits(plan, /the source/, running);
  await system.reshardTo(0, 'finalize', plan, '--wait', '60');
  assert.match(system.sql(1, 'SELECT state FROM moray_router.reshard_plan'), /done/);
  clusters[0].thaw();
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('rollback under load is heard, and loses nothing', async () => {
  await own.begin({seed: 924, writers: 12, gap: 0});
  const {system} = own;
  const plan = await system.plan('--half', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  await own.written(200);
  await system.reshardTo(0, 'rollback', plan);
  assert.strictEqual((await system.ended(running)).code, PAUSED, running.err);
  await own.settled();
});

test('a way back that is lost is found again once its reason is gone, and all rows are compared then', async () => {
  const {plan, running} = await soaking(925, () => [[keys(1)[0], {u: 'first'}], [keys(1, 's', false)[0], {u: 'same'}]]);
  const {system} = own, [moved] = keys(1), [stays] = keys(1, 's', false);
  await own.put(moved, {u: 'same'});  // legal: two shards
  await system.quiet(async () => (await status(plan)).irreversible !== null);
  assert.match((await status(plan)).irreversible, /u = same .* is taken at the source by key .*, which stays there/);
  assert.strictEqual((await status(plan)).next, `moray-router reshard retry 1 --state ${system.state}`);
  assert.match((await system.reshardTo(STOPPED, 'retry', plan)).err, /plan 1 is not reversible: .* is taken/);
  assert.match((await system.reshardTo(1, 'rollback', plan)).err, /is not reversible/);
  // Its reason goes; but another row differs, which no log entry tells.
  await own.put(stays, {u: 'another'});
  system.sql(0, `SET session_replication_role = replica; INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, _vnode) SELECT '/more', '{}', 'ABCDEF01', 7, _vnode FROM ${BUCKET} WHERE _key = '${moved}'`);
  assert.match((await system.reshardTo(STOPPED, 'retry', plan)).err, /1 rows differ .*\/more: not at the target/);
  system.sql(0, `SET session_replication_role = replica; DELETE FROM ${BUCKET} WHERE _key = '/more'`);
  assert.match((await system.reshardTo(0, 'retry', plan)).err, /plan 1 is reversible/);
  assert.match(running.err, /the way back is there again: \d+ rows were compared/);
  assert.strictEqual((await status(plan)).irreversible, null);
  assert.strictEqual(valueAt(0, moved), valueAt(1, moved));
  await own.put(moved, {u: 'last'});
  await system.reshardTo(0, 'rollback', plan);
  assert.strictEqual((await system.ended(running)).code, PAUSED);
  assert.strictEqual((await own.get(moved)).u, 'last');
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a coordinator that begins looks for a lost way back at once', async () => {
  const {plan, running} = await soaking(926, () => [[keys(1)[0], {u: 'first'}], [keys(1, 's', false)[0], {u: 'same'}]]);
  const {system} = own, [moved] = keys(1), [stays] = keys(1, 's', false);
  await own.put(moved, {u: 'same'});
  await system.quiet(async () => (await status(plan)).irreversible !== null);
  await system.killed(running);
  await own.put(stays, {u: 'another'});
  const again = system.reshard('run', plan);
  await system.quiet(async () => (await status(plan)).irreversible === null);
  await system.quiet(() => keysAt(system, 0).includes(moved) && valueAt(0, moved) === valueAt(1, moved));
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(again)).code, 0, again.err);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});
