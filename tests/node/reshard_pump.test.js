'use strict';
// The pump: in memory that neither the log's length nor its rows' size changes, in parts, and beside the copy.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET, SCHEMA, call} = require('./reshard_ledger');
const {fill, grow, logEntries, peakOf} = require('./reshard_loads');
const {keysIn, rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();

/** A row of each side, by key. */
const row = (shard, key) => own.system.sql(shard, `SELECT n, u FROM ${BUCKET} WHERE _key = '${key}'`);
const logged = (bucket) => Number(own.system.sql(0, `SELECT count(*) FROM moray_router.reshard_log WHERE bucket = '${bucket}'`));

/** A plan goes on from where it stands to its end; what its coordinator took of memory at most, in megabytes. */
async function goesOn(running) {
  own.system.goOn(running);
  const {peak, end} = await peakOf(running);
  assert.strictEqual(end.code, 0, end.err);
  return peak;
}

test('200,000 entries of the log are applied in little memory', async () => {
  await own.begin({seed: 900, writers: 0});
  const {system} = own;
  fill(system, 'many', 2000, 'i');
  const plan = await system.plan('--vnodes', '0-63', '--soak', '0', '--trust-vnodes');
  const running = await system.standing(plan, 'pump');
  system.sql(0, `UPDATE ${BUCKET} SET n = 7`);
  logEntries(system, plan, 'many', 200000, 2000);
  const peak = await goesOn(running);
  assert.ok(peak < 75, `${peak} MB`);
  assert.strictEqual(system.sql(1, `SELECT count(*), sum(n) FROM ${BUCKET}`), '2000|14000');
  assert.strictEqual(logged(BUCKET), 0);
});

test('40 rows of 5 MB that change between two cycles are carried over in little memory', async () => {
  await own.begin({seed: 901, writers: 0});
  const {system} = own;
  fill(system, 'large', 40, 'i');
  const plan = await system.plan('--vnodes', '0-63', '--soak', '0', '--trust-vnodes', '--max-block', '20000');
  const running = await system.standing(plan, 'pump');
  grow(system, 'large', 5);
  const peak = await goesOn(running);
  assert.ok(peak < 120, `${peak} MB`);
  assert.strictEqual(system.sql(1, `SELECT count(*), sum(n), min(length(_value)) > 5000000 FROM ${BUCKET}`), '40|40|t');
});

for (const populated of [false, true])
  test(`unique values change places between keys that are far apart in a long log, at ${populated ? 'a target with rows' : 'an empty target'}`, async () => {
    await own.begin({seed: 902, writers: 0, owners: populated ? 2 : 1});
    const {system} = own;
    const [first] = keysIn(system, 1, (vnode, pnode) => pnode === system.pnodes[0], 'a'), [last] = keysIn(system, 1, (vnode, pnode) => pnode === system.pnodes[0], 'z');
    if (populated) await own.put(keysIn(system, 1, (vnode, pnode) => pnode === system.pnodes[1])[0], {n: 1});
    await own.put(first, {n: 1, u: 'one'});
    await own.put(last, {n: 1, u: 'two'});
    const vnodes = [...system.locate(BUCKET, [first, last]).values()].map(({vnode}) => vnode);
    const plan = await system.plan('--vnodes', [...new Set(vnodes)].join(','), '--soak', '0');
    const running = await system.standing(plan, 'verify');
    system.sql(0, `BEGIN; UPDATE ${BUCKET} SET u = NULL WHERE _key = '${first}'; UPDATE ${BUCKET} SET u = 'one', n = 2 WHERE _key = '${last}';
      UPDATE ${BUCKET} SET u = 'two', n = 2 WHERE _key = '${first}'; COMMIT`);
    logEntries(system, plan, 'm', 60000, 0);
    system.goOn(running);
    const end = await system.ended(running, 120000);
    assert.strictEqual(end.code, 0, end.err);
    assert.doesNotMatch(end.err, /brought again/);
    assert.deepStrictEqual([row(1, first), row(1, last)], ['2|two', '2|one']);
    assert.deepStrictEqual(rowsNotOwned(system), []);
  });

test('what the log names of a copied bucket goes to the target while another bucket is copied', async () => {
  await own.begin({seed: 904, writers: 0});
  const {system} = own;
  await call(own.client, 'createBucket', 'early', SCHEMA);  // copied first: buckets come in the order of their names
  const early = (n) => Promise.all(Array.from({length: 40}, (_, i) => call(own.client, 'putObject', 'early', `/e/${i}`, {n})));
  await early(0);
  fill(system, 'late', 600, "repeat('x', 1000)");  // about 600 kB: ten seconds of the copy
  const plan = await system.plan('--vnodes', '0-63', '--soak', '0', '--copy-bytes-per-second', '60000');
  const running = await system.standing(plan, 'copy');
  await early(1);
  assert.strictEqual(logged('early'), 40);
  system.goOn(running);
  let act;
  await system.quiet(async () => {
    const left = logged('early');
    ({act} = await system.status(plan));
    return left === 0 || act !== 'copy';
  });
  assert.strictEqual(act, 'copy');
  const end = await system.ended(running);
  assert.strictEqual(end.code, 0, end.err);
  assert.strictEqual(system.sql(1, 'SELECT count(*) FROM early WHERE n = 1'), '40');
  assert.deepStrictEqual(rowsNotOwned(system, {buckets: [BUCKET, 'early']}), []);
});
