'use strict';
// Blocks over real node-moray clients and a moray that answers when the test says.
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
let directory, servers, router, client, store, keys;
const {admin, result, refusal} = adminOf(() => path.join(router.directory, 'admin.sock'));

function config(more = {}) {
  return {ring: {location: store}, ...more,
    shards: PNODES.map((pnode, i) => ({pnode, address: `127.0.0.1:${servers[i].port}`}))};
}

async function start(more) {
  router = await new RouterProcess(config(more)).start();
  client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => client.once('connect', resolve));
  keys = [[], [], []];  // of each pnode: {key, vnode}
  for (let i = 0; keys.some((list) => list.length < 4); ++i) {
    const place = await result('locate', 'b', `k${i}`);
    keys[PNODES.indexOf(place.pnode)].push({key: `k${i}`, vnode: String(place.vnode)});
  }
}

beforeEach(async () => {
  directory = temporaryDirectory();
  servers = await Promise.all([0, 1, 2].map((i) => new FakeMoray('abc'[i]).listen()));
  store = path.join(directory, 'rings');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'store', '-l', store, unpackRing('plain-100', directory)]);
});
afterEach(async () => {
  client.close();
  const {code} = await router.stop();
  for (const server of servers) server.close();
  fs.rmSync(directory, {recursive: true, force: true});
  assert.strictEqual(code, 0, router.errors);
});

function call(method, ...args) {
  return new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
}
function put(key, value = {}) { return call('putObject', 'b', key, value); }
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Of the router's page of metrics. */
async function metric(name) {
  const {text} = await router.page(router.monitorPort, '/metrics');
  const line = text.split('\n').find((each) => each.startsWith(name + ' '));
  return line === undefined ? undefined : Number(line.split(' ').pop());
}
async function until(check) {
  for (const end = Date.now() + 60_000; Date.now() < end; await pause(5)) if (await check()) return;
  throw new Error('it did not come to be within a minute: ' + check);
}
const waiting = async (count) => (await result('status')).gate.heldWrites === count;
const seenPuts = (server) => server.seen.filter(({method}) => method === 'putObject').map(({args}) => args[1]);

test('hold: writes wait, reads and other vnodes do not; unblock lets them go in order', async () => {
  await start();
  const {key, vnode} = keys[0][0];
  await put(key, {n: 0});
  const blocked = await result('block', '--vnodes', vnode, '--wait');
  assert.deepStrictEqual([blocked.vnodes, blocked.mode, blocked.drained, blocked.indeterminate], [1, 'hold', true, []]);
  assert.strictEqual((await result('locate', 'b', key)).gate, 'hold');
  const held = [1, 2, 3].map((n) => put(key, {n}));
  held.push(call('delObject', 'b', key));
  held.push(call('batch', [{bucket: 'b', key, value: {n: 5}}]));
  await until(() => waiting(5));
  assert.strictEqual((await call('getObject', 'b', key)).value.n, 0);
  await put(keys[1][0].key, {n: 9});
  assert.strictEqual(await metric('router_held_writes'), 5);
  assert.strictEqual(await metric('router_blocked_vnodes{mode="hold"}'), 1);
  const before = servers[0].seen.length;
  assert.strictEqual((await result('unblock', '--vnodes', vnode)).vnodes, 1);
  await Promise.all(held);
  const order = servers[0].seen.slice(before).filter(({method}) => method !== 'getObject');
  assert.deepStrictEqual(order.map(({method, args}) => args[2]?.n ?? method), [1, 2, 3, 'delObject', 'batch']);
  assert.strictEqual(await metric('router_held_writes_total{outcome="released"}'), 5);
});

test('held for 500 ms and released after a remap: on the new shard, in order, no client sees an error', async () => {
  await start();
  const {key, vnode} = keys[0][0];
  await result('block', '--vnodes', vnode, '--wait');
  const held = Array.from({length: 200}, (_, n) => put(key, {n}));
  await until(() => waiting(200));
  await pause(500);
  const change = await result('remap', '--vnodes', vnode, '--pnode', PNODES[1]);
  assert.deepStrictEqual([change.changed, change.generation], [1, 2]);
  await result('unblock', '--all');
  for (const answer of await Promise.all(held)) assert.strictEqual(answer._node.pnode, PNODES[1]);
  assert.deepStrictEqual(seenPuts(servers[0]), []);
  assert.deepStrictEqual(servers[1].seen.filter(({method}) => method === 'putObject').map(({args}) => args[2].n), Array.from({length: 200}, (_, n) => n));
});

