'use strict';
// What would stop a plan at its cutover is found when it is made: each router's own, and clients of the databases
// that are no router's.
const assert = require('node:assert');
const {after, afterEach, before, beforeEach, test} = require('node:test');
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const path = require('path');

const {BUCKET, SCHEMA, call} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {RouterProcess} = require('./router_process');
const {System, PNODES} = require('./reshard_system');

const fullDisk = process.env.MORAY_ROUTER_FULL_DISK;
let clusters, system, others;
before(async () => { clusters = await PostgresCluster.several(2); });
after(() => clusters.forEach((cluster) => cluster.stop()));
beforeEach(async () => {
  others = [];
  system = await new System({clusters}).start();
  const client = await system.connect();
  await call(client, 'createBucket', BUCKET, SCHEMA);
  for (let i = 0; i < 10; ++i) await call(client, 'putObject', BUCKET, `/a/d${i}/f`, {n: i});
});
afterEach(async () => {
  for (const router of others) await router.stop();
  await system.stop();
});

/** Another router of the same ring, with a store of its own and some of its configuration otherwise; its socket. */
async function another(change = {}, environment = {}) {
  const store = path.join(system.directory, `rings${others.length + 1}`);
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'store', '-l', store, path.join(system.directory, 'ring')], {stdio: 'ignore'});
  const router = new RouterProcess({...system.routerConfig({ring: {location: store}}), ...change});
  router.environment = environment;
  others.push(await router.start());
  return path.join(router.directory, 'admin.sock');
}
async function planned(code, ...words) {
  const end = await system.reshard('plan', '--config', system.config, '--from', PNODES[0], '--to', PNODES[1], '--vnodes', '0-31', '--json', ...words).done;
  assert.strictEqual(end.code, code, end.out + end.err);
  return JSON.parse(end.out);
}
const routers = (...sockets) => [system.socketOf(0), ...sockets].flatMap((socket) => ['--router', socket]);

test('each router that could not take the next ring is named with its reason, before anything is changed', {skip: !fullDisk}, async () => {
  const flag = path.join(system.directory, 'full');
  const shards = system.routerConfig().shards;
  const unknown = await another({shards: [shards[0]]});
  const morays = await another({shards: shards.map(({pnode}) => ({pnode, backend: 'moray', address: '127.0.0.1:1'}))});
  const full = await another({}, {LD_PRELOAD: fullDisk, FULL_DISK_FLAG: flag, FULL_DISK_PATH: '/rings3'});
  fs.writeFileSync(flag, '');
  const {obstacles} = await planned(1, ...routers(unknown, morays, full));
  const of = (socket) => obstacles.filter(({what}) => what.startsWith(`router ${socket}: `));
  assert.match(of(unknown)[0].what, /pnode "tcp:\/\/2\.moray\.example\.com:2020" is neither in the ring nor named/);
  assert.match(of(unknown)[0].advice, /name source and target as PostgreSQL shards in its configuration/);
  assert.match(of(morays)[0].what, /pnode "tcp:\/\/1\.moray\.example\.com:2020" is no PostgreSQL shard/);
  assert.match(of(full)[0].advice, /its store of rings must be writable/);
  assert.match(of(full)[0].what, /No space left/);
  assert.strictEqual(obstacles.length, 3, JSON.stringify(obstacles));
  assert.ok(!fs.existsSync(system.state));
  for (const shard of [0, 1]) assert.strictEqual(system.sql(shard, "SELECT count(*) FROM pg_namespace WHERE nspname = 'moray_router'"), '0');
  // Nothing of what was tried is left in a store, and a ring can be prepared there.
  fs.rmSync(flag);
  const good = await another();
  const card = await planned(0, ...routers(full, good), '--dry-run');
  assert.match(card.ringAfterwards, /^[0-9a-f]{64}$/);
  for (const i of [3, 4]) assert.deepStrictEqual(fs.readdirSync(path.join(system.directory, `rings${i}`)).filter((name) => /staging|pending/.test(name)), []);
});

test('clients of the databases that are no router of the plan are named; they may be refused', async () => {
  const named = () => planned(0, '--dry-run').then(({warnings}) => warnings.filter((text) => /no router's of this plan/.test(text)));
  assert.deepStrictEqual(await named(), []);
  const session = spawn('psql', ['-X', '-q', '-d', system.databases[1]], {stdio: ['pipe', 'pipe', 'inherit'], env: {...process.env, PGAPPNAME: 'billing'}});
  system.endsWithTest(session);
  session.stdin.write('SELECT 1;\n');
  await new Promise((resolve) => session.stdout.once('data', resolve));
  const [warning, ...more] = await named();
  assert.deepStrictEqual(more, []);
  assert.match(warning, /target tcp:\/\/2\.\S+ has sessions that are no router's of this plan: 1 of "billing", user moray, from 127\.0\.0\.1: a router among them must be named/);
  const {obstacles} = await planned(1, '--known-clients-only');
  assert.match(obstacles[0].what, /1 of "billing"/);
  session.stdin.end();
  await new Promise((resolve) => session.on('close', resolve));
  await system.quiet(() => system.sql(1, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'billing'") === '0');
  // A router that is not named is a client like any other.
  await another();
  await system.quiet(async () => (await named()).some((text) => /of "moray-router \S+:\d+"/.test(text)));
});
