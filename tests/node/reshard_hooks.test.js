'use strict';
// The site's lock: a hook takes it, and whatever becomes of the plan it is given back once; until then that shows.
const assert = require('node:assert');
const {test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();
const lock = () => path.join(own.system.directory, 'L');
const metrics = (plan) => fs.readFileSync(path.join(own.system.state, plan, 'metrics.prom'), 'utf8');
const held = (plan) => assert.match(metrics(plan), new RegExp(`^reshard_lock_since_timestamp_seconds\\{plan="${plan}"\\} \\d{10}$`, 'm'));
const given = (plan) => assert.match(metrics(plan), new RegExp(`^reshard_lock_held\\{plan="${plan}"\\} 0$`, 'm'));

/** Options of a plan whose hooks run these commands, `@` being the lock's directory. */
function hooks(commands) {
  return Object.entries(commands).flatMap(([phase, command]) => ['--hook', `${phase}=${command.replaceAll('@', lock())}`]);
}
const SIMPLE = {pre_lock: 'mkdir @', post_finalize: 'rmdir @', on_abort: 'rmdir @'};
const others = (command) => `test $MORAY_RESHARD_LOCK_HOLDERS -gt 0 || ${command}`;
const SHARED = {pre_lock: others('mkdir @'), post_finalize: others('rmdir @'), on_abort: others('rmdir @')};

async function soaking(...words) {
  const plan = await own.system.plan('--vnodes', '0-31', '--soak', '600', ...words);
  const running = own.system.reshard('run', plan);
  await own.system.until(plan, 'soak', running);
  return {plan, running};
}

test('a rollback inherits the lock that its plan holds, and gives it back once, at its end', async () => {
  await own.begin({seed: 601, writers: 2});
  const {system} = own;
  const {plan, running} = await soaking(...hooks(SIMPLE));
  await system.quiet(() => /reshard_lock_since/.test(metrics(plan)));
  held(plan);
  await system.killed(running);  // nobody carries it on: that shows all the same
  held(plan);
  assert.match((await system.status(plan)).lock, /^held since 20/);
  const end = await system.reshardTo(0, 'rollback', plan);
  assert.doesNotMatch(end.err, /hook pre_lock/);
  assert.strictEqual(end.err.match(/hook post_finalize: /g).length, 1);
  assert.ok(!fs.existsSync(lock()));
  for (const each of [plan, '2']) {
    given(each);
    assert.strictEqual((await system.status(each)).lock, null);
  }
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a rollback that is aborted leaves the lock to its plan; abort gives back what a plan of its own has taken', async () => {
  await own.begin({seed: 602, writers: 2});
  const {system} = own;
  const {plan, running} = await soaking(...hooks(SIMPLE));
  const back = await system.standing(plan, 'verify', 'rollback');
  await system.killed(back);
  await system.ended(running);
  await system.reshardTo(7, 'abort', '2');
  assert.ok(fs.existsSync(lock()));
  assert.match((await system.status(plan)).lock, /^held/);
  given('2');
  await system.reshardTo(9, 'finalize', plan);  // nobody carries it on yet
  await system.reshardTo(0, 'run', plan);
  assert.ok(!fs.existsSync(lock()));

  const second = await system.plan('--vnodes', '32-40', ...hooks(SIMPLE));
  await system.killed(await system.standing(second, 'verify'));
  assert.ok(fs.existsSync(lock()));
  assert.match((await system.reshardTo(7, 'abort', second)).err, /hook on_abort: /);
  assert.ok(!fs.existsSync(lock()));
  given(second);
  await own.settled();
});

test('a hook that fails to give the lock back stops neither abort nor rollback; it is tried again', async () => {
  await own.begin({seed: 603, writers: 2});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', ...hooks({pre_lock: 'mkdir @', on_abort: 'rmdir @', post_finalize: 'rmdir @'}));
  await system.killed(await system.standing(plan, 'verify'));
  fs.writeFileSync(path.join(lock(), 'busy'), '');
  const end = await system.reshardTo(7, 'abort', plan);
  assert.match(end.err, /ALARM: hook on_abort ended with 1; the site's lock is held since/);
  held(plan);
  assert.match((await system.status(plan)).lock, /^held/);
  await system.reshardTo(5, 'retry', plan);
  held(plan);
  fs.rmSync(path.join(lock(), 'busy'));
  await system.reshardTo(0, 'retry', plan);
  given(plan);
  assert.ok(!fs.existsSync(lock()));
  assert.match((await system.reshardTo(1, 'retry', plan)).err, /was aborted/);

  const {plan: second, running} = await soaking(...hooks(SIMPLE));
  fs.writeFileSync(path.join(lock(), 'busy'), '');
  assert.match((await system.reshardTo(0, 'rollback', second)).err, /ALARM: hook post_finalize ended with 1/);
  await system.ended(running);
  held('3');
  given(second);
  fs.rmSync(path.join(lock(), 'busy'));
  await system.reshardTo(0, 'retry', '3');
  given('3');
  await own.settled();
});

test('two plans hold one lock: the first takes it, and the last gives it back', async () => {
  await own.begin({seed: 604, writers: 2});
  const {system} = own;
  const {plan, running} = await soaking(...hooks(SHARED));
  const second = await system.plan('--vnodes', '32-40', ...hooks(SHARED));
  const copying = await system.standing(second, 'verify');  // before its metrics were written again, maybe
  assert.match((await system.status(second)).lock, /^held since 20/);
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(running)).code, 0);
  given(plan);
  assert.ok(fs.existsSync(lock()));
  await system.killed(copying);
  await system.reshardTo(7, 'abort', second);
  assert.ok(!fs.existsSync(lock()));
  await own.settled();
});

test('a lock that somebody else has stops a plan, and its end gives nothing away', async () => {
  await own.begin({seed: 606, writers: 0});
  const {system} = own;
  fs.mkdirSync(lock());
  const plan = await system.plan('--vnodes', '0-31', ...hooks(SIMPLE));
  assert.match((await system.reshardTo(5, 'run', plan)).err, /stopped: hook pre_lock ended with 1/);
  given(plan);
  assert.doesNotMatch((await system.reshardTo(7, 'abort', plan)).err, /hook on_abort/);
  assert.ok(fs.existsSync(lock()));
});

test('a hook that never ends is ended with all that it began, by its limit or by Ctrl-C', async () => {
  await own.begin({seed: 605, writers: 0});
  const {system} = own;
  const begun = path.join(system.directory, 'begun');
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--hook-seconds', '1', '--hook', `post_finalize=sleep 1000 & echo $! > ${begun}; sleep 1000`);
  assert.match((await system.reshardTo(0, 'run', plan)).err, /ALARM: hook post_finalize took more than 1 s, and was ended/);
  const gone = async () => {
    const pid = fs.readFileSync(begun, 'utf8').trim();
    await system.quiet(() => !fs.existsSync(`/proc/${pid}`));
  };
  await gone();
  fs.rmSync(begun);
  const second = await system.plan('--vnodes', '32-40', '--hook', `pre_lock=sleep 1000 & echo $! > ${begun}; sleep 1000`);
  const running = system.reshard('run', second);
  await system.quiet(() => fs.existsSync(begun) && fs.readFileSync(begun, 'utf8').endsWith('\n'));
  running.child.kill('SIGINT');
  const end = await system.ended(running);
  assert.strictEqual(end.code, 6, end.err);
  await gone();
});
