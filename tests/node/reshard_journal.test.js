'use strict';
// A journal that can't be written delays and ends nothing while writes are held: the row in the database decides.
// And a coordinator that was replaced without knowing it takes nothing away from the one that follows it.
const assert = require('node:assert');
const {test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {keysAt, rowsNotOwned} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene();
const fullDisk = process.env.MORAY_ROUTER_FULL_DISK;
// The disk stays full from there on, so that a few acts stand for the others.
const CUTOVER = process.env.MORAY_ROUTER_LONG ?
  ['prepare', 'block', 'fence', 'pump_last', 'commit', 'wait_commit_flushed', 'activate', 'commit_target', 'unblock'] :
  ['prepare', 'fence', 'wait_commit_flushed', 'unblock'];
const STOPPED = /ALARM: the journal can't be written: .*journal\.jsonl/;

/** No file of a plan's directory becomes larger while `disk.full()` is so. */
async function begin(options) {
  const flag = path.join(fs.mkdtempSync('/tmp/moray-router-node-'), 'full');
  const environment = {LD_PRELOAD: fullDisk, FULL_DISK_FLAG: flag, FULL_DISK_PATH: '/plans/'};
  await own.begin({environment, ...options});
  return {full: () => fs.writeFileSync(flag, ''), room: () => fs.rmSync(flag, {force: true})};
}
/** Vnodes go to the other shard, and back the next time. */
let forth = false;
function direction() {
  forth = !forth;
  return forth ? [] : ['--from', PNODES[1], '--to', PNODES[0]];
}
const status = (plan) => JSON.parse(fs.readFileSync(path.join(own.system.state, plan, 'status.json'), 'utf8'));

/** Writes go on, and the plan ends when its journal can be written again. */
async function goesOn(plan, disk) {
  assert.ok(await own.system.open());
  await own.written(30);
  disk.room();
  await own.system.reshardTo(0, 'run', plan);
  assert.deepStrictEqual(rowsNotOwned(own.system), []);
}

test('the disk of the journal is full from any act of the cutover on: it is cut over, and stops where nothing is blocked', {skip: !fullDisk}, async () => {
  const disk = await begin({seed: 501, writers: 2});
  const {system} = own;
  forth = false;
  for (const act of CUTOVER) {
    const plan = await system.plan('--vnodes', '0-7', '--soak', '0', '--lease', '20000', ...direction());
    const running = await system.standing(plan, act);
    disk.full();
    system.goOn(running);
    const end = await system.ended(running);
    assert.strictEqual(end.code, 5, `${act}: ${end.err}`);
    assert.match(end.err, STOPPED, act);
    assert.match(end.err, /stopped: the journal can't be written/, act);
    assert.match(end.err, /cut over: writes were held/, act);
    await goesOn(plan, disk);
  }
  await own.settled();
});

test('a coordinator dies in the cutover, and its journal can not be written: another one finds out by the row', {skip: !fullDisk}, async () => {
  const disk = await begin({seed: 502, writers: 2});
  const {system} = own;
  forth = false;
  for (const [act, where] of [['commit', 'before'], ['commit', 'behind'], ['unblock', 'before']]) {
    const plan = await system.plan('--vnodes', '0-7', '--soak', '0', ...direction());
    const crashed = await system.standing(plan, 'block', 'run', `--crash-${where}`, act);
    disk.full();
    system.goOn(crashed);
    assert.strictEqual((await system.ended(crashed)).signal, 'SIGKILL');
    const end = await system.ended(system.reshard('run', plan));
    assert.strictEqual(end.code, 5, `${where} ${act}: ${end.err}`);
    assert.match(end.err, STOPPED, act);
    await goesOn(plan, disk);
  }
  await own.settled();
});

test("the journal's directory is gone while writes are held: the plan is cut over, and stops", async () => {
  await own.begin({seed: 503, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0');
  const running = await system.standing(plan, 'fence');
  const directory = path.join(system.state, plan);
  fs.renameSync(directory, `${directory}.away`);
  system.goOn(running);
  const end = await system.ended(running);
  assert.strictEqual(end.code, 5, end.err);
  await goesOn(plan, {room: () => fs.renameSync(`${directory}.away`, directory)});
  await own.settled();
});

test('a full disk before the copy: nothing is begun that the journal does not know, and abort goes without it', {skip: !fullDisk}, async () => {
  const disk = await begin({seed: 504, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31');
  const first = await system.standing(plan, 'make_schema');
  disk.full();
  system.goOn(first);
  assert.strictEqual((await system.ended(first)).code, 5);
  assert.strictEqual(system.sql(1, "SELECT count(*) FROM pg_namespace WHERE nspname = 'moray_router'"), '0');
  disk.room();
  const second = await system.standing(plan, 'verify');
  disk.full();
  await system.killed(second);
  const end = await system.reshardTo(5, 'abort', plan);
  assert.match(end.err, STOPPED);
  assert.match(system.sql(0, 'SELECT state FROM moray_router.reshard_plan'), /aborted/);
  await own.written(30);
  disk.room();
  await system.reshardTo(7, 'abort', plan);
  assert.deepStrictEqual(keysAt(system, 1), []);
  await own.settled();
});

test('a coordinator that was replaced removes no ask, and shows nothing over its successor', async () => {
  await own.begin({seed: 505, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const older = system.reshard('run', plan, '--stop-before', 'finalize');
  await system.until(plan, 'soak', older);
  await system.reshard('finalize', plan, '--wait', '0').done;
  await system.stands(older);
  const newer = await system.standing(plan, 'finalize', 'run', '--take-over');
  const {writer} = status(plan);
  system.goOn(older);
  assert.strictEqual((await system.ended(older)).code, 8);
  assert.ok(fs.existsSync(path.join(system.state, plan, 'finalize')));
  assert.strictEqual(status(plan).writer, writer);
  // Nor does one that can't become the coordinator.
  await system.reshardTo(9, 'pause', plan, '--wait', '0');
  assert.strictEqual((await system.ended(system.reshard('run', plan))).code, 8);
  assert.ok(fs.existsSync(path.join(system.state, plan, 'pause')));
  assert.strictEqual(status(plan).writer, writer);
  system.goOn(newer);
  assert.strictEqual((await system.ended(newer)).code, 6);
  await system.reshardTo(0, 'run', plan);
  await own.settled();
});
