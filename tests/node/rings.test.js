'use strict';
// The ring of a serving router, changed through its admin socket.
const assert = require('node:assert');
const {afterEach, beforeEach, test} = require('node:test');
const bunyan = require('bunyan');
const {execFileSync} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {adminOf, lineOf} = require('./admin_client');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
let directory, plain, store, router, client, made;
const {admin, result, refusal} = adminOf(() => path.join(router.directory, 'admin.sock'));
const ringTool = (...words) => execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', ...words], {encoding: 'utf8'}).trim();

async function start(location, pnodes = PNODES) {
  router = await new RouterProcess({ring: {location},
    shards: pnodes.map((pnode, i) => ({pnode, backend: 'embedded', path: path.join(directory, `shard-${i}`), sync: false}))}).start();
  client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => client.once('connect', resolve));
  if (made) return;
  await call('createBucket', 'b', {index: {n: {type: 'number'}}});
  made = true;
}
async function stop() {
  client.close();
  const {code} = await router.stop();
  assert.strictEqual(code, 0, router.errors);
}

beforeEach(() => {
  directory = temporaryDirectory();
  made = false;
  plain = unpackRing('plain-100', directory);
  store = path.join(directory, 'rings');
  ringTool('store', '-l', store, plain);
});
afterEach(async () => {
  await stop();
  fs.rmSync(directory, {recursive: true, force: true});
});

