'use strict';
// Real node-moray clients, and two databases.
const assert = require('node:assert');
const {after, afterEach, before, beforeEach, test} = require('node:test');
const bunyan = require('bunyan');
const crypto = require('crypto');
const fast = require('fast');
const {execFileSync} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const net = require('net');
const path = require('path');

const {PostgresCluster} = require('./postgres_cluster');
const {RouterProcess, temporaryDirectory} = require('./router_process');

const PNODES = [1, 2].map((i) => `tcp://${i}.moray.example.com:2020`);
let cluster, databases, directory, router, clients, number = 0;

before(async () => { cluster = await new PostgresCluster().start(); });
after(() => cluster.stop());

beforeEach(async () => {
  directory = temporaryDirectory();
  databases = PNODES.map(() => cluster.makeDatabase(`d${++number}`));
  const ring = path.join(directory, 'ring');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', '256', '-p', PNODES.join(' ')], {stdio: 'ignore'});
  router = await new RouterProcess({ring: {location: ring}, workers: 2,
    shards: PNODES.map((pnode, i) => ({pnode, backend: 'postgres', url: databases[i]}))}).start();
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.close();
  const {code} = await router.stop();
  fs.rmSync(directory, {recursive: true, force: true});
  assert.strictEqual(code, 0, router.errors);
});

