'use strict';
// Vnodes of a plan, beyond its coordinator's lease: nothing is sent to the shard that they may have left.
const assert = require('node:assert');
const {after, afterEach, before, beforeEach, test} = require('node:test');
const {execFile, execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {lineOf} = require('./admin_client');
const {PostgresCluster} = require('./postgres_cluster');
const {PNODES, System, pause} = require('./reshard_system');

const LEASE = process.env.MORAY_ROUTER_SANITIZED ? 3000 : 1000;
let clusters, system, client, moving, staying;
before(async () => { clusters = [await new PostgresCluster().start(), await new PostgresCluster().start()]; });
after(() => clusters.forEach((cluster) => cluster.stop()));

beforeEach(async () => {
  system = await new System({clusters, vnodes: 64, workers: 1}).start();
  client = await system.connect();
  await call('createBucket', 'b', {index: {n: {type: 'number'}}});
  const keys = [...Array(60).keys()].map((i) => `k${i}`);
  const places = system.locate('b', keys);
  [moving, staying] = [keys.filter((key) => places.get(key).vnode < 32), keys.filter((key) => places.get(key).vnode >= 32)].map((all) => all.slice(0, 8));
  for (const key of [...moving, ...staying]) await call('putObject', 'b', key, {n: 1});
  system.sql(0, `CREATE SCHEMA moray_router; CREATE TABLE moray_router.reshard_plan (plan bigint PRIMARY KEY, token text, state text,
    decided boolean NOT NULL DEFAULT false, ring_digest text)`);
});
afterEach(() => system.stop({keep: false}));

function call(method, ...args) {
  return new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
}
/** What becomes of each: the pnode that answered, or an error's name. */
const gets = (keys) => Promise.all(keys.map((key) => call('getObject', 'b', key, {noCache: true}).then(({_node}) => _node.pnode, (error) => error.name)));
const puts = (keys) => Promise.all(keys.map((key) => call('putObject', 'b', key, {n: 2}).then(({_node}) => _node ? _node.pnode : 'done', (error) => error.name)));
function find(token) {
  return new Promise((resolve) => {
    let rows = 0;
    const found = client.findObjects('b', '(n=*)', {token, limit: 100});
    found.on('record', () => { ++rows; });
    found.on('error', (error) => resolve(error.name));
    found.on('end', () => resolve(rows));
  });
}
const line = lineOf(() => path.join(system.router.directory, 'admin.sock'));
async function result(command, args) {
  const answer = await line(command, args);
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.result;
}
const row = (state, digest = null, decided = false) => system.sql(0, `INSERT INTO moray_router.reshard_plan VALUES (17, 'mine', '${state}', ${decided}, ${digest ? `'${digest}'` : 'NULL'})
  ON CONFLICT (plan) DO UPDATE SET state = excluded.state, decided = excluded.decided, ring_digest = excluded.ring_digest`);
const prepare = (more = {}) => result('prepare', {vnodes: '0-31', pnode: PNODES[1], plan: '17', holder: 'mine', from: PNODES[0], owner: PNODES[0], leaseMs: LEASE, ...more});
const all = (keys, what) => keys.map(() => what);
/** Answers as they should be, within the time that reading a row takes. */
const soon = (check, expected) => system.quiet(async () => JSON.stringify(await check()) === JSON.stringify(expected), 20000);

test('a router that was stopped beyond its lease sends nothing to vnodes that may have moved, until it has read where they are', async () => {
  row('capturing');
  const {digest} = await prepare();
  const socket = system.router.child.pid;
  process.kill(socket, 'SIGSTOP');
  await pause(LEASE + 300);
  row('committed', digest);
  const asked = [gets(moving), puts(moving), gets(staying), find(PNODES[0])];
  await pause(200);
  process.kill(socket, 'SIGCONT');
  assert.deepStrictEqual(await Promise.all(asked), [all(moving, 'NoBackendsError'), all(moving, 'ReadOnlyError'), all(staying, PNODES[0]), 'NoBackendsError']);
  assert.strictEqual(system.sql(0, 'SELECT count(*) FROM b WHERE n = 2'), '0');
  // Committed, but a failover might take it back; or decided, with a ring that is not the one here.
  await pause(500);
  assert.deepStrictEqual(await gets(moving), all(moving, 'NoBackendsError'));
  row('committed', 'f'.repeat(64), true);
  await pause(1500);
  assert.deepStrictEqual(await gets(moving), all(moving, 'NoBackendsError'));
  assert.notStrictEqual((await result('status')).ring.digest, digest);
  assert.strictEqual((await line('remap', {vnodes: '40', pnode: PNODES[1]})).error.code, 'prepared');
  row('committed', digest, true);
  await soon(async () => (await result('status')).ring.digest, digest);
  assert.deepStrictEqual(await gets(moving), all(moving, 'BucketNotFoundError'));  // nobody has copied anything in this test
  await result('abandon', {lease: 'mine'});  // its target has no row in this test, and would never say that it takes writes
  await result('remap', {vnodes: '40', pnode: PNODES[1]});
});

test('a look at a ring that never ends keeps the control from nothing: a lease\'s end is followed meanwhile', async () => {
  row('capturing');
  await prepare();
  // A look at that ring waits for a writer.
  const trap = path.join(system.directory, 'trap');
  fs.mkdirSync(trap);
  execFileSync('mkfifo', [path.join(trap, 'CURRENT')]);
  const stalled = line('diff', {from: trap, to: ''});
  await pause(LEASE + 300);
  const answers = await Promise.all([gets(moving), puts(moving), gets(staying), find(PNODES[0])]);
  let waits = true;
  stalled.then(() => { waits = false; });
  for (; waits; await pause(20)) {  // it looks several times
    try {
      const file = fs.openSync(path.join(trap, 'CURRENT'), fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
      fs.writeSync(file, 'nothing\n');
      fs.closeSync(file);
    } catch (error) {
      assert.match(error.code, /ENXIO|EPIPE/);  // nobody reads at the moment
    }
  }
  assert.strictEqual((await stalled).ok, false);
  // The plan's row says that nothing is fenced.
  assert.deepStrictEqual(answers, [all(moving, PNODES[0]), all(moving, PNODES[0]), all(staying, PNODES[0]), 2 * moving.length]);
  assert.deepStrictEqual(await puts(moving), all(moving, PNODES[0]));
});

test('a plan that is not committed leaves its vnodes served beyond the lease, without a gap', async () => {
  row('capturing');
  // Long enough for reading a row before its end on a machine with little time for us.
  await prepare({leaseMs: 4 * LEASE});
  const until = Date.now() + 12 * LEASE;
  for (let i = 0; Date.now() < until; ++i) {
    if (i === 20) row('fenced');
    assert.deepStrictEqual(await gets(moving), all(moving, PNODES[0]));
    await pause(10);
  }
  assert.strictEqual((await line('reload')).error.code, 'prepared');
  row('aborted');  // bound to no ring: all of its rings are taken back
  await soon(async () => (await line('reload')).ok, true);
  assert.strictEqual((await result('status')).prepared, null);
  assert.deepStrictEqual(await gets(moving), all(moving, PNODES[0]));
});

test('a router that starts with a plan\'s ring serves its vnodes once the row has said where they are', async () => {
  const {digest} = await prepare();
  await system.crashRouter();
  client = await system.connect();
  assert.match((await result('status')).prepared.leftBehind, new RegExp(digest));
  assert.deepStrictEqual(await Promise.all([gets(moving), gets(staying)]), [all(moving, 'NoBackendsError'), all(staying, PNODES[0])]);
  row('capturing');
  await soon(() => gets(moving), all(moving, PNODES[0]));
  await result('abandon', {lease: 'mine'});
  await pause(2 * LEASE);
  assert.deepStrictEqual(await gets(moving), all(moving, PNODES[0]));
});

test('finds that wait for a connection beyond the lease are not sent', async () => {
  row('capturing');
  assert.strictEqual(await find(PNODES[0]), 16);
  const {digest} = await prepare();
  const {bin} = clusters[0];
  const seconds = (LEASE + 1500) / 1000;
  const lock = new Promise((resolve) => execFile(path.join(bin, 'psql'), ['-X', '-q', '-d', system.databases[0], '-c',
    `BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(${seconds}); COMMIT`], resolve));
  await system.quiet(() => system.sql(0, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'b'::regclass") === '1');
  const asked = Array.from({length: 12}, () => find(PNODES[0]));
  await pause(LEASE / 2);
  row('committed', digest);
  const counts = {};
  for (const outcome of await Promise.all(asked)) counts[outcome] = (counts[outcome] || 0) + 1;
  await lock;
  // As many as there were connections had been sent, four at most.
  assert.deepStrictEqual([counts[16] + counts.NoBackendsError, counts[16] >= 1, counts[16] <= 4], [12, true, true], JSON.stringify(counts));
});

test('the router\'s sessions tell which process they are of', async () => {
  const {application} = await result('ownership', {vnodes: '0-63', pnode: PNODES[0]});
  assert.match(application, new RegExp(`^moray-router .*:${system.router.child.pid}$`));
  assert.strictEqual(system.sql(0, `SELECT count(*) > 3 FROM pg_stat_activity WHERE application_name = '${application}'`), 't');
  assert.strictEqual(system.sql(0, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'moray-router'"), '0');
});
