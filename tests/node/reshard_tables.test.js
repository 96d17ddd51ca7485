'use strict';
// Tables that change under a plan: what it stands on is looked at again at the moment that it matters.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET} = require('./reshard_ledger');
const {keysAt, keysIn, rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();

/** Rows on the vnodes 0 to 31, and a plan that moves them. */
async function begin(seed, ...words) {
  await own.begin({seed, writers: 0});
  const keys = keysIn(own.system, 60, (vnode) => vnode < 32);
  for (const key of keys) await own.put(key, {n: 1});
  return {keys, plan: await own.system.plan('--vnodes', '0-31', ...words)};
}
const REPLACED = `BEGIN; CREATE TABLE ${BUCKET}_next (LIKE ${BUCKET} INCLUDING ALL); INSERT INTO ${BUCKET}_next SELECT * FROM ${BUCKET};
  ALTER TABLE ${BUCKET} RENAME TO ${BUCKET}_before; ALTER TABLE ${BUCKET}_next RENAME TO ${BUCKET}; COMMIT`;
const replaceTable = (shard) => own.system.sql(shard, REPLACED);

/** A plan goes on, and must stop by itself before its cutover; it says why. `keep` looks whether all is as it was. */
async function stops(running, plan, why, keep = async () => {}) {
  const {system} = own;
  system.goOn(running);
  await system.quiet(async () => running.child.exitCode !== null || (await system.status(plan)).act === 'soak');
  await system.quiet(() => system.open());
  await keep();
  const end = await system.ended(running);
  assert.strictEqual(end.code, 5, end.err);
  assert.match((await system.status(plan)).stopped, why);
}

for (const act of ['pump', 'bind', 'wait_fenced'])
  test(`the source's table is replaced by rename before ${act}: the plan stops, and says why`, async () => {
    const {keys, plan} = await begin(700, '--soak', '600');
    const {system} = own;
    const running = await system.standing(plan, act);
    replaceTable(0);
    const writes = act === 'wait_fenced' ? [] : keys.slice(0, 3);
    for (const key of writes) await own.put(key, {n: 2});
    await stops(running, plan, new RegExp(BUCKET), async () => {
      for (const key of keys) assert.strictEqual((await own.get(key)).n, writes.includes(key) ? 2 : 1, key);
    });
    for (const key of keys) await own.put(key, {n: 3});
    await system.reshardTo(7, 'abort', plan);
    assert.deepStrictEqual(rowsNotOwned(system), []);
  });

test('the target\'s table is replaced by rename before the block: the plan stops, and says why', async () => {
  const {keys, plan} = await begin(703, '--soak', '600');
  const {system} = own;
  const running = await system.standing(plan, 'bind');
  replaceTable(1);
  await stops(running, plan, new RegExp(BUCKET));
  for (const key of keys) await own.put(key, {n: 3});
});

test('a trigger is off for an update between verification and block: no row is lost', async () => {
  const {keys, plan} = await begin(704, '--soak', '0');
  const {system} = own;
  const running = await system.standing(plan, 'bind');
  system.sql(0, `BEGIN; ALTER TABLE ${BUCKET} DISABLE TRIGGER USER; UPDATE ${BUCKET} SET n = 777, _value = '{"n":777}' WHERE _vnode < 32;
    ALTER TABLE ${BUCKET} ENABLE TRIGGER USER; COMMIT`);
  system.goOn(running);
  const end = await system.ended(running);
  for (const key of keys) assert.strictEqual((await own.get(key)).n, 777);
  // All is compared again, since the table is not the one that it was, and the cause is known.
  assert.ok([0, 5].includes(end.code), end.err);
  assert.match(end.err, /changed|again|another version/);
  if (end.code === 5) await system.reshardTo(0, 'retry', plan, '--repair');
  for (const key of keys) assert.strictEqual((await own.get(key)).n, 777);
  assert.strictEqual(system.sql(1, `SELECT count(*) FROM ${BUCKET} WHERE n = 777`), String(keys.length));
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a trigger that stays off stops the plan', async () => {
  const {keys, plan} = await begin(705, '--soak', '600');
  const {system} = own;
  const running = await system.standing(plan, 'bind');
  system.sql(0, `ALTER TABLE ${BUCKET} DISABLE TRIGGER USER`);
  await stops(running, plan, /trigger/);
  system.sql(0, `ALTER TABLE ${BUCKET} ENABLE TRIGGER USER`);
  for (const key of keys) await own.put(key, {n: 3});
});

test('rows that are missing at the target without a known cause stop the plan; retry --repair brings them', async () => {
  const {keys, plan} = await begin(706, '--soak', '0');
  const {system} = own;
  const running = await system.standing(plan, 'verify');
  system.sql(1, `SET session_replication_role = replica; DELETE FROM ${BUCKET} WHERE _key IN ('${keys[0]}', '${keys[1]}')`);
  system.goOn(running);
  const end = await system.ended(running);
  assert.strictEqual(end.code, 5, end.err);
  const {stopped} = await system.status(plan);
  assert.match(stopped, /missing/);
  assert.match(end.err, new RegExp(`key ${keys[0]}`));
  assert.ok(!keysAt(system, 1).includes(keys[0]));
  assert.strictEqual((await system.ended(system.reshard('retry', plan))).code, 5);
  assert.ok(!keysAt(system, 1).includes(keys[0]));
  await system.reshardTo(0, 'retry', plan, '--repair');
  assert.deepStrictEqual(keysAt(system, 1), [...keys].sort());
  assert.deepStrictEqual(rowsNotOwned(system), []);
});
