'use strict';
// Plans that are kept in the databases: any host that has the configuration goes on with them, one at a time.
const assert = require('node:assert');
const {test} = require('node:test');
const {spawn} = require('child_process');
const fs = require('fs');
const path = require('path');

const {keysAt, rowsNotOwned} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const PLAN_LOCKS = path.join(__dirname, '../../backends/postgres/sql/plans.hpp');
const own = scene({shards: 3});
const PAUSED = 6, ABORTED = 7, ELSEWHERE = 8;
const begin = (options) => own.begin({journal: 'database', ...options});
/** The directory of plans goes, as a cache may at any time. */
const forgetFiles = () => fs.rmSync(own.system.state, {recursive: true, force: true, maxRetries: 100});  // a coordinator may write there just now
const records = (shard, plan) => Number(own.system.sql(shard, `SELECT count(*) FROM moray_router.reshard_journal WHERE plan = ${plan}`));

test('a plan begins on one host, and goes on on another that has nothing of it but the configuration', async () => {
  await begin({seed: 1001, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--gate', 'copy', '--gate', 'cutover');
  const first = system.reshard('run', plan);
  await system.waits(plan, /gate copy/, first);
  forgetFiles();  // with what pg_dump has written down
  system.moveToHost('second');
  await system.reshardTo(0, 'open', plan, 'copy');
  await system.waits(plan, /gate cutover/, first);
  assert.match(first.err, /is written down again/);
  assert.match((await system.reshardTo(0, 'verify', plan)).out, / 0 differing/);
  await system.killed(first);
  forgetFiles();
  assert.match((await system.reshardTo(0, 'list')).out, /^1 +\w+ +32 vnodes/m);
  assert.match((await system.reshardTo(0, 'status', plan, '--history')).out, /identities of the servers/);
  const second = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, second);
  await system.reshardTo(0, 'open', plan, 'cutover');
  const end = await system.ended(second);
  assert.strictEqual(end.code, 0, end.err);
  assert.doesNotMatch(end.err, /ALARM/);
  assert.strictEqual(records(0, plan), records(1, plan));  // both sides have all of it
  assert.deepStrictEqual(rowsNotOwned(system), []);
  await own.settled();
});

test('two coordinators on two hosts: one acts, and the other ends; also one that was stopped, and followed', async () => {
  await begin({seed: 1002, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--gate', 'cutover');
  const first = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, first);
  system.moveToHost('second');
  assert.match((await system.reshardTo(ELSEWHERE, 'run', plan)).err, /plan 1 has a coordinator: at the source/);
  first.child.kill('SIGSTOP');
  const second = system.reshard('run', plan, '--take-over');
  await system.waits(plan, /gate cutover/, second);
  const byFirst = `SELECT count(*) FROM moray_router.reshard_journal WHERE record->>'process' = '${first.child.pid}'`;
  const written = system.sql(0, byFirst);
  system.goOn(first);
  assert.strictEqual((await system.ended(first)).code, ELSEWHERE, first.err);
  assert.strictEqual(system.sql(0, byFirst), written);
  await system.reshardTo(0, 'open', plan, 'cutover');
  assert.strictEqual((await system.ended(second)).code, 0, second.err);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  await own.settled();
});

test('one that waits for the lock is not ended with the sessions of older coordinators by the one that has it', async () => {
  await begin({seed: 1004, writers: 0});
  const {system, clusters} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--gate', 'cutover');
  const [, lock] = /kPlansLock = (0x[0-9a-f]+)/.exec(fs.readFileSync(PLAN_LOCKS, 'utf8'));
  const holder = spawn('psql', ['-X', '-q', '-d', clusters[0].url(system.database)], {stdio: ['pipe', 'pipe', 'inherit']});
  system.endsWithTest(holder);
  holder.stdin.write(`SELECT pg_advisory_lock(${Number(lock)}, ${plan});\n`);
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  const waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'moray-router reshard 1%' AND query LIKE 'SELECT a.pid, a.application_name%'";
  let first;
  do {  // it gives up after a while
    first = system.reshard('run', plan);
    await system.quiet(() => system.sql(0, waits) === '1' || first.child.exitCode !== null);
    first.child.kill('SIGSTOP');
  } while (first.child.exitCode !== null);
  holder.stdin.end();
  system.moveToHost('second');
  const second = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, second);
  system.goOn(first);
  assert.strictEqual((await system.ended(first)).code, ELSEWHERE, first.err);
  assert.match(first.err, /plan 1 has a coordinator: at the source/);
  assert.doesNotMatch(first.err, /ALARM/);
  await system.reshardTo(0, 'open', plan, 'cutover');
  assert.strictEqual((await system.ended(second)).code, 0, second.err);
});

for (const [act, where] of [['make_schema', 'before'], ['arm', 'behind'], ['copy', 'behind'], ['prepare', 'behind'], ['fence', 'behind'],
  ['commit', 'before'], ['commit', 'behind'], ['wait_commit_flushed', 'behind'], ['commit_target', 'behind'], ['unblock', 'behind'],
  ['finalize', 'behind'], ['begin_cleanup', 'behind'], ['end_cleanup', 'behind']])
  test(`kill -9 of a coordinator ${where} ${act}, and its host is gone: another host goes on`, async () => {
    await begin({seed: 1003, writers: 2});
    const {system} = own;
    const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--lease', '20000');
    const first = await system.ended(system.reshard('run', plan, `--crash-${where}`, act));
    assert.strictEqual(first.signal, 'SIGKILL', first.err);
    forgetFiles();
    system.moveToHost('second');
    await system.reshardTo(0, 'run', plan);
    assert.deepStrictEqual(rowsNotOwned(system), []);
    await own.settled();
  });

test('what people ask is heard from any host; a plan is taken back on another one, and nothing is left of both', async () => {
  await begin({seed: 1004, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600', '--apply-from', `${system.databases[0]}?password=verysecret`);
  const first = system.reshard('run', plan);
  await system.until(plan, 'soak', first);
  for (const shard of [0, 1])
    assert.strictEqual(system.sql(shard, "SELECT count(*) FILTER (WHERE d::text LIKE '%dbname%'), count(*) FILTER (WHERE d::text LIKE '%verysecret%') FROM moray_router.reshard_definition d"), '1|0');
  system.moveToHost('second');
  await system.reshardTo(0, 'set', plan, '--soak', '900', '--max-block', '5000');
  await system.quiet(async () => (await system.status(plan)).options.soakSeconds === 900);
  await system.quiet(() => /options: max-block 5000 ms, soak 900 s/.test(first.err));
  await system.reshardTo(0, 'pause', plan);
  assert.strictEqual((await system.ended(first)).code, PAUSED, first.err);
  system.moveToHost('third');
  await system.reshardTo(0, 'rollback', plan);
  const {act, rolledBackBy, next} = await system.status(plan);
  assert.deepStrictEqual([act, rolledBackBy], ['rolled_back', 2]);
  assert.match(next, /reshard forget 2 --config \S+ --journal database/);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  system.moveToHost('first');
  await system.reshardTo(0, 'forget', 2);
  for (const shard of [0, 1]) assert.strictEqual(system.sql(shard, "SELECT to_regnamespace('moray_router') IS NULL"), 't');
  assert.strictEqual((await system.reshardTo(0, 'list')).out, '');
  assert.match((await system.reshardTo(1, 'status', plan)).err, /no PostgreSQL shard of the configuration has a plan 1/);
  await own.settled();
});

test('abort from another host, and forget beside a plan that was only made', async () => {
  await begin({seed: 1005, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-15', '--gate', 'cutover'), made = await system.plan('--vnodes', '16-31', '--soak', '0');
  const first = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, first);
  await system.killed(first);
  system.moveToHost('second');
  await system.reshardTo(ABORTED, 'abort', plan);
  assert.deepStrictEqual(keysAt(system, 1), []);
  await system.reshardTo(0, 'forget', plan);
  assert.match((await system.reshardTo(0, 'list')).out, /^2 +make_schema +16 vnodes[^\n]*\n$/);
  await system.reshardTo(0, 'run', made);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  await own.settled();
});

test('a source that crashes and comes back is waited for, with the journal that it has', async () => {
  await begin({seed: 1006, writers: 0});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600', '--gate', 'cutover');
  const running = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, running);
  system.clusters[0].kill();
  assert.match((await system.reshardTo(0, 'list')).err, new RegExp(`shard ${PNODES[0]}: .*: its plans may be missing here`));
  assert.strictEqual((await system.status(plan)).plan, 1);  // the other side has it, too
  system.clusters[0].revive();
  await system.reshardTo(0, 'open', plan, 'cutover');
  await system.until(plan, 'soak', running);
  // The target decides in the soak: without the source it is carried on, recorded and ended from any host.
  await system.killed(running);
  system.clusters[0].kill();
  system.moveToHost('second');
  const second = system.reshard('run', plan);
  await system.waits(plan, /source/, second);
  await system.reshardTo(0, 'finalize', plan);
  system.clusters[0].revive();
  assert.strictEqual((await system.ended(second)).code, 0, second.err);
  assert.doesNotMatch(running.err + second.err, /stopped/);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('two hosts plan at once, between shards that they share and others: no number is given twice', async () => {
  await begin({seed: 1007, writers: 0});
  const {system} = own;
  const pairs = [[1, '0-3'], [2, '4-7'], [1, '8-11'], [2, '12-15']];
  const plans = await Promise.all(pairs.map(([to, vnodes]) => system.plan('--vnodes', vnodes, '--to', PNODES[to])));
  assert.deepStrictEqual(plans.sort(), ['1', '2', '3', '4']);
  assert.strictEqual((await system.reshardTo(0, 'list')).out.trimEnd().split('\n').length, 4);
  system.clusters[2].kill();
  const refused = await system.reshardTo(1, 'plan', '--config', system.config, ...system.defaults([]), '--vnodes', '16-19');
  assert.match(refused.err, new RegExp(`${PNODES[2]}`));
});

test('a definition, a journal and asks that one side has lost are made there again', async () => {
  await begin({seed: 1008, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--gate', 'cutover');
  const first = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, first);
  await system.killed(first);
  const lines = records(1, plan);
  for (const table of ['definition', 'journal', 'ask', 'shown']) system.sql(0, `DELETE FROM moray_router.reshard_${table}`);
  system.moveToHost('second');
  await system.reshardTo(0, 'open', plan, 'cutover');  // at one side
  await system.reshardTo(0, 'run', plan);
  assert.ok(records(0, plan) > lines);
  assert.strictEqual(system.sql(0, "SELECT asked FROM moray_router.reshard_ask WHERE name = 'open-cutover'"), 't');
  assert.deepStrictEqual(rowsNotOwned(system), []);
  await own.settled();
});
