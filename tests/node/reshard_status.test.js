'use strict';
// What an operator sees of a plan: where it is, what it waits for, who holds that, and whether anybody
// carries it on.
const assert = require('node:assert');
const {test} = require('node:test');
const {spawn} = require('child_process');

const {BUCKET} = require('./reshard_ledger');
const {keysAt, keysIn} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();
const moving = (count, prefix) => keysIn(own.system, count, (vnode) => vnode < 32, prefix);
const command = (words) => `moray-router reshard ${words} --state ${own.system.state}`;
/** As far as a coordinator came that stood before the last pump: what it shows of itself is a moment old. */
const FENCED = /^(wait_fenced|pump_last)$/;
/** Rows that move, each of some kilobytes. */
async function fill(count) {
  for (const key of moving(count, 'filled')) await own.put(key, {text: 'x'.repeat(2000)});
  own.system.sql(0, `ANALYZE ${BUCKET}`);
}
const status = (plan) => own.system.status(plan);
/** Until a status is like that. */
async function shows(plan, is) {
  let seen;
  await own.system.quiet(async () => is(seen = await status(plan))).catch(() => assert.fail(JSON.stringify(seen)));
  return seen;
}

test('a coordinator that died fenced: status says so, since when, and what to do', async () => {
  await own.begin({seed: 901, writers: 0, settings: {timeouts: {holdMs: 60000}}});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--lease', '30000', '--soak', '0');
  const running = await system.standing(plan, 'pump_last');
  const alive = await status(plan);
  assert.match(alive.act, FENCED);
  assert.deepStrictEqual([alive.coordinator.lives, alive.sides.source.state], [true, 'fenced']);
  await system.killed(running);
  const dead = await shows(plan, ({coordinator}) => coordinator.lives === false);
  assert.match(dead.act, FENCED);
  assert.deepStrictEqual([dead.sides.source.state, dead.next], ['fenced', command('run 1')]);
  assert.match(dead.coordinator.lastSeen, /^\d{4}-.*Z$/);
  const text = (await system.reshardTo(0, 'status', plan)).out;
  assert.match(text, /^act +(wait_fenced|pump_last)$/m);
  assert.match(text, /^coordinator +none since \d{4}-/m);
  await system.reshardTo(0, 'run', plan);
  const over = await status(plan);
  assert.deepStrictEqual([over.act, over.next, over.progress], ['finished', command('forget 1'), null]);
  await system.reshardTo(0, 'forget', plan);
  assert.strictEqual((await status(plan)).next, null);
});

test('status names the transaction that a plan waits for', async () => {
  await own.begin({seed: 902, writers: 0});
  const {system} = own;
  const [key] = moving(1);
  await own.put(key, {n: 1});
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0');
  await system.reshard('run', plan, '--crash-before', 'arm').done;
  const held = await system.transaction(0, `UPDATE ${BUCKET} SET n = 7, _value = '{"n":7}' WHERE _key = '${key}'`);
  const running = system.reshard('run', plan);
  const {heldBy: [holder]} = await shows(plan, ({act, heldBy}) => act === 'wait_armed' && heldBy.length > 0);
  assert.deepStrictEqual([holder.side, holder.application, holder.user], ['source', 'psql', 'moray']);
  assert.ok(holder.process > 0 && holder.seconds >= 1, JSON.stringify(holder));
  assert.match((await system.reshardTo(0, 'status', plan)).out, /^heldBy +source: process \d+ \(psql, user moray, from 127.0.0.1\) has written moving rows/m);
  await system.waits(plan, /process \d+ \(psql, user moray\) of the source, whose transaction began at .*Z/, running);
  await held.end('COMMIT');
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
});

