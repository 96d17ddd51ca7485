'use strict';
// What is asked of a running coordinator: it is heard, or it is said that nobody hears.
const assert = require('node:assert');
const {test} = require('node:test');
const {spawn} = require('child_process');
const fs = require('fs');
const path = require('path');

const {BUCKET} = require('./reshard_ledger');
const {keysIn} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();
const UNHEARD = 9, DIFFER = 10;
const moving = (count, prefix) => keysIn(own.system, count, (vnode) => vnode < 32, prefix);

/** A plan in its soak, with rows that moved. */
async function soaking(seed, options = {}, ...words) {
  await own.begin({seed, writers: 0, ...options});
  const keys = moving(20);
  for (const key of keys) await own.put(key, {n: 1});
  const plan = await own.system.plan('--vnodes', '0-31', '--soak', '600', ...words);
  const running = own.system.reshard('run', plan);
  await own.system.until(plan, 'soak', running);
  return {plan, running, keys};
}

test('pause: heard by a coordinator that runs, not by one that stands still, nor by nobody', async () => {
  await own.begin({seed: 911, writers: 0});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--settle', '600000');
  assert.match((await system.reshardTo(UNHEARD, 'pause', plan)).err, /nobody carries plan 1 on: there is nothing to pause/);
  const running = system.reshard('run', plan);
  await system.until(plan, 'pump', running);
  running.child.kill('SIGSTOP');
  assert.match((await system.reshardTo(UNHEARD, 'pause', plan, '--wait', '2')).err, /has not stopped within 2 s/);
  system.goOn(running);  // and hears it then
  assert.strictEqual((await system.ended(running)).code, 6, running.err);
  const again = system.reshard('run', plan);
  await system.quiet(async () => !(await system.status(plan)).paused);
  await system.until(plan, 'pump', again);
  assert.match((await system.reshardTo(0, 'pause', plan)).err, /plan 1 is paused at pump; .* goes on/);
  assert.strictEqual((await system.ended(again)).code, 6, again.err);
});

test('finalize: refused before the cutover; kept for the next run where nobody hears', async () => {
  await own.begin({seed: 912, writers: 0});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600', '--gate', 'finalize');
  assert.match((await system.reshardTo(1, 'finalize', plan)).err, /plan 1 is not cut over: it is at make_schema/);
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  assert.match((await system.reshardTo(0, 'finalize', plan)).err, /plan 1 waits: gate finalize/);
  await system.killed(running);
  assert.match((await system.reshardTo(UNHEARD, 'finalize', plan)).err, /nobody carries plan 1 on: its soak ends, .* as soon as .*reshard run 1/);
  assert.strictEqual((await system.status(plan)).act, 'soak');
  await system.reshardTo(0, 'open', plan, 'finalize');
  await system.reshardTo(0, 'run', plan);
});

test('set: options change while a plan runs, the plan does not, and values that can\'t be are refused', async () => {
  const {plan, running} = await soaking(913, {}, '--max-block', '700');
  const {system} = own;
  const file = path.join(system.state, plan, 'plan.json'), written = fs.readFileSync(file, 'utf8');
  assert.match((await system.reshardTo(1, 'set', plan)).err, /name an option/);
  assert.match((await system.reshardTo(1, 'set', plan, '--max-block', '0')).err, /--max-block 0: it is between 1 and 600000 ms/);
  assert.match((await system.reshardTo(1, 'set', plan, '--soak', '99999999999')).err, /--soak 99999999999: it is between 0 and/);
  const {soakUntil} = await system.status(plan);
  await system.reshardTo(0, 'set', plan, '--soak', '86400', '--max-block', '5000', '--cleanup-rows-per-second', '7');
  await system.quiet(async () => (await system.status(plan)).soakUntil !== soakUntil);
  const longer = await system.status(plan);
  assert.deepStrictEqual(longer.options, {maxBlockMilliseconds: 5000, leaseMilliseconds: 11400, soakSeconds: 86400, copyBytesPerSecond: 0, cleanupRowsPerSecond: 7});
  const moved = Date.parse(longer.soakUntil) - Date.parse(soakUntil);
  assert.ok(Math.abs(moved - (86400 - 600) * 1000) < 60000, String(moved));  // a soak that began when it did
  await system.reshardTo(0, 'set', plan, '--soak', '0', '--cleanup-rows-per-second', '0');
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  assert.strictEqual(fs.readFileSync(file, 'utf8'), written);
  assert.match((await system.reshardTo(1, 'set', plan, '--soak', '5')).err, /plan 1 is finished/);
});

