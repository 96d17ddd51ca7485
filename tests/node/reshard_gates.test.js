'use strict';
// What a plan stands before until a person opens it: gates, and servers that refuse its login.
const assert = require('node:assert');
const {test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {BUCKET} = require('./reshard_ledger');
const {keysAt, keysIn, rowsNotOwned} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene();
const moving = (vnode) => vnode < 32;

/** A plan whose coordinator stands before a gate, and does so again when another one takes over. */
async function before(gate, seed, ...words) {
  await own.begin({seed});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--gate', gate, ...words);
  const first = system.reshard('run', plan);
  await system.waits(plan, new RegExp(`gate ${gate}`), first);
  await system.killed(first);
  const running = system.reshard('run', plan);
  await system.waits(plan, new RegExp(`gate ${gate}.*reshard open ${plan} ${gate}`), running);
  return {plan, running};
}

/** Opened, the plan comes to its end, and each shard has what it owns. */
async function opened(gate, {plan, running}) {
  const {system} = own;
  await system.reshardTo(0, 'open', plan, gate);
  assert.strictEqual((await system.ended(running, 120000)).code, 0, running.err);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
}

test('gate copy: no row comes to the target, and what is written meanwhile is moved when it opens', async () => {
  const standing = await before('copy', 1001, '--soak', '0');
  const [key] = keysIn(own.system, 1, moving, 'late');
  await own.put(key, {n: 1});
  assert.match((await own.system.reshardTo(1, 'open', standing.plan, 'cutover')).err, /has no gate cutover/);
  await own.written(50);
  assert.deepStrictEqual(keysAt(own.system, 1), []);
  await opened('copy', standing);
  assert.strictEqual((await own.get(key)).n, 1);
});

test('gate finalize: the source is kept current, whatever the soak\'s time and a finalize say, until it opens', async () => {
  const standing = await before('finalize', 1002, '--soak', '0');
  const {system} = own;
  const [first, second] = keysIn(system, 2, moving, 'late');
  const followed = async (key) => {
    await own.put(key, {n: 1});
    await system.quiet(() => keysAt(system, 0).includes(key));
  };
  await followed(first);
  await system.reshardTo(0, 'finalize', standing.plan);
  await followed(second);
  assert.strictEqual((await system.status(standing.plan)).act, 'soak');
  await opened('finalize', standing);
});

test('gate finalize: a plan that stands before it is taken back', async () => {
  const {plan, running} = await before('finalize', 1003, '--soak', '0');
  const {system} = own;
  await system.reshardTo(0, 'rollback', plan);
  assert.strictEqual((await system.ended(running)).code, 6);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('gate cleanup: the soak is over, and the source keeps its rows until it opens', async () => {
  const standing = await before('cleanup', 1004, '--soak', '0');
  const {system} = own;
  const [key] = keysIn(system, 1, moving, 'late');
  const places = system.locate(BUCKET, keysAt(system, 0)), left = [...places.keys()].filter((each) => moving(Number(places.get(each).vnode)));
  await own.put(key, {n: 1});
  await own.written(50);
  assert.deepStrictEqual(keysAt(system, 0).filter((each) => left.includes(each)).sort(), left.sort());
  assert.ok(!keysAt(system, 0).includes(key));
  await opened('cleanup', standing);
});

/** The server of a shard asks `mover` for its password. Returns its URL with one that is right. */
function asksForPassword(shard, password) {
  const cluster = own.clusters[shard], file = path.join(cluster.data, 'pg_hba.conf');
  const rule = 'host all mover 127.0.0.1/32 scram-sha-256\n', rules = fs.readFileSync(file, 'utf8');
  cluster.query(cluster.url('postgres'), 'DROP ROLE IF EXISTS mover; CREATE ROLE mover SUPERUSER LOGIN');
  setPassword(shard, password);
  if (!rules.startsWith(rule)) fs.writeFileSync(file, rule + rules);
  cluster.query(cluster.url('postgres'), 'SELECT pg_reload_conf()');
  const url = new URL(own.system.databases[shard]);
  url.username = 'mover';
  url.password = password;
  return url.href;
}
const setPassword = (shard, password) => own.clusters[shard].query(own.clusters[shard].url('postgres'), `ALTER ROLE mover PASSWORD '${password}'`);

test('a target that refuses the password stops the plan, with its words; retry goes on when that is mended', async () => {
  await own.begin({seed: 1005, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--gate', 'cutover', '--apply-to', asksForPassword(1, 'right'));
  const running = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, running);
  await system.killed(running);
  setPassword(1, 'another');
  const said = /target .*, apply connection: .*password authentication failed for user "mover"/;
  assert.match((await system.reshardTo(5, 'run', plan)).err, said);
  assert.match((await system.status(plan)).stopped, said);
  // An absent server is waited for all the same.
  own.clusters[1].kill();
  const waiting = system.reshard('run', plan);
  await system.waits(plan, /target .*refused/, waiting);
  own.clusters[1].launch();
  assert.strictEqual((await system.ended(waiting)).code, 5);
  setPassword(1, 'right');
  await system.reshardTo(0, 'open', plan, 'cutover');
  await system.reshardTo(0, 'retry', plan);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a target that refuses the password does not keep the source from ending a plan', async () => {
  await own.begin({seed: 1006, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--gate', 'cutover', '--apply-to', asksForPassword(1, 'right'));
  const running = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, running);
  await system.killed(running);
  setPassword(1, 'another');
  assert.match((await system.reshardTo(7, 'abort', plan)).err, /left at the target \(.*password authentication failed/);
  setPassword(1, 'right');
  await system.reshardTo(7, 'abort', plan);
  assert.deepStrictEqual(keysAt(system, 1), []);
  await own.settled();
});

test('a source that has no such database any more stops the plan, and abort says why it can\'t end it', async () => {
  await own.begin({seed: 1007, writers: 0});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--gate', 'cutover');
  const running = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, running);
  await system.killed(running);
  own.clusters[0].dropDatabase(system.database);
  assert.match((await system.reshardTo(5, 'run', plan)).err, /source .*, owner's connection: .*does not exist/);
  assert.match((await system.reshardTo(5, 'abort', plan)).err, /does not exist/);
  own.clusters[0].makeDatabase(system.database);
  await system.reshardTo(7, 'abort', plan);
  assert.deepStrictEqual(keysAt(system, 1), []);
});

test('a source that refuses the password in the soak is waited for: the new owner needs it for nothing', async () => {
  await own.begin({seed: 1008, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600', '--from', PNODES[0], '--apply-from', asksForPassword(0, 'right'));
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  await system.killed(running);
  setPassword(0, 'another');
  const again = system.reshard('run', plan);
  await system.waits(plan, /source .*password authentication failed/, again);
  const [key] = keysIn(system, 1, moving, 'late');
  await own.put(key, {n: 1});
  setPassword(0, 'right');
  await system.quiet(() => keysAt(system, 0).includes(key));
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(again)).code, 0, again.err);
  await own.settled();
});
