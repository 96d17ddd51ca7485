'use strict';
// What a plan that is over has left goes, whatever stands in its way and however often it is begun.
const assert = require('node:assert');
const {test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {BUCKET, call, random} = require('./reshard_ledger');
const {keysIn, rowsNotOwned} = require('./reshard_rows');
const {PNODES, pause} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene();
const BACK = ['--from', PNODES[1], '--to', PNODES[0]];
const schemas = (shard) => own.system.sql(shard, "SELECT count(*) FROM pg_namespace WHERE nspname = 'moray_router'");
const triggers = (shard) => own.system.sql(shard, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zzzz_moray%'");
const plansAt = (shard) => own.system.sql(shard, "SELECT coalesce(string_agg(plan::text, ',' ORDER BY plan), '') FROM moray_router.reshard_plan");

/** Neither database knows of any plan. */
function nothingLeft(shards = [0, 1]) {
  for (const shard of shards) assert.deepStrictEqual([shard, schemas(shard), triggers(shard)], [shard, '0', '0']);
}

/** Several buckets, and a plan of half of their vnodes that is finished. */
async function finished(seed, {writers = 4, buckets = 6, words = []} = {}) {
  await own.begin({seed, writers});
  for (let i = 0; i < buckets; ++i) await call(own.client, 'createBucket', `other${i}`, {index: {}});
  const plan = await own.system.plan('--vnodes', '0-31', '--soak', '0', ...words);
  await own.system.reshardTo(0, 'run', plan);
  return plan;
}

/** A rolled-back plan, and the plan that took it back; `words`: how that ends. */
async function takenBack(seed, ...words) {
  await own.begin({seed, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  const end = await system.ended(system.reshard('rollback', plan, ...words), 120000);
  await system.ended(running);
  return {plan, back: String(Number(plan) + 1), end};
}

test('a table that somebody has locked: the rest goes, what is left is named, and another forget ends it', async () => {
  const plan = await finished(801);
  const {system} = own;
  await own.ledger.stop();
  const held = await system.transaction(0, 'LOCK TABLE other1 IN SHARE MODE');
  for (let times = 0; times < 2; ++times) {
    const {err} = await system.reshardTo(1, 'forget', plan, '--lock-seconds', '1');
    assert.match(err, /source .*: the triggers of table other1 are left, locked by process \d+ \(psql, user \w+\), whose transaction is \d+ s old/);
    assert.strictEqual(triggers(0), '2');
    assert.strictEqual(schemas(0), '1');
  }
  await held.end('COMMIT');
  const {err} = await system.reshardTo(0, 'forget', plan);
  assert.match(err, /source .*: nothing is left/);
  assert.match(err, /target .*: nothing is left/);
  nothingLeft();
  await system.reshardTo(0, 'forget', plan);
  await own.settled();
});

test('what an older forget has left behind, triggers and schema without a plan, goes too', async () => {
  const plan = await finished(802, {writers: 0, buckets: 1});
  const {system} = own;
  for (const shard of [0, 1]) system.sql(shard, 'DELETE FROM moray_router.reshard_plan; DELETE FROM moray_router.reshard_vnode');
  system.sql(0, 'ALTER TABLE other0 RENAME TO renamed');
  await system.reshardTo(0, 'forget', plan);
  nothingLeft();
});

test('forget that is killed at random moments, under steady writers and long transactions, ends when it is repeated', async () => {
  const plan = await finished(803, {writers: 6});
  const {system} = own;
  // Direct writers whose transactions overlap: there is never a moment without one.
  const any = random(803);
  let going = true;
  const writer = async (i) => {
    for (let n = 0; going; ++n) {
      const held = await system.transaction(0, `INSERT INTO other${i % 3} (_key, _value, _etag, _vnode) VALUES ('/w${i}/${n}', '{}', 'ABCDEF01', 63)`);
      await pause(150);
      await held.end('COMMIT');
    }
  };
  const writers = [0, 1, 2, 3, 4, 5].map(writer);
  for (let i = 0; i < 12; ++i) {
    const running = system.reshard('forget', plan);
    await pause(any(120));
    running.child.kill('SIGKILL');
    await running.done;
  }
  await system.reshardTo(0, 'forget', plan);
  nothingLeft();
  going = false;
  await Promise.all(writers);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a rolled-back plan is forgotten before or after the plan that took it back', async () => {
  const {plan, back, end} = await takenBack(804);
  assert.strictEqual(end.code, 0, end.err);
  const {system} = own;
  const {err} = await system.reshardTo(0, 'forget', plan);
  assert.match(err, new RegExp(`nothing is left of the plan; triggers and schema stay for plan ${back}`));
  assert.strictEqual(plansAt(0), back);
  await system.reshardTo(0, 'forget', back);
  nothingLeft();
  await system.reshardTo(0, 'forget', plan);
  await own.settled();
});

test('a rolled-back plan whose rollback was killed at its very end is forgotten, and not while it is under way', async () => {
  const {plan, back} = await takenBack(805, '--crash-before', 'begin_cleanup');
  const {system} = own;
  assert.match((await system.reshardTo(1, 'forget', plan)).err, new RegExp(`plan ${plan} is not over: plan ${back} takes it back`));
  const journal = path.join(system.state, plan, 'journal.jsonl'), before = fs.readFileSync(journal);
  await system.reshardTo(0, 'run', back);
  fs.writeFileSync(journal, before);  // the record of the first plan's end is the last that is written
  assert.strictEqual((await system.status(plan)).act, 'rolled_back');  // by the other plan's journal
  await system.reshardTo(0, 'forget', plan);
  await system.reshardTo(0, 'forget', back);
  nothingLeft();
  await own.settled();
});

test('forget takes nothing from plans of other vnodes: a fence that they need stays', async () => {
  const plan = await finished(806, {writers: 0, buckets: 0});
  const {system} = own;
  const second = await system.plan('--vnodes', '0-15', '--soak', '0', ...BACK);
  await system.reshardTo(0, 'run', second);
  await system.reshardTo(0, 'forget', second);
  assert.strictEqual(plansAt(0), plan);
  const [upper] = keysIn(system, 1, (vnode) => vnode >= 16 && vnode < 32);
  assert.match(system.sqlOrError(0, `INSERT INTO ${BUCKET} (_key, _value, _etag) VALUES ('${upper}', '{}', 'ABCDEF01')`), /fenced by plan/);
  // Of those that are back nobody asks any more.
  await system.reshardTo(0, 'forget', plan);
  nothingLeft();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('the source is gone for good after the soak: the target forgets the plan', async () => {
  await own.begin({seed: 807, writers: 0});
  const {system, clusters} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  clusters[0].kill();
  assert.match((await system.reshardTo(1, 'forget', plan, '--source-is-gone')).err, /it soaks; `reshard finalize/);
  await system.reshardTo(0, 'finalize', plan);
  await system.waits(plan, /source/, running);
  await system.killed(running);
  assert.match((await system.reshardTo(1, 'forget', plan)).err, /--source-is-gone leaves it out/);
  await system.reshardTo(0, 'forget', plan, '--source-is-gone');
  nothingLeft([1]);
  // It comes back all the same: its rows of these vnodes are to be cleaned first.
  clusters[0].launch();
  assert.match((await system.reshardTo(1, 'forget', plan)).err, /its source is not cleaned; `reshard run/);
  await system.reshardTo(0, 'run', plan);
  await system.reshardTo(0, 'forget', plan);
  nothingLeft();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a plan before its cutover whose source was lost, and made anew without anything, is aborted and forgotten', async () => {
  await own.begin({seed: 808, writers: 0});
  const {system, clusters} = own;
  for (const key of keysIn(system, 20, (vnode) => vnode < 32)) await own.put(key, {n: 1});
  const plan = await system.plan('--vnodes', '0-31', '--settle', '600000');
  const running = system.reshard('run', plan);
  await system.until(plan, 'pump', running);
  clusters[1].kill();
  await system.killed(running);
  assert.match((await system.reshardTo(7, 'abort', plan)).err, /left at the target/);
  assert.match((await system.reshardTo(1, 'forget', plan, '--source-is-gone')).err, /left at the target/);
  clusters[0].dropDatabase(system.database);
  clusters[0].makeDatabase(system.database);
  clusters[1].launch();
  await system.reshardTo(7, 'abort', plan);
  await system.reshardTo(0, 'forget', plan, '--source-is-gone');
  nothingLeft();
});