test('refuse: ReadOnlyError in electric-moray\'s words', async () => {
  await start();
  const {key, vnode} = keys[0][0];
  await result('block', '--vnodes', vnode, '--mode', 'refuse');
  await assert.rejects(put(key), {name: 'ReadOnlyError', message: 'some vnodes are in read-only mode'});
  await assert.rejects(call('deleteMany', 'b', '(a=1)', {token: PNODES[0]}), {name: 'ReadOnlyError'});
  await assert.rejects(call('createBucket', 'b', {}), {name: 'ReadOnlyError'});
  await call('deleteMany', 'b', '(a=1)', {token: PNODES[1]});
  await put(keys[1][0].key);
  assert.strictEqual(await metric('router_writes_refused_total'), 3);
  await result('unblock', '--all');
  await put(key);
});

test('writes that name no vnode wait for a held vnode of their shard', async () => {
  await start();
  await result('block', '--vnodes', keys[0][0].vnode);
  const bucket = call('createBucket', 'b', {}), many = call('deleteMany', 'b', '(a=1)', {token: PNODES[0]});
  await until(() => waiting(2));
  await call('deleteMany', 'b', '(a=1)', {token: PNODES[1]});
  await result('unblock', '--all');
  await Promise.all([bucket, many]);
  assert.deepStrictEqual(servers.map(({seen}) => seen.filter(({method}) => method === 'createBucket').length), [1, 1, 1]);
});

test('block --wait: not before a slow earlier write has ended; others of the shard are no matter', async () => {
  await start();
  const [slow, other] = keys[0];
  servers[0].delay = (method, args) => method === 'putObject' ? (args[1] === slow.key ? 2000 : args[1] === other.key ? 6000 : 0) : 0;
  const write = put(slow.key);
  const unrelated = put(other.key);
  await until(async () => (await result('status')).gate.writesInFlight === 2);
  const slowBlock = result('block', '--vnodes', slow.vnode, '--wait');
  // Meanwhile the socket serves others, and a block of vnodes without writes returns at once.
  const quick = await result('block', '--vnodes', keys[0][2].vnode, '--wait');
  assert.deepStrictEqual([quick.drained, quick.waitedFor], [true, 0]);
  const blocked = await slowBlock;
  // Done at the shard by then; the other write, which takes three times as long, is not.
  assert.deepStrictEqual([slow, other].map(({key}) => servers[0].objects.has('b/' + key)), [true, false]);
  await write;
  assert.deepStrictEqual([blocked.drained, blocked.waitedFor], [true, 1]);
  await unrelated;
});

test('block --wait --timeout: exit code 4 while a write is unanswered, and the vnodes stay blocked', async () => {
  await start();
  const {key, vnode} = keys[0][0];
  servers[0].delay = (method) => method === 'putObject' ? 4000 : 0;
  const write = put(key);
  await until(async () => (await result('status')).gate.writesInFlight === 1);
  const {code, stdout} = await admin('block', '--vnodes', vnode, '--wait', '--timeout', '0.2');
  assert.strictEqual(code, 4);
  assert.match(stdout, /^drained: false$/m);
  assert.strictEqual((await result('status')).gate.hold, vnode);
  await write;
  assert.strictEqual((await result('block', '--vnodes', vnode, '--wait')).drained, true);
});

