'use strict';
// Changes of buckets beside plans: all shards make one, or none does.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET, call} = require('./reshard_ledger');
const {keysIn, rowsNotOwned, vnodesOf} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene({shards: 3});
/** The lock of all plans, as a change of buckets shares it. */
const PLANS = 'pg_advisory_xact_lock(1836218211, 0)';
const CONFIG = {index: {n: {type: 'number'}}};
const has = (bucket) => [0, 1, 2].map((shard) => own.system.has(shard, bucket));
const columns = (bucket) => [0, 1, 2].map((shard) => own.system.sql(shard, `SELECT count(*) FROM pg_attribute WHERE attrelid = '${bucket}'::regclass AND attname = 'n'`));
const change = (method, ...words) => call(own.client, method, ...words);
const create = (bucket) => change('createBucket', bucket, CONFIG);

/** Three shards, each with vnodes; some of the first one's are to move to the second. */
async function begun(seed, ...words) {
  await own.begin({seed, owners: 3, writers: 2});
  await change('createBucket', 'old', {index: {}});
  const [key] = keysIn(own.system, 1, (vnode, pnode) => pnode === PNODES[2], 'old');
  await change('putObject', 'old', key, {n: 1});
  const vnodes = vnodesOf(own.system, 0, 0, 6).join(',');
  return {key, vnodes, plan: await own.system.plan('--vnodes', vnodes, '--soak', '600', ...words)};
}

/** Refused by an error that node-moray's clients know, which names the plan and its shards; nothing is changed. */
async function refusedEverywhere(plan, key) {
  const refusals = {
    createBucket: () => create('fresh'),
    updateBucket: () => change('updateBucket', 'old', CONFIG),
    delBucket: () => change('delBucket', 'old'),
  };
  for (const [method, refused] of Object.entries(refusals)) {
    const error = await refused().then(() => assert.fail(method), (failed) => failed);
    const said = JSON.stringify([error.name, error.message, error.ase_errors]);
    assert.match(said, /ReadOnlyError/);
    assert.ok(error.message.includes(`buckets can't be changed while plan ${plan} moves vnodes from ${PNODES[0]} to ${PNODES[1]}`), said);
  }
  assert.deepStrictEqual(has('fresh'), [false, false, false]);
  assert.deepStrictEqual(columns('old'), ['0', '0', '0']);
  assert.strictEqual((await change('getObject', 'old', key, {noCache: true})).value.n, 1);
}

test('during a plan a change of buckets is refused at all shards, and done at all when the plan is over', async () => {
  const {key, plan} = await begun(901, '--gate', 'copy', '--gate', 'cutover');
  const {system} = own;
  const running = system.reshard('run', plan);
  await system.waits(plan, /gate copy/, running);
  await refusedEverywhere(plan, key);
  await system.reshardTo(0, 'open', plan, 'copy');
  await system.waits(plan, /gate cutover/, running);
  await refusedEverywhere(plan, key);
  await system.killed(running);
  await system.reshardTo(7, 'abort', plan);
  await create('fresh');
  await change('updateBucket', 'old', CONFIG);
  assert.deepStrictEqual(has('fresh'), [true, true, true]);
  assert.deepStrictEqual(columns('old'), ['1', '1', '1']);
  await change('delBucket', 'old');
  assert.deepStrictEqual(has('old'), [false, false, false]);
  await own.settled();
});

test('a plan that is aborted, and left at its target, refuses changes everywhere until that is cleaned', async () => {
  const {key, plan} = await begun(902, '--gate', 'cutover');
  const {system, clusters} = own;
  const running = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, running);
  await system.killed(running);
  await own.ledger.stop();
  clusters[1].kill();
  await system.reshardTo(7, 'abort', plan);
  clusters[1].launch();
  await system.quiet(() => system.healthy());
  await refusedEverywhere(plan, key);
  await system.reshardTo(7, 'abort', plan);
  await create('fresh');
  assert.deepStrictEqual(has('fresh'), [true, true, true]);
});

test('a plan that begins between the two steps of a change waits for it, and moves what it made', async () => {
  const {plan} = await begun(903);
  const {system} = own;
  const held = await system.transaction(2, `SELECT ${PLANS}`);
  const made = create('fresh');  // the first two shards are ready, the third has not answered
  const shares = (shard) => system.sql(shard, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND classid = 1836218211 AND objid = 0 AND granted");
  await system.quiet(() => shares(0) === '1' && shares(1) === '1');
  assert.deepStrictEqual(has('fresh'), [false, false, false]);
  const running = system.reshard('run', plan);
  await system.quiet(() => system.sql(1, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND classid = 1836218211 AND objid = 0 AND NOT granted") === '1');
  await held.end('COMMIT');
  await made;
  assert.deepStrictEqual(has('fresh'), [true, true, true]);
  await system.until(plan, 'soak', running);
  assert.strictEqual(system.sql(1, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'fresh'::regclass AND tgname = 'zzzz_moray_router_reshard'"), '1');
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a client that leaves between the steps, or a shard that can\'t be asked: nothing is changed, and nothing stays locked', async () => {
  await begun(904);
  const {system, clusters} = own;
  const held = await system.transaction(2, `SELECT ${PLANS}`);
  const leaving = await system.connect();
  call(leaving, 'createBucket', 'fresh', CONFIG).catch(() => {});
  const locks = (shard) => system.sql(shard, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1836218211");
  await system.quiet(() => locks(0) === '1' && locks(1) === '1');
  leaving.close();
  await system.quiet(() => locks(0) === '0' && locks(1) === '0');
  await held.end('COMMIT');
  await system.quiet(() => locks(2) === '0');
  assert.deepStrictEqual(has('fresh'), [false, false, false]);
  await own.ledger.stop();
  clusters[1].kill();
  await system.quiet(async () => !await system.healthy());
  await assert.rejects(create('fresh'), /no connections available/);
  clusters[1].launch();
  await system.quiet(() => system.healthy());
  assert.deepStrictEqual(has('fresh'), [false, false, false]);
  await create('fresh');
  assert.deepStrictEqual(has('fresh'), [true, true, true]);
});

test('many changes at once over several workers don\'t wait in a circle', async () => {
  await own.begin({seed: 905, owners: 3, writers: 0, workers: 2});
  const clients = [own.client, ...await Promise.all([1, 2, 3].map(() => own.system.connect()))];
  await Promise.all(Array.from({length: 24}, (_, i) => call(clients[i % 4], 'createBucket', `many${i}`, {index: {}})));
  for (let i = 0; i < 24; ++i) assert.deepStrictEqual(has(`many${i}`), [true, true, true]);
});

test('a direct writer\'s change of buckets, begun before a plan\'s rows are made, is waited for', async () => {
  const {vnodes} = await begun(906);
  const {system} = own;
  await own.ledger.stop();
  const first = await system.plan('--vnodes', vnodes, '--soak', '0');
  await system.reshardTo(0, 'run', first);  // the trigger is there from now on
  const held = await system.transaction(0, 'DELETE FROM buckets_config WHERE name = \'old\'');
  const second = await system.plan('--vnodes', vnodesOf(system, 0, 0, 2).join(','), '--soak', '0');
  const running = system.reshard('run', second);
  await system.quiet(() => system.sql(0, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND classid = 1836218211 AND objid = 0 AND NOT granted") === '1');
  await held.end('ROLLBACK');
  const end = await system.ended(running, 120000);
  assert.strictEqual(end.code, 0, end.err);
  assert.ok(system.has(0, BUCKET));
});
