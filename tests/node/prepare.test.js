'use strict';
// A plan's ring that is prepared here: what else may be done meanwhile, and what a refusal leaves.
const assert = require('node:assert');
const {afterEach, beforeEach, test} = require('node:test');
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {answersOf, lineOf} = require('./admin_client');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
let directory, plain, store, router, environment;

// Databases that nobody reaches: a plan's row says nothing.
async function start() {
  const shards = PNODES.map((pnode) => ({pnode, backend: 'postgres', url: 'postgresql://nobody@127.0.0.1:1/none'}));
  router = new RouterProcess({ring: {location: store}, shards});
  router.environment = environment;
  await router.start();
}
async function crash() {
  router.child.kill('SIGKILL');
  await router.exited;
  fs.rmSync(router.directory, {recursive: true});
  await start();
}

beforeEach(() => {
  directory = temporaryDirectory();
  environment = {};
  plain = unpackRing('plain-100', directory);
  store = path.join(directory, 'rings');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'store', '-l', store, plain]);
});
afterEach(async () => {
  const {code} = await router.stop();
  fs.rmSync(directory, {recursive: true, force: true});
  assert.strictEqual(code, 0, router.errors);
});

const line = lineOf(() => path.join(router.directory, 'admin.sock'));
const {result, refused} = answersOf(line);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const owner = async (vnode) => (await result('ownership', {vnodes: String(vnode), pnode: 'none'})).other.pnode;
/** The vnodes of a pnode, as a list. */
async function vnodesOf(pnode) {
  const all = [];
  for (let vnode = 0; vnode < 100; ++vnode) if (await owner(vnode) === pnode) all.push(vnode);
  return all;
}
const PLAN = {plan: '17', holder: 'mine', from: PNODES[0], pnode: PNODES[2], leaseMs: 60000};

/** Whatever could change the ring is refused, in the name of plan 17. */
async function locked() {
  const others = [['prepare', {...PLAN, plan: '18', holder: 'yours', vnodes: '0-9'}], ['prepare', {pnode: PNODES[1], vnodes: '0-9'}],
    ['prepare', {...PLAN, plan: '18', holder: 'yours', vnodes: '0-9', rehearse: true}],
    ['remap', {vnodes: '0-9', pnode: PNODES[1]}], ['set-data', {vnodes: '0-9', data: 'ro'}], ['reload', {}], ['rollback', {}]];
  for (const [command, args] of others) assert.match(await refused('prepared', command, args), /plan 17 has prepared generation 2/);
}
const files = () => fs.readdirSync(store).sort();

test('a plan\'s ring outlives its lease: nobody else changes the ring until its holder abandons it', async () => {
  await start();
  const before = (await result('status')).ring.digest;
  const vnodes = (await vnodesOf(PNODES[0])).join();
  await result('prepare', {...PLAN, vnodes, leaseMs: 60});
  await locked();
  await pause(200);
  await locked();
  assert.match(await refused('lease_expired', 'renew', {lease: 'mine'}), /prepare again/);
  await refused('lease_expired', 'activate', {lease: 'mine'});
  await refused('not_holder', 'abandon', {lease: 'yours'});
  assert.strictEqual((await result('prepare', {...PLAN, vnodes, leaseMs: 60})).generation, 2);
  await pause(200);
  await result('abandon', {lease: 'mine'});
  assert.deepStrictEqual([(await result('rings')).length, (await result('status')).prepared, fs.existsSync(path.join(store, 'pending'))], [1, null, false]);
  await result('set-data', {vnodes: '0', data: 'ro'});
  await result('rollback');
  assert.strictEqual((await result('status')).ring.digest, before);
});

