'use strict';
// People change a ring beside a plan: what is refused, what stays, and what the refusal says.
const assert = require('node:assert');
const {test} = require('node:test');

const {keysAt, keysIn, rowsNotOwned, vnodesOf} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene();
const moving = (vnode) => vnode < 32;
const remap = (vnode, shard) => own.system.result('remap', '--vnodes', String(vnode), '--pnode', PNODES[shard]);
const setData = ['set-data', '--vnodes', '60', '{"seen":1}'];

test('between activation and the target\'s commit the ring can\'t be edited: by a third ring nobody would find the rows', async () => {
  await own.begin({seed: 1101, writers: 0, settings: {timeouts: {holdMs: 60000}}});
  const {system} = own;
  const [key] = keysIn(system, 1, moving);
  await own.put(key, {n: 1});
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0');
  const running = await system.standing(plan, 'commit_target');
  const refused = new RegExp(`set-data: plan ${plan} has just moved vnodes, and "${PNODES[1]}" has not said yet that it takes writes`);
  assert.match(await system.refusal(...setData), refused);
  // Neither a person who unblocks them nor a restart makes the target take writes.
  await system.result('unblock', '--all');
  assert.match(await system.refusal(...setData), refused);
  await system.crashRouter();
  assert.match(await system.refusal(...setData), refused);
  assert.strictEqual((await system.result('reload')).changed, 0);
  system.goOn(running);
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  await system.result(...setData);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a coordinator that dies after the target\'s commit: the router opens the vnodes by itself', async () => {
  await own.begin({seed: 1102, writers: 0, settings: {timeouts: {holdMs: 60000}}});
  const {system} = own;
  const [key] = keysIn(system, 1, moving);
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0');
  await system.reshard('run', plan, '--crash-behind', 'commit_target').done;
  await own.put(key, {n: 1});
  assert.ok(keysAt(system, 1).includes(key));
  await system.result(...setData);
  await system.reshardTo(0, 'run', plan);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('abort where a person has given one vnode to the target: the others are cleaned, that one is named and waits', async () => {
  await own.begin({seed: 1103, writers: 0, owners: 2});
  const {system} = own;
  const vnodes = vnodesOf(system, 0, 0, 6), [given, taken] = vnodes;
  const keys = keysIn(system, 30, (vnode) => vnodes.includes(vnode));
  for (const key of keys) await own.put(key, {n: 1});
  const vnode = new Map(keys.map((key) => [key, Number(system.locate('manta', [key]).get(key).vnode)]));
  const of = (...wanted) => keys.filter((key) => wanted.includes(vnode.get(key))).sort();
  const plan = await system.plan('--vnodes', vnodes.join(','), '--gate', 'cutover');
  const running = system.reshard('run', plan);
  await system.waits(plan, /gate cutover/, running);
  await system.killed(running);
  await remap(given, 1);
  const {err} = await system.reshardTo(5, 'abort', plan);
  assert.match(err, new RegExp(`routers give vnodes of the plan to its target .*: ${given}\\. Give them back to ${PNODES[0]}`));
  assert.deepStrictEqual(keysAt(system, 1), of(given));
  // What is cleaned is free: another plan takes some of it, and keeps it.
  const other = await system.plan('--vnodes', String(taken), '--soak', '0');
  await system.reshardTo(0, 'run', other);
  await remap(given, 0);
  await system.reshardTo(7, 'abort', plan);
  assert.deepStrictEqual(keysAt(system, 1), of(taken));
  assert.deepStrictEqual(rowsNotOwned(system), []);
  for (const key of keys) assert.strictEqual((await own.get(key)).n, 1);
  await system.reshardTo(0, 'forget', plan);
  await system.reshardTo(0, 'forget', other);
});

test('vnodes that a plan has moved away: who refuses another plan of them names that one, in the soak and afterwards', async () => {
  await own.begin({seed: 1104, writers: 0});
  const {system} = own;
  const first = await system.plan('--vnodes', '0-31', '--soak', '600');
  const second = await system.plan('--vnodes', '16-40', '--soak', '600');
  // Past preflight: it finds at its first act that they have left.
  await system.ended(system.reshard('run', second, '--crash-before', 'make_schema'));
  const running = system.reshard('run', first);
  await system.until(first, 'soak', running);
  const words = new RegExp(`plan ${first} has moved vnode \\d+ to ${PNODES[1]}`);
  const refused = async (...more) => {
    const end = await system.ended(system.reshard('plan', '--config', system.config, ...system.defaults(more), ...more));
    assert.strictEqual(end.code, 1, end.out);
    assert.match(end.out + end.err, words);
  };
  assert.match((await system.reshardTo(5, 'run', second)).err, words);
  await refused('--vnodes', '16-40');
  await system.reshardTo(0, 'finalize', first);
  await system.ended(running);
  await refused('--vnodes', '16-40');
  await system.reshardTo(7, 'abort', second);
});
