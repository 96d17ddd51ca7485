'use strict';
// Writes in flight when a plan ends, and rows that lie at a target before it: each shard has the rows that it
// owns, and no other.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET} = require('./reshard_ledger');
const {keysAt, keysIn, rowsNotOwned, vnodesOf} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene();
const BACK = ['--from', PNODES[1], '--to', PNODES[0]];
const update = (key, text) => `UPDATE ${BUCKET} SET _value = '{"v":${text},"n":${text}}', n = ${text} WHERE _key = '${key}'`;

/** Rows on all of the vnodes 0 to 31, some of them in the lower half and some in the upper. */
async function filled(seed) {
  await own.begin({seed, writers: 0});
  const lower = keysIn(own.system, 20, (vnode) => vnode < 16, 'lower'), upper = keysIn(own.system, 20, (vnode) => vnode >= 16 && vnode < 32, 'upper');
  for (const key of [...lower, ...upper]) await own.put(key, {n: 1, u: key});
  return {lower, upper};
}

/** A whole plan, after which nothing lies where it must not. */
async function moved(...words) {
  const plan = await own.system.plan('--soak', '0', ...words);
  await own.system.reshardTo(0, 'run', plan);
  assert.deepStrictEqual(rowsNotOwned(own.system), []);
}

test('a write in flight over finalize: a later plan of other vnodes leaves its row where it belongs', async () => {
  const {lower, upper: [key]} = await filled(401);
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  const held = await system.transaction(1, update(key, 7));
  await system.reshardTo(0, 'finalize', plan);
  const end = await system.ended(running);
  assert.strictEqual(end.code, 0, end.err);
  assert.strictEqual(await held.end('COMMIT'), 0);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  await moved('--vnodes', '0-15', ...BACK);
  assert.strictEqual((await own.get(key)).n, 7);
  assert.deepStrictEqual(keysAt(system, 0).filter((each) => lower.includes(each)), [...lower].sort());
  // What was deleted stays so, and its unique value is free.
  await own.remove(key);
  await own.absent(key);
  await own.put(lower[0], {n: 2, u: key});
});

test('a write in flight over abort: a later plan of other vnodes does not take its row along', async () => {
  const {upper: [key]} = await filled(402);
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--settle', '600000');
  const running = system.reshard('run', plan);
  await system.until(plan, 'pump', running);
  const held = await system.transaction(0, update(key, 7));
  assert.match((await system.reshardTo(7, 'abort', plan, '--take-over')).err, /aborted/);
  await system.ended(running);
  assert.deepStrictEqual(keysAt(system, 1), []);
  assert.strictEqual(await held.end('COMMIT'), 0);
  await moved('--vnodes', '0-15');
  assert.strictEqual((await own.get(key)).n, 7);
  await moved('--vnodes', '0-15', ...BACK);
  assert.deepStrictEqual(keysAt(system, 1), []);
});

test('a write in flight over finalize that ends when another plan has begun: that plan, and its way back, leave the row alone', async () => {
  const {upper: [key, other]} = await filled(403);
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  const held = await system.transaction(1, `${update(key, 7)}; DELETE FROM ${BUCKET} WHERE _key = '${other}'`);
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(running)).code, 0);
  const second = await system.plan('--vnodes', '0-15', '--soak', '600', ...BACK);
  const soaking = await system.standing(second, 'wait_armed');
  assert.strictEqual(await held.end('COMMIT'), 0);
  system.goOn(soaking);
  await system.until(second, 'soak', soaking);
  assert.ok(!keysAt(system, 0).includes(key));
  await system.reshardTo(0, 'rollback', second);
  await system.ended(soaking);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  assert.strictEqual((await own.get(key)).n, 7);
  await own.absent(other);
});

/** The target owns vnodes, and one row that lies there has a key that moves. `stored`: the vnode that it says. */
async function strangerAtTarget(seed, stored) {
  await own.begin({seed, writers: 0, owners: 2});
  const {system} = own;
  const vnodes = vnodesOf(system, 0, 0, 8), theirs = vnodesOf(system, 1)[0];
  const [key, ...others] = keysIn(system, 10, (vnode) => vnodes.includes(vnode));
  for (const each of [key, ...others]) await own.put(each, {n: 1, u: each});
  await own.remove(key);
  const appear = () => system.sql(1, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, _vnode) VALUES ('${key}', '{"n":-7}', 'ABCDEF01', 7, ${stored(theirs)})`);
  return {key, others, appear, vnodes: vnodes.join(',')};
}

const STORED = {'without a vnode': () => 'NULL', 'with the vnode of another': (theirs) => String(theirs)};
for (const [name, stored] of Object.entries(STORED)) {
  test(`a row at the target ${name} whose key moves is an obstacle`, async () => {
    const {appear, vnodes} = await strangerAtTarget(410, stored);
    appear();
    const {system} = own;
    const end = await system.reshard('plan', '--config', system.config, ...system.defaults([]), '--vnodes', vnodes).done;
    assert.strictEqual(end.code, 1, end.out);
    assert.match(end.out, /the target has 1 rows? /);
  });

  test(`a row at the target ${name} that appears after the plan was made does not survive the copy`, async () => {
    const {appear, key, others, vnodes} = await strangerAtTarget(411, stored);
    const {system} = own;
    const plan = await system.plan('--vnodes', vnodes, '--soak', '0');
    await system.reshard('run', plan, '--crash-before', 'make_schema').done;
    appear();
    await system.reshardTo(0, 'run', plan);
    await own.absent(key);
    assert.ok(!keysAt(system, 1).includes(key));
    for (const each of others) assert.strictEqual((await own.get(each)).n, 1);
    assert.deepStrictEqual(rowsNotOwned(system), []);
  });
}