test('a plan\'s ring outlives the process: its holder prepares again, or abandons it', async () => {
  await start();
  const vnodes = (await vnodesOf(PNODES[0])).join();
  const first = await result('prepare', {...PLAN, vnodes});
  await crash();
  assert.match((await result('status')).prepared.leftBehind, new RegExp(first.digest));
  await locked();
  assert.match(await refused('nothing_prepared', 'renew', {lease: 'mine'}), /before this router started; prepare again/);
  await refused('nothing_prepared', 'activate', {lease: 'mine', expectDigest: first.digest});
  await refused('not_holder', 'abandon', {lease: 'yours'});
  const again = await result('prepare', {...PLAN, vnodes});
  assert.deepStrictEqual([again.generation, again.digest], [first.generation, first.digest]);
  await result('renew', {lease: 'mine'});
  await crash();
  await result('abandon', {lease: 'mine'});
  assert.deepStrictEqual([(await result('rings')).length, (await result('status')).prepared], [1, null]);
  await result('remap', {vnodes: '0-9', pnode: PNODES[1]});
  // What came into force, but was not tidied away, is nobody's.
  const next = await result('prepare', {...PLAN, vnodes: '20-90'});
  const pending = fs.readFileSync(path.join(store, 'pending'));
  await result('activate', {lease: 'mine'});
  fs.writeFileSync(path.join(store, 'pending'), pending);
  await crash();
  const status = await result('status');
  assert.deepStrictEqual([status.ring.digest, status.prepared], [next.digest, null]);
  // But for its target, which can't be asked: a person gives that up.
  assert.match(await refused('prepared', 'remap', {vnodes: '0-9', pnode: PNODES[2]}), /has not said yet that it takes writes/);
  await result('abandon', {lease: 'mine'});
  await result('remap', {vnodes: '0-9', pnode: PNODES[2]});
  assert.ok(!fs.existsSync(path.join(store, 'pending')));
});

