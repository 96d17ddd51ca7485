'use strict';
// PostgreSQL shards by names, of which one answers nothing and another changes.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {Dnsmasq} = require('./dnsmasq');
const {freePort} = require('./free_port');
const {PostgresCluster} = require('./postgres_cluster');
const {RouterProcess, temporaryDirectory} = require('./router_process');

const PNODES = [1, 2].map((i) => `tcp://${i}.moray.example.com:2020`);
const directory = temporaryDirectory();
let cluster, dns, router, silent;

/** `address`: of db.test. Nobody answers for silent.test. */
const names = (address) => [`--address=/db.test/${address}`, `--server=/silent.test/127.0.0.1#${silent}`];
const shards = async () => JSON.parse((await router.page(router.statusPort, '/status')).text).shards;
async function until(holds) { while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 20)); }

before(async () => {
  cluster = await new PostgresCluster().start();
  silent = await freePort();
});
after(async () => {
  if (router) await router.stop();
  if (dns) await dns.stop();
  cluster.stop();
  fs.rmSync(directory, {recursive: true, force: true});
});

test('a name that nobody answers for delays no other, and one that changes is followed, though its answers may not be kept', async () => {
  dns = await Dnsmasq.start(names('127.0.0.9'), {ttl: 0});  // where no server is
  const url = (host, database) => cluster.makeDatabase(database).replace('@127.0.0.1:', `@${host}:`);
  const ring = path.join(directory, 'ring');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', '64', '-p', PNODES.join(' ')], {stdio: 'ignore'});
  router = await new RouterProcess({ring: {location: ring}, workers: 2, dns: {resolvers: [`127.0.0.1:${dns.port}`]},
    shards: [{pnode: PNODES[0], backend: 'postgres', url: url('silent.test', 'a')}, {pnode: PNODES[1], backend: 'postgres', url: url('db.test', 'b')}]}).start();
  await until(async () => /127\.0\.0\.9/.test((await shards())[1].lastProblem));
  await dns.serve(names('127.0.0.1'));
  await until(async () => (await shards())[1].healthyWorkers === 2);
  await until(async () => /silent\.test|connecting took too long/.test((await shards())[0].lastProblem));
  assert.deepStrictEqual((await shards()).map(({healthyWorkers}) => healthyWorkers), [0, 2]);
});
