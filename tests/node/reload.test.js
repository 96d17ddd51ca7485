'use strict';
// What an operator does to a router that is serving: SIGHUP with another configuration or ring,
// SIGTERM with requests in flight.
const assert = require('node:assert');
const {afterEach, test} = require('node:test');
const bunyan = require('bunyan');
const fs = require('fs');
const moray = require('moray');
const net = require('net');

const {FakeMoray} = require('./fake_moray');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
let directory, servers, router, client;

async function start(count = 4) {
  directory = temporaryDirectory();
  servers = await Promise.all(Array.from({length: count}, (_, i) => new FakeMoray('abcd'[i]).listen()));
  router = await new RouterProcess(config()).start();
  client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => client.once('connect', resolve));
}

/** Pnode 1 at the server of that index; the others where they always are. */
function config({first = 0, readOnly = false, ring = 'plain-100', more = {}} = {}) {
  return {ring: {location: unpackRing(ring, directory)}, ...more,
    shards: PNODES.map((pnode, i) => ({pnode, address: `127.0.0.1:${servers[i === 0 ? first : i].port}`, readOnly: i === 0 && readOnly}))};
}

afterEach(async () => {
  client.close();
  await router.stop();
  for (const server of servers) server.close();
  fs.rmSync(directory, {recursive: true, force: true});
});

function call(method, ...args) {
  return new Promise((resolve, reject) => client[method](...args, (error, result) => error ? reject(error) : resolve(result)));
}

async function status() { return JSON.parse((await router.page(router.statusPort, '/status')).text); }

/** Sends SIGHUP and resolves with what became of it. */
async function reload(next) {
  const before = (await status()).reloads;
  router.write(next);
  router.child.kill('SIGHUP');
  for (let i = 0; i < 500; ++i) {
    const now = await status();
    if (now.reloads !== before) return now.lastReload;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('no reload was seen');
}

/** A key of pnode 1. */
async function keyOfFirst() {
  for (let i = 0; ; ++i)
    if ((await call('putObject', 'b', `k${i}`, {i}))._node.pnode === PNODES[0]) return `k${i}`;
}

test('SIGHUP under load: another server for a shard, no request fails', async () => {
  await start();
  const [old, , , replacement] = servers;
  replacement.objects = old.objects;
  const key = await keyOfFirst();
  let stop = false;
  const failures = [];
  let done = 0;
  const load = [0, 1, 2].map(async () => {
    for (; !stop; ++done) await call('putObject', 'b', key, {done}).catch((error) => failures.push(error.message));
  });
  try {
    while (done < 200) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.strictEqual(await reload(config({first: 3})), 'ok');
    const since = done;
    while (done < since + 200) await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    stop = true;
    await Promise.all(load);
  }
  assert.deepStrictEqual(failures, []);
  assert.ok(replacement.seen.length > 100);
  for (let i = 0; old.connections() > 0 && i < 6000; ++i) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.strictEqual(old.connections(), 0);
});

test('SIGHUP: a shard becomes read-only and writable again', async () => {
  await start(3);
  const key = await keyOfFirst();
  assert.strictEqual(await reload(config({readOnly: true})), 'ok');
  await assert.rejects(call('putObject', 'b', key, {}), {name: 'ReadOnlyError'});
  assert.ok((await call('getObject', 'b', key)).value);
  assert.strictEqual(await reload(config()), 'ok');
  await call('putObject', 'b', key, {});
});

test('SIGHUP: another ring is in force at once, and one that is no good is not', async () => {
  await start(3);
  const digest = (await status()).ring.digest;
  assert.match(await reload(config({ring: 'bad-missing-vnode-mid'})), /^refused: .*bad-missing-vnode-mid/s);
  assert.strictEqual((await status()).ring.digest, digest);
  await keyOfFirst();
  assert.strictEqual(await reload(config({ring: 'ro-64'})), 'ok');
  assert.notStrictEqual((await status()).ring.digest, digest);
  await assert.rejects(call('createBucket', 'x', {}, {}), {name: 'ReadOnlyError', message: 'some vnodes are in read-only mode'});
});

test('SIGHUP: limits hold for clients that connect afterwards', async () => {
  await start(3);
  const big = {text: 'x'.repeat(100000)};
  await call('putObject', 'b', 'big', big);
  assert.strictEqual(await reload(config({more: {limits: {frameBytesMax: 50000}}})), 'ok');
  await call('putObject', 'b', 'big', big);  // connected before
  const after = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => after.once('connect', resolve));
  const error = await new Promise((resolve) => after.putObject('b', 'big', big, resolve));
  after.close();
  assert.match(String(error), /over the limit|unexpected end/);
});

test('SIGTERM: what is in flight is answered, nothing new is taken, and it ends well', async () => {
  await start(3);
  const key = await keyOfFirst();
  const original = servers[0].getObject;
  servers[0].getObject = (rpc, ...args) => setTimeout(() => original.call(servers[0], rpc, ...args), 300);
  const slow = call('getObject', 'b', key);
  for (let i = 0; i < 12000 && !servers[0].seen.some(({method}) => method === 'getObject'); ++i)
    await new Promise((resolve) => setTimeout(resolve, 5));
  router.child.kill('SIGTERM');
  assert.ok((await slow).value);
  const {code} = await router.exited;
  assert.strictEqual(code, 0, router.errors);
  await assert.rejects(new Promise((resolve, reject) => net.connect(router.port, '127.0.0.1').on('connect', resolve).on('error', reject)),
    {code: 'ECONNREFUSED'});
});