test('a rehearsal checks everything, and leaves nothing', async () => {
  await start();
  const {ring} = await result('status');
  const mine = await vnodesOf(PNODES[0]), vnodes = mine.join();
  const stood = files();
  const wanted = {...PLAN, vnodes, owner: PNODES[0], rehearse: true};
  const rehearsed = await result('prepare', wanted);
  assert.deepStrictEqual([rehearsed.rehearsed, rehearsed.baseDigest, rehearsed.holdMs], [true, ring.digest, 5000]);
  assert.match(rehearsed.application, new RegExp(`^moray-router .+:${router.child.pid}$`));
  assert.deepStrictEqual(Object.keys(rehearsed), ['rehearsed', 'baseDigest', 'digest', 'holdMs', 'application']);
  assert.deepStrictEqual(files(), stood);
  assert.strictEqual((await result('status')).prepared, null);
  await refused('nothing_prepared', 'renew', {lease: 'mine'});
  // Each of these is refused by the rehearsal and by the thing itself, with the same words.
  const other = String([...Array(100).keys()].find((vnode) => !mine.includes(vnode)));
  for (const rehearse of [true, false]) {
    assert.match(await refused('not_owner', 'prepare', {...wanted, rehearse, vnodes: `${vnodes},${other}`}),
      new RegExp(`^vnode ${other} is "tcp://[23].moray.example.com:2020"'s`));
    assert.match(await refused('other_ring', 'prepare', {...wanted, rehearse, baseDigest: 'abc'}), /the ring in force is/);
    assert.match(await refused('other_ring', 'prepare', {...wanted, rehearse, expectDigest: 'abc'}), /the ring's digest is/);
    await refused('unknown_pnode', 'prepare', {...wanted, rehearse, pnode: 'tcp://4.moray.example.com:2020'});
    await refused('unknown_pnode', 'prepare', {...wanted, rehearse, from: 'tcp://4.moray.example.com:2020'});
    await refused('bad_argument', 'prepare', {...wanted, rehearse, holder: ''});
    await refused('unchanged', 'prepare', {...wanted, rehearse, pnode: PNODES[0]});
  }
  assert.deepStrictEqual(files(), stood);
  const {digest, ...prepared} = await result('prepare', {...PLAN, vnodes, owner: PNODES[0], baseDigest: rehearsed.baseDigest, expectDigest: rehearsed.digest});
  assert.deepStrictEqual([digest, prepared.lease, prepared.application], [rehearsed.digest, 'mine', rehearsed.application]);
  // While its own ring is pending, too; and that stays.
  const staged = files();
  assert.strictEqual((await result('prepare', wanted)).digest, digest);
  assert.deepStrictEqual(files(), staged);
  assert.strictEqual((await result('activate', {lease: 'mine', expectDigest: digest})).digest, digest);
  assert.strictEqual((await result('activate', {lease: 'mine', expectDigest: digest})).changed, 0);
});

test('a refused prepare leaves what was prepared before: it is renewed, activated and abandoned as ever', async () => {
  await start();
  const vnodes = (await vnodesOf(PNODES[0])).join();
  await refused('nothing_prepared', 'renew', {lease: 'mine'});
  await refused('nothing_prepared', 'activate', {lease: 'mine'});
  await refused('nothing_prepared', 'abandon', {lease: 'mine'});
  const first = await result('prepare', {...PLAN, vnodes});
  const pending = fs.readFileSync(path.join(store, 'pending'), 'utf8');
  const wrong = [['other_ring', {baseDigest: 'abc'}], ['other_ring', {expectDigest: 'abc'}], ['unknown_pnode', {pnode: 'nobody'}], ['bad_argument', {leaseMs: 0}],
    ['not_owner', {owner: PNODES[1]}], ['refused', {vnodes: '100'}]];
  for (const [code, args] of wrong) {
    await refused(code, 'prepare', {...PLAN, vnodes, ...args});
    assert.deepStrictEqual((await result('status')).prepared, {generation: 2, digest: first.digest, plan: '17'});
    assert.strictEqual(fs.readFileSync(path.join(store, 'pending'), 'utf8'), pending);
    assert.ok((await result('renew', {lease: 'mine', leaseMs: 60000})).leaseLeftMs > 50000);
  }
  await result('abandon', {lease: 'mine'});
  await result('prepare', {...PLAN, vnodes});
  await refused('other_ring', 'prepare', {...PLAN, vnodes, baseDigest: 'abc'});
  assert.strictEqual((await result('activate', {lease: 'mine'})).digest, first.digest);
});

test('a disk that is full while a ring is staged leaves the one that was staged before', {skip: !process.env.MORAY_ROUTER_FULL_DISK}, async () => {
  const flag = path.join(directory, 'full');
  environment = {LD_PRELOAD: process.env.MORAY_ROUTER_FULL_DISK, FULL_DISK_FLAG: flag, FULL_DISK_PATH: '/rings/'};
  await start();
  const vnodes = await vnodesOf(PNODES[0]);
  const first = await result('prepare', {...PLAN, vnodes: vnodes.join()});
  const stood = files();
  fs.writeFileSync(flag, '');
  for (const rehearse of [true, false]) {
    const {ok, error} = await line('prepare', {...PLAN, vnodes: vnodes.slice(1).join(), rehearse});
    assert.deepStrictEqual([ok, error.code], [false, 'refused']);
    assert.match(error.message, /No space left on device/);
    assert.deepStrictEqual(files(), stood);
  }
  assert.deepStrictEqual((await result('status')).prepared, {generation: 2, digest: first.digest, plan: '17'});
  await result('renew', {lease: 'mine'});
  fs.unlinkSync(flag);
  // There is room again: the next one takes the first one's place.
  const second = await result('prepare', {...PLAN, vnodes: vnodes.slice(1).join()});
  assert.deepStrictEqual((await result('rings')).map((each) => each.digest).includes(first.digest), false);
  assert.strictEqual((await result('activate', {lease: 'mine', expectDigest: second.digest})).digest, second.digest);
});

test('a ring that was prepared by hand locks nobody out: the end of its lease or of the process frees the ring', async () => {
  await start();
  const by = {vnodes: '0-49', pnode: PNODES[2], plan: 'by hand'};
  const {lease} = await result('prepare', {...by, leaseMs: 60000});
  assert.match(await refused('prepared', 'set-data', {vnodes: '1', data: 'ro'}), /a coordinator has prepared generation 2 and holds its lease/);
  await crash();
  await result('set-data', {vnodes: '1', data: 'ro'});
  await result('abandon', {lease});
  await result('prepare', {...by, leaseMs: 50});
  await pause(150);
  await result('prepare', {...by, vnodes: '0-39'});
});
