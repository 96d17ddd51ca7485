'use strict';
// `reshard supervise` on two hosts: plans that nobody carries on are taken up, by one of them each.
const assert = require('node:assert');
const {test} = require('node:test');

const {rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();
const PAUSED = 6, ABORTED = 7;
const begin = (options) => own.begin({journal: 'database', ...options});
const takenUp = (plan) => new RegExp(`plan ${plan} is taken up`);

/** A supervisor of a host of its own. */
function supervisor(name) {
  own.system.moveToHost(name);
  return own.system.reshard('supervise', '--gone-seconds', '2');
}
const both = () => [supervisor('first'), supervisor('second')];
async function end(running) {
  running.child.kill('SIGTERM');
  assert.strictEqual((await own.system.ended(running)).code, 0, running.err);
}

test('plans of coordinators that died are taken up, at once, by one of two hosts each; and again when that host dies', async () => {
  await begin({seed: 1101, writers: 2});
  const {system} = own;
  const plans = [await system.plan('--vnodes', '0-15', '--soak', '0', '--gate', 'cutover'), await system.plan('--vnodes', '16-31', '--soak', '0', '--gate', 'cutover')];
  for (const plan of plans) {
    const running = system.reshard('run', plan, '--crash-behind', 'arm');
    assert.strictEqual((await system.ended(running)).signal, 'SIGKILL', running.err);
  }
  const hosts = both();
  for (const plan of plans) await system.waits(plan, /gate cutover|plan 1, whose/, hosts[0]);
  for (const plan of plans) assert.ok(hosts.some(({err}) => takenUp(plan).test(err)));
  const busy = hosts.find(({err}) => takenUp(1).test(err)), other = hosts.find((each) => each !== busy);
  await system.killed(busy);
  await system.quiet(() => takenUp(1).test(other.err));
  await system.waits(1, /gate cutover/, other);
  for (const plan of plans) await system.reshardTo(0, 'open', plan, 'cutover');
  for (const plan of plans) await system.until(plan, 'finished', other);
  assert.doesNotMatch(other.err, /ALARM/);
  await end(other);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  await own.settled();
});

test('what is carried on, paused, stopped, only made, or taken back is left alone; a signal leaves a plan to the other host', async () => {
  await begin({seed: 1102, writers: 2});
  const {system} = own;
  const soaking = await system.plan('--vnodes', '0-7', '--soak', '600');
  const carried = system.reshard('run', soaking);
  await system.until(soaking, 'soak', carried);
  const paused = await system.plan('--vnodes', '8-15', '--gate', 'cutover');
  const pausing = system.reshard('run', paused);
  await system.waits(paused, /gate cutover/, pausing);
  await system.reshardTo(0, 'pause', paused);
  assert.strictEqual((await system.ended(pausing)).code, PAUSED);
  await system.plan('--vnodes', '16-23');
  const left = await system.plan('--vnodes', '24-31', '--gate', 'cutover');
  const dying = system.reshard('run', left);
  await system.waits(left, /gate cutover/, dying);
  await system.killed(dying);

  const hosts = both();
  await system.quiet(() => hosts.some(({err}) => takenUp(left).test(err)));
  await system.waits(left, /gate cutover/, hosts[0]);
  const busy = hosts.find(({err}) => takenUp(left).test(err)), other = hosts.find((each) => each !== busy);
  await end(busy);
  await system.quiet(() => takenUp(left).test(other.err));
  await system.waits(left, /gate cutover/, other);
  assert.strictEqual((await system.status(left)).paused, false);
  // Taken back by a plan of its own, whose coordinator dies: that one is taken up, and not the one that it takes back.
  const back = system.reshard('rollback', soaking, '--crash-before', 'verify');
  await system.ended(carried);
  assert.strictEqual((await system.ended(back)).signal, 'SIGKILL', back.err);
  await system.until(soaking, 'rolled_back', other);
  for (const each of hosts) assert.doesNotMatch(each.err, /plan [123] is taken up/);
  assert.match(other.err, takenUp(5));
  assert.strictEqual((await system.status(paused)).paused, true);
  await end(other);
  for (const plan of [paused, left]) await system.reshardTo(ABORTED, 'abort', plan);
  assert.deepStrictEqual(rowsNotOwned(system), []);
  await own.settled();
});

test('a shard that is away is named, and its plans are taken up when it is back', async () => {
  await begin({seed: 1103, writers: 0});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0');
  assert.strictEqual((await system.ended(system.reshard('run', plan, '--crash-behind', 'copy'))).signal, 'SIGKILL');
  system.clusters[0].kill();
  const host = supervisor('first');
  await system.quiet(() => /shard tcp:\/\/1\.moray\.example\.com:2020: /.test(host.err));
  assert.doesNotMatch(host.err, takenUp(plan));
  system.clusters[0].revive();
  await system.until(plan, 'finished', host);
  await end(host);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});