function call(method, ...args) {
  return new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const digest = async () => (await result('status')).ring.digest;

test('a plain directory: set-data and remap are on disk and in force; what needs a store says so', async () => {
  await start(plain);
  const before = await digest();
  const marked = await result('set-data', '--vnodes', '3-5', 'ro');
  assert.deepStrictEqual([marked.changed, marked.generation], [3, null]);
  assert.strictEqual(ringTool('digest', '-b', 'leveldb', '-l', plain), marked.digest);
  assert.strictEqual(ringTool('get-data-vnodes', '-l', plain), 'vnodeArray:  [ 3, 4, 5 ]');
  assert.strictEqual((await result('set-data', '--vnodes', '3-5', 'ro')).changed, 0);
  await result('set-data', '--vnodes', '0-99');
  assert.strictEqual(await digest(), before);
  const moved = await result('remap', '--vnodes', '0-49', '--pnode', PNODES[2]);
  assert.strictEqual(ringTool('digest', '-b', 'leveldb', '-l', plain), moved.digest);
  for (const command of [['rings'], ['rollback'], ['prepare', '--vnodes', '1', '--pnode', PNODES[0]]])
    assert.match(await refusal(...command), /needs a store of generations.*moray-router ring store -l STORE/);
  await stop();
  await start(plain);
  assert.strictEqual(await digest(), moved.digest);
});

test('a store: each change is a generation; rollback to any; a restart serves the current one', async () => {
  await start(store);
  const first = await digest();
  assert.strictEqual((await result('status')).ring.generation, 1);
  const second = await result('remap', '--vnodes', '0-49', '--pnode', PNODES[2]);
  const third = await result('set-data', '--vnodes', '7', '{"why":"moving"}');
  assert.deepStrictEqual([second.generation, third.generation], [2, 3]);
  assert.deepStrictEqual((await result('rings')).map((each) => [each.generation, each.digest, each.current]),
    [[1, first, false], [2, second.digest, false], [3, third.digest, true]]);
  const {vnodesMoved, dataChanged, moves, data} = await result('diff', '1', '3');
  assert.strictEqual(vnodesMoved, moves.reduce((sum, {count}) => sum + count, 0));
  assert.ok(vnodesMoved > 0 && moves.every(({to}) => to === PNODES[2]));
  assert.deepStrictEqual([dataChanged, data], [1, [{from: 1, to: {why: 'moving'}, count: 1, vnodes: '7'}]]);
  assert.strictEqual((await result('diff', '2')).dataChanged, 1);
  assert.strictEqual((await result('diff', plain)).vnodesMoved, vnodesMoved);
  assert.deepStrictEqual([(await result('rollback')).digest, (await result('rollback')).digest], [second.digest, first]);
  assert.match(await refusal('rollback'), /no generation before 1/);
  assert.match(await refusal('rollback', '9'), /no generation 9/);
  await result('rollback', '3');
  await stop();
  await start(store);
  assert.deepStrictEqual([(await result('status')).ring.generation, await digest()], [3, third.digest]);
  assert.throws(() => ringTool('remap-vnode', '-b', 'leveldb', '-l', path.join(store, 'current'), '-v', '1', '-p', PNODES[0]), /is a generation of a store, which never changes/);
});

test('edits that can\'t be: refused by name, and nothing changes, on disk or in force', async () => {
  await start(store);
  const before = await digest();
  const refused = {
    'neither in the ring nor named in the configuration': ['remap', '--vnodes', '1', '--pnode', 'tcp://9.moray.example.com:2020'],
    'vnode 100 is not in the ring': ['remap', '--vnodes', '99-100', '--pnode', PNODES[0]],
    'vnode 4294967295 is not in the ring': ['set-data', '--vnodes', '4294967295', 'ro'],
    'the ring\'s digest is [0-9a-f]{64}, not abc': ['reload', '--expect-digest', 'abc'],
  };
  for (const [why, words] of Object.entries(refused)) assert.match(await refusal(...words), new RegExp(why));
  assert.strictEqual(await digest(), before);
  assert.strictEqual((await result('rings')).length, 1);
});

test('a pnode that the configuration names may join the ring, unless its name collides', async () => {
  await start(plain, [...PNODES, 'tcp://4.moray.example.com:2020', PNODES[0] + '/7']);
  const before = await digest();
  assert.match(await refusal('remap', '--vnodes', '1', '--pnode', PNODES[0] + '/7'), /7/);
  assert.strictEqual(await digest(), before);
  assert.strictEqual((await result('remap', '--vnodes', '0-9', '--pnode', 'tcp://4.moray.example.com:2020')).changed, 10);
  assert.ok((await result('status')).client_list.includes('tcp://4.moray.example.com:2020'));
  assert.strictEqual(ringTool('digest', '-b', 'leveldb', '-l', plain), await digest());
});

test('prepare and activate: one coordinator at a time; blocked vnodes stay blocked', async () => {
  await start(store);
  const before = await digest();
  const prepared = await result('prepare', '--vnodes', '0-49', '--pnode', PNODES[2], '--plan', 'plan 17', '--lease-time', '60');
  assert.match(prepared.lease, /^[0-9a-f]{32}$/);
  assert.strictEqual(await digest(), before);
  assert.deepStrictEqual((await result('status')).prepared, {generation: 2, digest: prepared.digest, plan: 'plan 17'});
  for (const words of [['prepare', '--vnodes', '1', '--pnode', PNODES[0]], ['remap', '--vnodes', '1', '--pnode', PNODES[0]],
    ['set-data', '--vnodes', '1', 'ro'], ['rollback'], ['reload']])
    assert.match(await refusal(...words), /a coordinator has prepared generation 2 and holds its lease for another \d+ ms/);
  assert.match(await refusal('activate', 'f'.repeat(32)), /another coordinator holds the lease/);
  assert.match(await refusal('activate', prepared.lease, '--expect-digest', 'abc'), /the prepared ring's digest is/);
  await result('block', '--vnodes', '0-49', '--lease', prepared.lease, '--wait');
  assert.ok((await result('renew', prepared.lease, '--lease-time', '90')).leaseLeftMs > 60_000);
  const active = await result('activate', prepared.lease, '--expect-digest', prepared.digest);
  assert.strictEqual(active.digest, prepared.digest);
  const status = await result('status');
  assert.deepStrictEqual([status.ring.generation, status.ring.digest, status.gate.hold, status.prepared], [2, prepared.digest, '0-49', null]);
  assert.match(await refusal('activate', prepared.lease), /no lease is out/);
  await result('unblock', '--all');
  // Dropped on request, from disk too.
  const second = await result('prepare', '--ring', plain);
  assert.strictEqual(second.digest, before);
  await result('abandon', second.lease);
  assert.deepStrictEqual((await result('rings')).map((each) => each.generation), [1, 2]);
});

test('a lease that runs out: nothing changes, held writes are refused, and the vnodes stay blocked', async () => {
  await start(store);
  const before = await digest();
  let key;
  for (let i = 0; !key; ++i) if ((await result('locate', 'b', `k${i}`)).vnode < 50) key = `k${i}`;
  const prepared = await result('prepare', '--vnodes', '0-49', '--pnode', PNODES[2], '--lease-time', '60');
  await result('block', '--vnodes', '0-49', '--lease', prepared.lease);
  await result('block', '--vnodes', '60');  // nobody's
  await result('renew', prepared.lease, '--lease-time', '0.5');
  await assert.rejects(call('putObject', 'b', key, {}), {name: 'ReadOnlyError'});
  const {gate} = await result('status');
  assert.deepStrictEqual([gate.hold, gate.refuse, gate.leasesExpired], ['60', '0-49', 1]);
  assert.match(await refusal('activate', prepared.lease), /the lease has run out/);
  assert.strictEqual(await digest(), before);
  await result('prepare', '--vnodes', '0-49', '--pnode', PNODES[0]);  // somebody else's turn
  await result('unblock', '--all');
  await call('putObject', 'b', key, {});
});

test('a ring that was prepared when the router died is not in force, and status says so', async () => {
  await start(store);
  const before = await digest();
  const prepared = await result('prepare', '--vnodes', '0-49', '--pnode', PNODES[2], '--plan', 'plan 17');
  client.close();
  router.child.kill('SIGKILL');
  await router.exited;
  await start(store);
  assert.strictEqual(await digest(), before);
  assert.match((await result('status')).prepared.leftBehind, new RegExp(prepared.digest));
  const again = await result('prepare', '--vnodes', '0-49', '--pnode', PNODES[2], '--plan', 'plan 17');
  assert.deepStrictEqual([again.generation, again.digest], [prepared.generation, prepared.digest]);
  await result('activate', again.lease);
});

test('heat counts operations by vnode, when asked to', async () => {
  await start(store);
  assert.deepStrictEqual(await result('heat'), {on: false, sampled: '1 operation in 16'});
  await result('heat', 'on');
  await call('putObject', 'b', 'hot', {n: 1});
  for (let i = 0; i < 40; ++i) await Promise.all(Array.from({length: 50}, () => call('getObject', 'b', 'hot')));
  const {vnode, pnode} = await result('locate', 'b', 'hot');
  const heat = await result('heat', '--top', '3');
  assert.strictEqual(heat.vnodes[0].vnode, vnode);
  assert.ok(heat.vnodes[0].operations > 1000 && heat.vnodes[0].operations < 3500, JSON.stringify(heat));
  assert.strictEqual(heat.shards.find((each) => each.pnode === pnode).operations, heat.operations);
  assert.strictEqual((await result('heat', 'off')).on, false);
});

test('locate --get shows the object, or its shard\'s error', async () => {
  await start(store);
  await call('putObject', 'b', 'key', {n: 7});
  const {object} = await result('locate', 'b', 'key', '--get');
  assert.deepStrictEqual([object.key, object.value], ['key', {n: 7}]);
  assert.strictEqual((await result('locate', 'b', 'other', '--get')).error.name, 'ObjectNotFoundError');
  const {code, stdout} = await admin('locate', 'b', 'key', '--get');
  assert.strictEqual(code, 0);
  assert.match(stdout, /^ {4}n: 7$/m);
});

test('rings swapped under load: every write is where the ring said, and no client sees an error', async () => {
  await start(store);
  let running = true, count = 0;
  const load = Promise.all(Array.from({length: 8}, async (_, c) => {
    for (let i = 0; running; ++i) {
      const key = `load-${c}-${i % 50}`;
      const {_node} = await call('putObject', 'b', key, {n: i});
      assert.ok(PNODES.includes(_node.pnode));
      ++count;
    }
  }));
  for (let i = 0; i < 20; ++i) {
    await result('remap', '--vnodes', '0-49', '--pnode', PNODES[i % 3]);
    for (const before = count; count < before + 16;) await pause(1);
  }
  running = false;
  await load;
  assert.strictEqual((await result('rings')).length, 20);
});

const line = lineOf(() => path.join(router.directory, 'admin.sock'));

test('prepare names the ring that it begins from; its holder alone may prepare again', async () => {
  await start(store);
  const {ring} = await result('status');
  const wanted = {vnodes: '0-49', pnode: PNODES[2], leaseMs: 20000};
  const other = await line('prepare', {...wanted, baseDigest: 'abc'});
  assert.deepStrictEqual([other.ok, other.error.message], [false, `the ring in force is ${ring.digest}, not abc`]);
  assert.strictEqual((await result('status')).prepared, null);
  const first = await line('prepare', {...wanted, baseDigest: ring.digest, holder: 'mine'});
  assert.strictEqual(first.result.lease, 'mine');
  assert.match((await line('prepare', {...wanted, holder: 'yours'})).error.message, /a coordinator has prepared generation 2/);
  const again = await line('prepare', {...wanted, baseDigest: ring.digest, holder: 'mine'});
  assert.deepStrictEqual([again.result.generation, again.result.digest], [first.result.generation, first.result.digest]);
  assert.ok((await line('abandon', {lease: 'mine'})).ok);
  await stop();
});