async function connect(port = router.port) {
  const client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${port}`, unwrapErrors: true});
  await new Promise((resolve) => client.once('connect', resolve));
  clients.push(client);
  return client;
}
const call = (client, method, ...args) =>
  new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
const ended = (stream) => new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
async function until(check, seen = () => '') {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 25))) if (await check()) return;
  assert.fail(`waited in vain for ${check} ${seen()}`);
}
/** How many sessions of that database have listened last. */
const listening = (database) => Number(cluster.query(database, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"));

test('what is notified through the router is heard once, until it is no more wanted', async () => {
  const [one, two] = [await connect(), await connect()];
  const heard = [];
  const stream = one.listen('Chan"nel');
  stream.on('data', ({channel, payload}) => heard.push([channel, payload]));
  await until(() => listening(databases[0]) === 1);
  for (const payload of ['first', '', 'ü']) await call(two, 'notify', 'Chan"nel', payload);
  await call(two, 'notify', 'chan"nel', 'another channel');
  await until(() => heard.length >= 3);
  assert.deepStrictEqual(heard, [['Chan"nel', 'first'], ['Chan"nel', ''], ['Chan"nel', 'ü']]);
  const end = ended(stream);
  await new Promise((resolve, reject) => stream.unlisten((error) => error ? reject(error) : resolve()));
  await end;
  await until(() => listening(databases[0]) === 0);
});

/** An RPC over a connection of its own; node-moray asks for an unlisten over the listen's only. */
function raw(rpcmethod, rpcargs) {
  const log = bunyan.createLogger({name: 'client', level: 'fatal'});
  const socket = net.connect(router.port, '127.0.0.1');
  const client = new fast.FastClient({log, nRecentRequests: 10, transport: socket});
  const request = client.rpc({rpcmethod, rpcargs, log}).on('error', () => {});
  client.on('error', () => {});
  return {request, close: () => { client.detach(); socket.destroy(); }};
}
function unlisten(id) {
  const {request, close} = raw('unlisten', [id, {}]);
  return ended(request.on('data', () => {})).finally(close);
}

test('an unlisten may come over any connection; of an unknown id it is no error', async () => {
  const client = await connect();
  for (let i = 0; i < 4; ++i) {
    const id = crypto.randomUUID();
    const stream = client.listen('c', {req_id: id});
    stream.on('data', () => {});
    await until(() => listening(databases[0]) === 1);
    const end = ended(stream);
    await unlisten(crypto.randomUUID());
    await unlisten(id);
    await end;
    await unlisten(id);
    await until(() => listening(databases[0]) === 0);
  }
});

test('a client that leaves listens no more; a database that ends sessions fails them', async () => {
  const leaver = raw('listen', ['c', {}]);
  const client = await connect();
  const stream = client.listen('c');
  stream.on('data', () => {});
  await until(() => listening(databases[0]) === 2);
  leaver.close();
  await until(() => listening(databases[0]) === 1);
  const failure = ended(stream).then(() => null, (error) => error);
  cluster.query(databases[0], "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()");
  assert.ok(await failure instanceof Error);
  await call(client, 'ping');
});

test('a hundred thousand notifications arrive in order', async () => {
  const client = await connect();
  const stream = client.listen('many');
  let count = 0, wrong = 0;
  stream.on('data', ({payload}) => { if (Number(payload) !== ++count) ++wrong; });
  await until(() => listening(databases[0]) === 1);
  cluster.query(databases[0], "SELECT count(pg_notify('many', i::text)) FROM generate_series(1, 100000) i");
  await until(() => count === 100000, () => `${count}, ${wrong} wrong`);
  assert.strictEqual(wrong, 0);
  await new Promise((resolve, reject) => stream.unlisten((error) => error ? reject(error) : resolve()));
});

test('_vnode: of all rows of routed buckets, also by batch; of none of local ones', async () => {
  const client = await connect();
  for (const bucket of ['objects', 'manta_delete_log']) await call(client, 'putBucket', bucket, {index: {n: {type: 'number'}}});
  for (let i = 0; i < 40; ++i) {
    for (const bucket of ['objects', 'manta_delete_log']) await call(client, 'putObject', bucket, `k${i}`, {n: i});
    await call(client, 'batch', [{bucket: 'objects', key: `b${i}`, value: {n: i}}, {bucket: 'manta_delete_log', key: `b${i}`, value: {n: i}}]);
  }
  for (const [i, database] of databases.entries()) {
    const rows = cluster.query(database, 'SELECT _key, _vnode FROM objects').split('\n').filter(Boolean).map((line) => line.split('|'));
    assert.ok(rows.length > 10);
    for (const [key, vnode] of rows) {
      const place = JSON.parse(execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'locate', '-b', 'leveldb', '-l', path.join(directory, 'ring'), 'objects', key]));
      assert.strictEqual(vnode, String(place.vnode));
      assert.strictEqual(place.pnode, PNODES[i]);
    }
    assert.strictEqual(cluster.query(database, 'SELECT count(*) FROM manta_delete_log WHERE _vnode IS NOT NULL'), '0');
  }
  const {value} = await call(client, 'getObject', 'objects', 'b1');
  assert.deepStrictEqual(value, {n: 1});
});

test('requests of the first moment wait for a connection to go over, whichever is late', async () => {
  // Of each shard's five, the four for single statements are begun first, then one for transactions.
  for (const late of [(i) => i % 5 < 4, (i) => i % 5 === 4, () => true]) {
    let accepted = 0;
    const pairs = [];
    const relay = net.createServer({pauseOnConnect: true}, (from) => {
      const to = net.connect(cluster.port, '127.0.0.1');
      pairs.push(from, to);
      for (const end of [from, to]) end.on('error', () => {});
      to.pipe(from);
      from.on('close', () => to.destroy());
      setTimeout(() => from.pipe(to), late(accepted++) ? 700 : 0);
    });
    await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const through = databases.map((database) => database.replace(`:${cluster.port}/`, `:${relay.address().port}/`));
    assert.notStrictEqual(through[0], databases[0]);
    const slow = await new RouterProcess({ring: {location: path.join(directory, 'ring')}, workers: 1,
      shards: PNODES.map((pnode, i) => ({pnode, backend: 'postgres', url: through[i]}))}).start();
    const client = await connect(slow.port);
    try {
      await call(client, 'putBucket', 'first', {index: {n: {type: 'number'}}});
      await call(client, 'putObject', 'first', 'k', {n: 1});
      assert.deepStrictEqual((await call(client, 'getObject', 'first', 'k')).value, {n: 1});
    } finally {
      clients.pop().close();
      await slow.stop();
      relay.close();
      for (const end of pairs) end.destroy();
    }
  }
});
