'use strict';
// Real node-moray clients against a router over shards on npm's own Fast server.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const bunyan = require('bunyan');
const fs = require('fs');
const moray = require('moray');

const {FakeMoray} = require('./fake_moray');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const pnodes = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
const directory = temporaryDirectory();
let shards, router, client;

function call(method, ...args) {
  return new Promise((resolve, reject) => {
    client[method](...args, (error, result) => error ? reject(error) : resolve(result));
  });
}

function collect(request, event = 'record') {
  return new Promise((resolve, reject) => {
    const rows = [];
    request.on(event, (row) => rows.push(row));
    request.on('error', reject);
    request.on('end', () => resolve(rows));
  });
}

before(async () => {
  shards = await Promise.all(['a', 'b', 'c'].map((name) => new FakeMoray(name).listen()));
  router = await new RouterProcess({
    ring: {location: unpackRing('plain-100', directory)},
    shards: pnodes.map((pnode, i) => ({pnode, address: `127.0.0.1:${shards[i].port}`, fastVersion: 1 + i % 2})),
  }).start();
  client = moray.createClient({
    log: bunyan.createLogger({name: 'client', level: 'fatal'}),
    url: `tcp://127.0.0.1:${router.port}`,
    unwrapErrors: true,
  });
  await new Promise((resolve) => client.once('connect', resolve));
});

after(async () => {
  client.close();
  const {code} = await router.stop();
  for (const shard of shards) shard.close();
  fs.rmSync(directory, {recursive: true, force: true});
  assert.strictEqual(code, 0);
});

test('put and get: each key reaches the one shard that owns it, vnode in, _node out', async () => {
  for (let i = 0; i < 50; i++) {
    const key = 'key-é-' + i;
    const put = await call('putObject', 'b', key, {n: i, text: 'ü€😀'});
    assert.strictEqual(put.etag, 'ABCDEF01');
    const got = await call('getObject', 'b', key);
    assert.deepStrictEqual(got.value, {n: i, text: 'ü€😀'});
    assert.deepStrictEqual(got._node, put._node);
    const owners = shards.filter((shard) => shard.objects.has('b/' + key));
    assert.strictEqual(owners.length, 1);
    assert.strictEqual(pnodes[shards.indexOf(owners[0])], got._node.pnode);
    assert.strictEqual(owners[0].objects.get('b/' + key).vnode, got._node.vnode);
  }
  for (const shard of shards) {
    assert.ok(shard.objects.size > 5);
    for (const {method, args} of shard.seen) {
      if (method === 'getObject') assert.strictEqual(args[2].noCache, true);
      if (method === 'putObject') assert.ok(!('_value' in args[3]));
    }
  }
});

test('errors keep their names', async () => {
  await assert.rejects(call('getObject', 'b', 'none'), {name: 'ObjectNotFoundError', message: 'b::none does not exist'});
  await assert.rejects(call('createBucket', 'refused_by_b', {}, {}), (error) => {
    assert.strictEqual(error.name, 'MultiError');
    assert.strictEqual(error.message, 'first of 1 error: refused');
    assert.strictEqual(error.ase_errors[0].jse_info.pnode, pnodes[1]);
    return true;
  });
});

test('find goes to the shard of its token, and records lose their vnode', async () => {
  const rows = await collect(client.findObjects('b', '(n>=0)', {token: pnodes[0]}));
  assert.strictEqual(rows.length, shards[0].objects.size);
  for (const row of rows) assert.ok(!('vnode' in row.value) && !('_node' in row));
  await assert.rejects(collect(client.findObjects('b', '(n>=0)', {})),
    {message: 'Invalid search request, requires either token or hashkey'});
});

test('batch: every put gets its vnode', async () => {
  const requests = ['/u/stor/d/a', '/u/stor/d/b'].map((key) => ({bucket: 'manta', key, value: {key}}));
  const result = await call('batch', requests);
  assert.strictEqual(result.etags.length, 2);
  const owner = shards[pnodes.indexOf(result._node.pnode)];
  for (const {key} of requests) assert.strictEqual(owner.objects.get('manta/' + key).vnode, result._node.vnode);
});

test('fan-outs, local answers and additions', async () => {
  assert.deepStrictEqual((await collect(client.sql('select 1'))).map((row) => row.shard).sort(), ['a', 'b', 'c']);
  assert.deepStrictEqual(await call('getTokens'), {tokens: pnodes});
  assert.strictEqual((await call('listBuckets')).length, 1);
  assert.deepStrictEqual(await call('reindexObjects', 'b', 10), {processed: 6, remaining: 3});
  await call('ping', {});
  await call('delObject', 'b', 'key-é-1');
});

test('a thousand requests at once over one connection are all answered rightly', async () => {
  await Promise.all(Array.from({length: 1000}, async (_, i) => {
    await call('putObject', 'many', 'k' + i, {i, filler: 'x'.repeat(i)});
    assert.strictEqual((await call('getObject', 'many', 'k' + i)).value.i, i);
  }));
});

test('pages: metrics, kang, status and ready', async () => {
  const metrics = await router.page(router.monitorPort, '/metrics');
  assert.match(metrics.text, /fast_requests_completed\{rpcMethod="putObject"[^}]*\} \d+/);
  assert.match(metrics.text, /fast_server_request_time_seconds_bucket\{rpcMethod="getObject"[^}]*le="0.0002"\}/);
  const kang = JSON.parse((await router.page(router.monitorPort, '/kang/snapshot')).text);
  assert.deepStrictEqual(kang.types, ['fastconnection', 'fastrequest']);
  const status = JSON.parse((await router.page(router.statusPort, '/status')).text);
  assert.deepStrictEqual(status.client_list, pnodes);
  assert.strictEqual((await router.page(router.statusPort, '/ready')).status, 200);
  assert.strictEqual((await router.page(router.statusPort, '/nothing')).status, 404);
});

test('reload: a refused configuration leaves the old one serving and says why', async () => {
  const before = fs.readFileSync(router.file, 'utf8');
  router.write({ring: {location: '/nonexistent/ring'}, shards: []});
  router.child.kill('SIGHUP');
  let status;
  do {
    status = JSON.parse((await router.page(router.statusPort, '/status')).text);
  } while (status.lastReload === null);
  assert.match(status.lastReload, /^refused: .*\/nonexistent\/ring/s);
  assert.ok((await call('getObject', 'b', 'key-é-2')).value);
  fs.writeFileSync(router.file, before);
});

test('a shard that is down: its keys fail at once, by name; the others work', async () => {
  const down = shards[2];
  const mine = [...down.objects.keys()].find((path) => path.startsWith('b/')).slice(2);
  const other = [...shards[0].objects.keys()].find((path) => path.startsWith('b/')).slice(2);
  down.close();
  await assert.rejects(call('putObject', 'b', mine, {}), (error) =>
    error.name === 'NoBackendsError' || error.name === 'FastProtocolError');
  await assert.rejects(call('getObject', 'b', mine), {name: 'NoBackendsError', message: 'no connections available'});
  assert.ok((await call('getObject', 'b', other)).value);
});