test('verify: beside a coordinator, before the cutover and in the soak, under writes', async () => {
  await own.begin({seed: 914});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600', '--gate', 'cutover');
  assert.match((await system.reshardTo(1, 'verify', plan)).err, /plan 1 is at make_schema/);
  const running = system.reshard('run', plan);
  await system.waits(plan, /cutover/, running);
  assert.match((await system.reshardTo(0, 'verify', plan)).out, /^verified: 32 vnodes, \d+ rows, 0 differing\n/m);
  await system.reshardTo(0, 'open', plan, 'cutover');
  await system.until(plan, 'soak', running);
  const {vnodes, rows, differing, notCompared} = JSON.parse((await system.reshardTo(0, 'verify', plan, '--json')).out);
  assert.deepStrictEqual([vnodes, differing, notCompared], [32, 0, 0]);
  assert.ok(rows > 0);
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  await own.settled();
});

test('verify: names rows that differ, repairs none, and says which writes are not carried over', async () => {
  const {plan, running, keys} = await soaking(915);
  const {system} = own;
  await system.quiet(() => system.sql(1, 'SELECT count(*) FROM moray_router.reshard_log') === '0');
  const wrong = `SELECT json_agg(_key ORDER BY _key) FROM ${BUCKET}`;
  // Behind the back of everything: no trigger of the replica's role fires.
  system.sql(0, `SET session_replication_role = replica; DELETE FROM ${BUCKET} WHERE _key = '${keys[0]}';
    UPDATE ${BUCKET} SET _value = '{"n":5}' WHERE _key = '${keys[1]}';
    INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, _vnode) SELECT '/more', '{}', 'ABCDEF01', 7, _vnode FROM ${BUCKET} WHERE _key = '${keys[2]}'`);
  const before = system.sql(0, wrong);
  const found = JSON.parse((await system.reshardTo(DIFFER, 'verify', plan, '--json')).out);
  assert.strictEqual(found.differing, 3);
  assert.deepStrictEqual(new Map(found.keys.map(({key, what}) => [key, what])),
    new Map([['/more', 'not at the target'], [keys[0], 'missing at the source'], [keys[1], 'differs']]));
  assert.strictEqual(system.sql(0, wrong), before);
  assert.strictEqual((await system.status(plan)).irreversible, null);
  await system.killed(running);
  await own.put(keys[3], {n: 9});
  const {out} = await system.reshardTo(DIFFER, 'verify', plan);
  assert.match(out, /3 differing, 1 keys not compared, since their last writes are not carried over/);
});

test('sessions of another database of the same server are nobody\'s writers', async () => {
  await own.begin({seed: 916, writers: 0});
  const {system, clusters} = own;
  const other = `${system.database}_other`;
  clusters[0].makeDatabase(other);
  try {
    const [, classid] = /kWritersLock = (0x[0-9a-f]+)/.exec(fs.readFileSync(path.join(__dirname, '../../reshard/schema.hpp'), 'utf8'));
    const stranger = spawn('psql', ['-X', '-q', '-d', clusters[0].url(other)], {stdio: ['pipe', 'pipe', 'inherit']});
    system.endsWithTest(stranger);
    stranger.stdin.write(`BEGIN; SELECT pg_advisory_lock_shared(${Number(classid)}, 1);\n`);
    await new Promise((resolve) => stranger.stdout.once('data', resolve));
    await system.quiet(() => clusters[0].query(clusters[0].url(other), "SELECT max(clock_timestamp() - xact_start) > interval '1 s' FROM pg_stat_activity WHERE application_name = 'psql'") === 't');
    const plan = await system.plan('--vnodes', '0-31', '--soak', '0');
    await system.reshardTo(0, 'run', plan);
    const ended = new Promise((resolve) => stranger.on('close', resolve));
    stranger.stdin.end('COMMIT;\n');
    assert.strictEqual(await ended, 0);  // nobody has ended it
  } finally {
    clusters[0].dropDatabase(other);
  }
});
