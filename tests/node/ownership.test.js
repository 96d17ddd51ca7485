'use strict';
// `admin ownership`: whose vnodes are, and the reads that were planned when they were another's.
const assert = require('node:assert');
const {afterEach, beforeEach, test} = require('node:test');
const bunyan = require('bunyan');
const {execFileSync} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {adminOf} = require('./admin_client');
const {FakeMoray} = require('./fake_moray');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
let directory, servers, router, client, held;
const {result, refusal} = adminOf(() => path.join(router.directory, 'admin.sock'));
const call = (method, ...args) => new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(check) {
  for (let i = 0; i < 5000; ++i, await pause(10)) if (await check()) return;
  assert.fail('waited in vain for ' + check);
}

beforeEach(async () => {
  directory = temporaryDirectory();
  held = [];
  servers = await Promise.all([0, 1, 2].map((i) => new FakeMoray('abc'[i]).listen()));
  const store = path.join(directory, 'rings');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'store', '-l', store, unpackRing('plain-100', directory)]);
  router = await new RouterProcess({ring: {location: store}, timeouts: {objectMs: 10000}, shards: PNODES.map((pnode, i) => ({pnode, address: `127.0.0.1:${servers[i].port}`}))}).start();
  client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => client.once('connect', resolve));
});
afterEach(async () => {
  client.close();
  const {code} = await router.stop();
  for (const server of servers) server.close();
  fs.rmSync(directory, {recursive: true, force: true});
  assert.strictEqual(code, 0, router.errors);
});

/** Requests of that kind are not answered before `release`. */
function hold(method) {
  for (const server of servers) {
    const answer = server[method].bind(server);
    server[method] = (...args) => held.push(() => answer(...args));
  }
}
const release = () => held.splice(0).forEach((answer) => answer());
const ownership = (vnodes, pnode) => result('ownership', '--vnodes', vnodes, '--pnode', pnode);

test('ownership: all, some or none of the vnodes', async () => {
  await result('remap', '--vnodes', '0-49', '--pnode', PNODES[2]);
  const {ring} = await result('status');
  const all = await ownership('0-49', PNODES[2]);
  assert.match(all.application, new RegExp(`^moray-router .*:${router.child.pid}$`));
  assert.deepStrictEqual({...all, application: ''}, {digest: ring.digest, owned: true, ownedVnodes: '0-49', none: false, reads: {underWay: 0, oldestMs: 0}, olderReads: 0, pnodeVnodes: all.pnodeVnodes, application: ''});
  assert.ok(all.pnodeVnodes >= 50, String(all.pnodeVnodes));
  await result('remap', '--vnodes', '7', '--pnode', PNODES[0]);
  const some = await ownership('0-49', PNODES[2]);
  assert.deepStrictEqual([some.owned, some.other, some.none], [false, {vnode: 7, pnode: PNODES[0]}, false]);
  const none = await ownership('0-6,8-49', PNODES[0]);
  assert.deepStrictEqual([none.owned, none.other, none.none], [false, {vnode: 0, pnode: PNODES[2]}, true]);
  assert.match(await refusal('ownership', '--vnodes', '100', '--pnode', PNODES[0]), /vnode 100 is not in the ring/);
});

test('ownership: reads by a ring that gives the pnode a vnode count until their first answer, others never', async () => {
  await result('remap', '--vnodes', '0-99', '--pnode', PNODES[0]);
  await call('putObject', 'b', 'k', {});
  hold('getObject');
  hold('findObjects');
  const get = call('getObject', 'b', 'k', {noCache: true});
  const find = client.findObjects('b', '(n=*)', {token: PNODES[0]});
  const found = new Promise((resolve, reject) => find.on('end', resolve).on('error', reject));
  const sql = new Promise((resolve, reject) => client.sql('SELECT 1').on('end', resolve).on('error', reject).on('record', () => {}));
  await sql;
  await until(() => held.length === 2);
  assert.deepStrictEqual((await ownership('0-9', PNODES[1])).reads, {underWay: 0, oldestMs: 0});
  assert.strictEqual((await ownership('0-9', PNODES[0])).reads.underWay, 2);
  await result('remap', '--vnodes', '0-9', '--pnode', PNODES[1]);
  await pause(60);
  const {none, reads, olderReads} = await ownership('0-9', PNODES[0]);
  assert.strictEqual(none, true);
  assert.strictEqual(reads.underWay, 2);
  assert.strictEqual(olderReads, 2);
  assert.ok(reads.oldestMs >= 60 && reads.oldestMs < 60000, JSON.stringify(reads));
  const later = call('getObject', 'b', 'k', {noCache: true});  // by the ring in force
  await until(() => held.length === 3);
  assert.strictEqual((await ownership('0-9', PNODES[0])).reads.underWay, 2);
  assert.strictEqual((await ownership('0-9', PNODES[1])).reads.underWay, 1);
  release();
  await Promise.all([get, found, later]);
  assert.deepStrictEqual((await ownership('0-9', PNODES[0])).reads, {underWay: 0, oldestMs: 0});
});

test('ownership: a read whose client has left, or was told of its deadline, counts no more', async () => {
  await result('remap', '--vnodes', '0-99', '--pnode', PNODES[0]);
  hold('getObject');
  const lost = call('getObject', 'b', 'k', {noCache: true}).catch(() => {});
  await until(() => held.length === 1);
  assert.strictEqual((await ownership('0-9', PNODES[0])).reads.underWay, 1);
  client.close();
  await until(async () => (await ownership('0-9', PNODES[0])).reads.underWay === 0);
  release();
  await Promise.race([lost, pause(10)]);
});