test('a connection cut with a write in flight: indeterminate, exit code 3; --grace waits it out', async () => {
  await start();
  const {key, vnode} = keys[0][0];
  servers[0].delay = (method) => method === 'putObject' ? Infinity : 0;
  const lost = assert.rejects(put(key));
  await until(async () => (await result('status')).gate.writesInFlight === 1);
  const block = admin('--json', 'block', '--vnodes', vnode, '--wait');
  await until(async () => (await result('status')).gate.hold === vnode);
  servers[0].dropConnections();
  const {code, stdout} = await block;
  await lost;
  assert.strictEqual(code, 3);
  const {drained, indeterminate} = JSON.parse(stdout).result;
  assert.strictEqual(drained, true);
  assert.deepStrictEqual(indeterminate.map(({vnode: each, shard}) => [String(each), shard]), [[vnode, PNODES[0]]]);
  assert.strictEqual((await admin('block', '--vnodes', vnode, '--wait')).code, 3);  // it stays so
  assert.strictEqual((await admin('block', '--vnodes', keys[0][1].vnode, '--wait')).code, 0);
  const settled = await result('block', '--vnodes', vnode, '--wait', '--grace', '1.5');
  assert.deepStrictEqual([settled.indeterminate, settled.assumedSettled], [[], 1]);
  assert.strictEqual(await metric('router_writes_lost_total'), 1);
});

test('bounds: too many or too long, and writes are refused; those of a client that left are never sent', async () => {
  await start({limits: {heldWritesMax: 4}, timeouts: {holdMs: 1500}, workers: 1});
  const {key, vnode} = keys[0][0];
  await result('block', '--vnodes', vnode);
  const outcomes = await Promise.all(Array.from({length: 6}, (_, n) => put(key, {n}).then(() => 'done', (error) => error.name + ': ' + error.message)));
  assert.deepStrictEqual(outcomes, Array(6).fill('ReadOnlyError: some vnodes are in read-only mode'));
  assert.strictEqual(await metric('router_held_writes_total{outcome="overflowed"}'), 2);
  assert.strictEqual(await metric('router_held_writes_total{outcome="expired"}'), 4);
  const leaver = moray.createClient({log: bunyan.createLogger({name: 'leaver', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => leaver.once('connect', resolve));
  leaver.putObject('b', key, {}, () => {});
  const expired = async () => await metric('router_held_writes_total{outcome="expired"}') === 5;  // before anybody looked
  await until(async () => await waiting(1) || await expired());
  leaver.close();
  await until(async () => await metric('router_held_writes_total{outcome="abandoned"}') === 1 || await expired());
  await result('unblock', '--all');
  assert.deepStrictEqual(seenPuts(servers[0]), []);
});

test('held writes do not count against their client\'s requests in flight', async () => {
  await start({limits: {sessionInFlightMax: 2}, workers: 1});
  const {key, vnode} = keys[0][0];
  await result('block', '--vnodes', vnode);
  const held = Array.from({length: 5}, (_, n) => put(key, {n}));
  await until(() => waiting(5));
  await put(keys[1][0].key, {n: 1});
  assert.strictEqual((await call('getObject', 'b', keys[1][0].key)).value.n, 1);
  await result('unblock', '--all');
  await Promise.all(held);
});

test('a block that can\'t be is refused by name, and nothing changes', async () => {
  await start();
  assert.match(await refusal('block', '--vnodes', '5,100'), /vnode 100 is not in the ring, whose last is 99/);
  assert.match(await refusal('block', '--vnodes', '5,x'), /--vnodes: "x" is neither a vnode nor a range/);
  assert.match(await refusal('block', '--vnodes', '@/nonexistent/list'), /\/nonexistent\/list: can't be read/);
  assert.match(await refusal('unblock'), /either "vnodes" or "all"/);
  assert.match(await refusal('block', '--vnodes', '1', '--lease', 'abc'), /no lease is out/);
  const list = path.join(directory, 'list');
  fs.writeFileSync(list, '1 2 3\n10-12\n');
  assert.strictEqual((await result('block', '--vnodes', '@' + list)).vnodes, 6);
  assert.strictEqual((await result('status')).gate.hold, '1-3,10-12');
  assert.match(await refusal('reload', unpackRing('ro-64', directory)), /vnodes are blocked, and this ring has 64 vnodes instead of 100/);
  assert.strictEqual((await result('unblock', '--vnodes', '2-10')).vnodes, 3);
  assert.strictEqual((await result('status')).gate.hold, '1,11-12');
});
