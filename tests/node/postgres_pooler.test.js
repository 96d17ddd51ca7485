'use strict';
// A shard's database through PgBouncer: one that keeps sessions will do as it is installed, another is refused by name.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');
const bunyan = require('bunyan');
const {execFileSync} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {startBouncer} = require('./pgbouncer');
const {PostgresCluster} = require('./postgres_cluster');
const {RouterProcess, temporaryDirectory} = require('./router_process');

const PNODE = 'tcp://1.moray.example.com:2020';
let cluster, directory, router, bouncer, client, number = 0;

before(async () => {
  cluster = await new PostgresCluster().start();
  cluster.query(cluster.url('postgres'), "ALTER SYSTEM SET datestyle = 'German'");
  cluster.restart();
});
after(() => cluster.stop());
afterEach(async () => {
  if (client) client.close();
  client = null;
  await router.stop();
  await bouncer.end();
  fs.rmSync(directory, {recursive: true, force: true});
});

async function start(options) {
  directory = temporaryDirectory();
  bouncer = await startBouncer(cluster, cluster.makeDatabase(`d${++number}`), options);
  const ring = path.join(directory, 'ring');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', '64', '-p', PNODE], {stdio: 'ignore'});
  router = await new RouterProcess({ring: {location: ring}, workers: 2, shards: [{pnode: PNODE, backend: 'postgres', url: bouncer.url}]}).start();
}
const shard = async () => JSON.parse((await router.page(router.statusPort, '/status')).text).shards[0];
async function until(holds) { while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 20)); }
const call = (method, ...args) => new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
const rows = (request) => new Promise((resolve, reject) => {
  const all = [];
  request.on('record', (row) => all.push(row)).once('end', () => resolve(all)).once('error', reject);
});

for (const ignored of ['extra_float_digits', 'extra_float_digits,options'])
  test(`session mode, which ignores ${ignored}: all settings hold, after a client's own as well`, async () => {
    await start({mode: 'session', ignored});
    await until(async () => (await shard()).healthyWorkers === 2);
    client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
    await new Promise((resolve) => client.once('connect', resolve));
    await call('createBucket', 'b', {index: {d: {type: 'date'}}});
    for (let i = 0; i < 20; ++i) {
      const d = `2020-01-02T03:04:${10 + i}.678Z`;
      await call('putObject', 'b', `k${i}`, {d});
      assert.deepStrictEqual((await call('getObject', 'b', `k${i}`, {noCache: true})).value, {d});
      await new Promise((resolve, reject) => client.sql("SET datestyle = 'SQL'; SET timezone = 'Asia/Tokyo'", []).once('end', resolve).once('error', reject));
      const [found] = await rows(client.findObjects('b', `(d=${d})`, {hashkey: 'x'}));
      assert.deepStrictEqual(found.value, {d});
    }
  });

test('transaction mode is refused by name', async () => {
  await start({mode: 'transaction', ignored: 'extra_float_digits,options'});
  await until(async () => /must keep sessions \(PgBouncer: pool_mode = session\)/.test((await shard()).lastProblem));
  assert.strictEqual((await shard()).healthyWorkers, 0);
  client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => client.once('connect', resolve));
  await assert.rejects(call('putObject', 'b', 'k', {}), {name: 'NoBackendsError'});
});