test('a throttled copy: how far it is, a new rate at once, and Ctrl-C is heard', async () => {
  await own.begin({seed: 903, writers: 0});
  const {system} = own;
  await fill(200);
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600', '--copy-bytes-per-second', '1000');
  const first = system.reshard('run', plan);
  const {progress, options} = await shows(plan, (seen) => seen.progress && seen.progress.rows > 0);
  assert.strictEqual(progress.work, `copy ${BUCKET}`);
  assert.ok(progress.percent > 0 && progress.percent <= 100 && progress.rowsAbout > 0, JSON.stringify(progress));
  assert.strictEqual(options.copyBytesPerSecond, 1000);
  assert.ok(keysAt(system, 1).length > 0);
  first.child.kill('SIGINT');  // a batch at this rate takes minutes
  assert.strictEqual((await system.ended(first)).code, 6, first.err);
  assert.deepStrictEqual([(await status(plan)).act, (await status(plan)).next], ['copy', command('resume 1')]);
  const again = system.reshard('run', plan);
  await shows(plan, (seen) => seen.coordinator.lives && seen.progress && seen.progress.rows > 0);
  await system.reshardTo(0, 'set', plan, '--copy-bytes-per-second', '0');
  await system.until(plan, 'soak', again);
  assert.match(again.err, /options: copy-bytes-per-second 0/);
  const soaking = await status(plan);
  assert.deepStrictEqual([soaking.options.copyBytesPerSecond, soaking.progress.work, soaking.next], [0, 'soak', command('finalize 1')]);
  assert.deepStrictEqual([soaking.lag.entries, typeof soaking.lag.seconds], [0, 'number']);
  assert.strictEqual(keysAt(system, 1).length, 200);
});

test('a plan that was taken back does not say finished', async () => {
  await own.begin({seed: 904, writers: 0});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  const back = await system.standing(plan, 'verify', 'rollback');
  const during = await status(plan);
  assert.deepStrictEqual([during.act, during.beingRolledBackBy, during.coordinator.lives, during.coordinator.lockedByPlan], ['soak', 2, false, '2']);
  system.goOn(back);
  assert.strictEqual((await system.ended(back)).code, 0, back.err);
  const {act, rolledBackBy, next} = await status(plan);
  assert.deepStrictEqual([act, rolledBackBy, next], ['rolled_back', 2, command('forget 2')]);
  assert.match((await system.reshardTo(0, 'list')).out, /^1 +rolled_back .*\n2 +finished /);
  for (const words of [['run'], ['pause'], ['finalize'], ['verify'], ['set', '--soak', '1']])
    assert.match((await system.reshardTo(1, words[0], plan, ...words.slice(1))).err, /plan 1 was taken back by plan 2/);
});

test('a database that can\'t be reached is said, and holds nobody up', async () => {
  await own.begin({seed: 905, writers: 0});
  const {system, clusters} = own;
  const plan = await system.plan('--vnodes', '0-31', '--settle', '600000');
  const running = system.reshard('run', plan);
  await system.until(plan, 'pump', running);
  clusters[1].freeze();
  const seen = await status(plan);
  assert.match(seen.sides.target.problem, /./);
  assert.deepStrictEqual([seen.sides.source, seen.coordinator.lives], [{state: 'capturing', problem: null}, true]);
  clusters[1].thaw();
  clusters[0].kill();  // which decides here
  await system.killed(running);
  const unknown = await status(plan);
  assert.deepStrictEqual([unknown.coordinator.lives, unknown.act], [null, 'pump']);
  assert.match((await system.reshardTo(0, 'status', plan)).out, /^source +can't be asked: .*\n/m);
  clusters[0].launch();
  assert.strictEqual((await status(plan)).coordinator.lives, false);
});

test('--watch: lines until the plan ends; redrawn on a terminal until it is interrupted', async () => {
  await own.begin({seed: 906, writers: 0});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  const lines = system.reshard('status', plan, '--watch');
  const words = ['exec', process.env.MORAY_ROUTER_BIN, 'reshard', 'status', plan, '--watch', '--state', system.state];
  const terminal = spawn('script', ['-qefc', words.join(' '), '/dev/null'], {stdio: ['pipe', 'pipe', 'inherit']});
  system.endsWithTest(terminal);
  const closed = new Promise((resolve) => terminal.on('close', resolve));
  let drawn = '';
  terminal.stdout.on('data', (data) => { drawn += data; });
  await system.quiet(() => drawn.split('\x1b[H').length > 2);
  assert.match(drawn, /act +soak/);
  terminal.stdin.write('\x03');  // Ctrl-C
  assert.strictEqual(await closed, 0);
  await system.quiet(() => lines.out.split('\n').length > 2);
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  const end = await system.ended(lines);
  assert.deepStrictEqual([end.code, end.out.includes('\x1b')], [0, false]);
  assert.match(end.out, /^\d{4}-\S+Z plan 1: soak; soak: \d+ %, .* left; lag 0 entries/m);
  assert.match(end.out.trimEnd().split('\n').at(-1), /plan 1: finished$/);
});
