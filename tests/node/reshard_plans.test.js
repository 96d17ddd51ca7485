'use strict';
// Several plans at once, over disjoint vnodes and over the same, and changes of the ring beside them.
const assert = require('node:assert');
const {test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {BUCKET} = require('./reshard_ledger');
const {keysAt, keysIn, rowsNotOwned, vnodesOf} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene({shards: 3});
const ONTO_THIRD = (shard) => ['--from', PNODES[shard], '--to', PNODES[2]];
const text = (vnodes) => vnodes.join(',');
const wholeVerifications = (running) => (running.out + running.err).match(/verified: /g)?.length ?? 0;
const setData = (vnode) => own.system.result('set-data', '--vnodes', String(vnode), '{"seen":1}');

/** Two shards have vnodes, the third is new; some vnodes of each of the two. */
async function twoOntoOne(seed, options = {}) {
  await own.begin({seed, owners: 2, ...options});
  return [0, 1].map((shard) => vnodesOf(own.system, shard, 0, 8));
}

const unique = () => Number(own.system.sql(2, `SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass('${BUCKET}')`)) +
  Number(own.system.sql(2, `SELECT count(*) FROM pg_indexes WHERE tablename = '${BUCKET}'`));
const doubled = () => own.system.sql(2, `SELECT count(*) - count(DISTINCT _id) FROM ${BUCKET}`);

test('two plans onto one new shard: the second waits and names the first, no id is there twice, no index goes', async () => {
  const [first, second] = await twoOntoOne(601);
  const {system} = own;
  const one = await system.plan('--vnodes', text(first), '--soak', '600', ...ONTO_THIRD(0));
  const two = await system.plan('--vnodes', text(second), '--soak', '600', ...ONTO_THIRD(1), '--copy-bytes-per-second', '20000');
  await system.ended(system.reshard('run', two, '--crash-before', 'make_schema'));  // past preflight, which finds nothing yet
  const running = await system.standing(one, 'pump');  // its rows are there, with their ids
  const waiting = system.reshard('run', two);
  const firstNamed = new RegExp(`plan ${one}\\b`), before = ['make_schema', 'arm', 'wait_armed', 'copy'];
  await system.quiet(async () => {
    const {act, waitsFor} = await system.status(two);
    return firstNamed.test(waitsFor || '') || !before.includes(act);
  }).catch(() => assert.fail(`it does not wait: ${waiting.err}`));
  assert.strictEqual(doubled(), '0');
  assert.match((await system.status(two)).waitsFor || '', firstNamed);
  system.goOn(running);
  await system.until(one, 'soak', running);
  const indexes = unique();
  assert.ok(indexes >= 4, String(indexes));
  let least = indexes, looks = 0;
  await system.quiet(async () => {
    least = Math.min(least, unique());
    ++looks;
    return (await system.status(two)).act === 'soak';
  });
  assert.strictEqual(least, indexes, `after ${looks} looks`);
  assert.strictEqual(doubled(), '0');
  for (const [plan, coordinator] of [[one, running], [two, waiting]]) {
    await system.reshardTo(0, 'finalize', plan);
    assert.strictEqual((await system.ended(coordinator)).code, 0, coordinator.err);
  }
  await own.settled();
  assert.strictEqual(doubled(), '0');
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a unique value of rows that two plans move to one target is an obstacle before either has copied', async () => {
  const [first, second] = await twoOntoOne(608, {writers: 0});
  const {system} = own;
  const [mine] = keysIn(system, 1, (vnode) => first.includes(vnode)), [other] = keysIn(system, 1, (vnode) => second.includes(vnode));
  for (const key of [mine, other]) await own.put(key, {n: 1, u: 'same'});
  const one = await system.plan('--vnodes', text(first), '--gate', 'copy', ...ONTO_THIRD(0));
  const running = system.reshard('run', one);
  await system.waits(one, /gate copy/, running);
  const words = ['--vnodes', text(second), ...ONTO_THIRD(1)];
  const end = await system.ended(system.reshard('plan', '--config', system.config, ...system.defaults(words), ...words));
  assert.strictEqual(end.code, 1, end.out);
  assert.ok(end.out.includes(`u = same of a row that moves is that of a row which plan ${one} moves to the target, too: key ${mine} at ${PNODES[0]}`), end.out);
  await own.put(other, {n: 1, u: 'another'});
  await system.plan(...words);
  await system.killed(running);
});

test('another plan cuts over between a plan\'s verification and its cutover: it goes on without another verification', async () => {
  const [first, second] = await twoOntoOne(602);
  const {system} = own;
  const one = await system.plan('--vnodes', text(first), '--soak', '600', '--to', PNODES[1]);
  const two = await system.plan('--vnodes', text(second), '--soak', '600', '--from', PNODES[1], '--to', PNODES[0]);
  const running = await system.standing(one, 'bind');
  const other = system.reshard('run', two);
  await system.until(two, 'soak', other);
  system.goOn(running);
  await system.until(one, 'soak', running);
  assert.strictEqual(wholeVerifications(running), 1);
  // Both are kept current, and either can be taken back.
  const back = await system.reshardTo(0, 'rollback', one);
  assert.strictEqual(wholeVerifications(back), 1, back.err);
  assert.strictEqual((await system.ended(running)).code, 6);
  await system.reshardTo(0, 'rollback', two);
  assert.strictEqual((await system.ended(other)).code, 6);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('vnodes that don\'t move are given data before the cutover and in the soak: cutover and rollback don\'t mind', async () => {
  await own.begin({seed: 603});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = await system.standing(plan, 'bind');
  await setData(60);
  system.goOn(running);
  await system.until(plan, 'soak', running);
  assert.strictEqual(wholeVerifications(running), 1);
  await setData(61);
  // A coordinator that comes back goes on with the soak where it was.
  const {soakUntil} = await system.status(plan);
  await system.killed(running);
  const again = system.reshard('run', plan);
  const [key] = keysIn(system, 1, (vnode) => vnode < 32, 'late');
  await own.put(key, {n: 1});
  await system.quiet(() => keysAt(system, 0).includes(key) || again.child.exitCode !== null);  // the source is kept current
  assert.deepStrictEqual([(await system.status(plan)).act, (await system.status(plan)).soakUntil], ['soak', soakUntil]);
  const back = await system.reshardTo(0, 'rollback', plan);
  assert.strictEqual(wholeVerifications(back), 1, back.err);
  await system.ended(again);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a gate holds a plan by pumping, until it is opened', async () => {
  await own.begin({seed: 604});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--gate', 'cutover', '--gate', 'cleanup');
  const running = system.reshard('run', plan);
  await system.waits(plan, /cutover/, running);
  const [key] = keysIn(system, 1, (vnode) => vnode < 32, 'late');
  await own.put(key, {n: 1});
  await system.quiet(() => keysAt(system, 1).includes(key));  // the target is kept current
  await system.reshardTo(0, 'open', plan, 'cutover');
  await system.waits(plan, /cleanup/, running);
  assert.ok(keysAt(system, 0).includes(key));
  await system.reshardTo(0, 'open', plan, 'cleanup');
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('two plans over the same vnodes, both past preflight: the databases refuse the second, and nothing is deleted', async () => {
  await own.begin({seed: 605, writers: 0});
  const {system} = own;
  const moving = keysIn(system, 50, (vnode) => vnode < 32);
  for (const key of moving) await own.put(key, {n: 1});
  const one = await system.plan('--vnodes', '0-31', '--soak', '600'), two = await system.plan('--vnodes', '0-31', '--soak', '600');
  await system.reshard('run', two, '--crash-before', 'make_schema').done;
  const running = await system.standing(one, 'pump');
  const refusedFor = async (why) => {
    const {code, err} = await system.ended(system.reshard('run', two));
    assert.deepStrictEqual(keysAt(system, 1), [...moving].sort());
    assert.ok([1, 5].includes(code), `${code}: ${err}`);
    assert.match(err, why);
  };
  await refusedFor(new RegExp(`plan ${one}\\b`));  // whose rows are there, and not the shard's yet
  system.goOn(running);
  await system.until(one, 'soak', running);
  const writable = async (n) => {
    for (const key of moving) await own.put(key, {n});
    for (const key of moving) assert.strictEqual((await own.get(key)).n, n);
    assert.deepStrictEqual(keysAt(system, 1), [...moving].sort());
  };
  await refusedFor(new RegExp(`plan ${one}\\b|does not give all vnodes of the plan to its source`));
  await writable(2);
  await system.reshardTo(7, 'abort', two);
  await writable(3);
  await system.reshardTo(0, 'finalize', one);
  assert.strictEqual((await system.ended(running)).code, 0);
  await writable(4);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('a pending ring outlives its lease: another plan and edits wait for it, and nothing is refused for good', async () => {
  const [first, second] = await twoOntoOne(606);
  const {system} = own;
  const cautious = ['--max-block', '600', '--soak', '0'];
  const one = await system.plan('--vnodes', text(first), '--to', PNODES[1], ...cautious);
  const two = await system.plan('--vnodes', text(second), '--from', PNODES[1], '--to', PNODES[2], '--soak', '0');
  const waiting = await system.standing(two, 'bind');
  await system.reshard('run', one, '--crash-behind', 'commit').done;
  await system.quiet(async () => (await system.result('status')).gate.hold === '');  // the lease is over
  assert.match(await system.refusal('set-data', '--vnodes', '60', '"ro"'), new RegExp(`plan ${one}\\b`));
  system.goOn(waiting);
  await system.waits(two, new RegExp(`plan ${one}\\b`), waiting);
  await system.reshardTo(0, 'run', one);
  assert.strictEqual((await system.ended(waiting)).code, 0, waiting.err);
  assert.strictEqual((await system.status(two)).attempt, 1);
  for (const key of keysIn(system, 20, (vnode) => first.includes(vnode) || second.includes(vnode))) await own.put(key, {n: 1});
  await own.ledger.stop();
  assert.strictEqual(own.ledger.unknown, 0, own.ledger.lastUnknown);
  await own.ledger.check(system, own.client);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

test('an aborted rollback hands back what was written meanwhile: the source is kept current', async () => {
  await own.begin({seed: 607, writers: 0});
  const {system} = own;
  const keys = keysIn(system, 40, (vnode) => vnode < 32);
  for (const key of keys) await own.put(key, {n: 1});
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  const back = await system.standing(plan, 'verify', 'rollback');
  assert.strictEqual((await system.ended(running)).code, 6);
  const [changed, gone] = [keys.slice(0, 10), keys.slice(10, 20)];
  for (const key of changed) await own.put(key, {n: 2});
  for (const key of gone) await own.remove(key);
  await system.killed(back);
  await system.reshardTo(7, 'abort', String(Number(plan) + 1));
  const again = system.reshard('run', plan);
  const rows = (shard) => system.sql(shard, `SELECT json_agg(json_build_array(_key, n) ORDER BY _key) FROM ${BUCKET}`);
  await system.quiet(() => rows(0) === rows(1), 30000);
  assert.strictEqual(JSON.parse(rows(0)).length, 30);
  assert.strictEqual((await system.status(plan)).irreversible, null);
  await system.reshardTo(0, 'rollback', plan);
  await system.ended(again);
  for (const key of changed) assert.strictEqual((await own.get(key)).n, 2);
  for (const key of gone) await own.absent(key);
  assert.deepStrictEqual(rowsNotOwned(system), []);
});

/** The commands of a section of the documentation, as their words. */
function commandsOf(section) {
  const text = fs.readFileSync(path.join(__dirname, '..', '..', 'docs', 'resharding.md'), 'utf8');
  const block = text.split(`## ${section}\n`)[1].split('```')[1];
  return block.trim().split('\n').map((line) => line.match(/'[^']*'|\S+/g).map((word) => word.replaceAll("'", '')));
}

test('two plans at once, as the documentation types it', async () => {
  await own.begin({seed: 608, owners: 2});
  const {system} = own, running = [];
  const typed = commandsOf('Two plans at once');
  /** Types the next command, which must begin like that. */
  const type = async (...expected) => {
    const [program, kind, ...words] = typed.shift();
    assert.deepStrictEqual([program, ...words.slice(0, expected.length)], ['moray-router', ...expected]);
    if (kind === 'admin') return system.result(...words);
    if (words.at(-1) === '&') return running.push(system.reshard(...words.slice(0, -1)));
    const all = words.map((word) => word === '/etc/moray-router.json' ? system.config : word);
    return system.reshardTo(0, ...all, ...words[0] === 'plan' ? system.defaults(words) : []);
  };
  for (const plan of ['1', '2']) assert.match((await type('plan')).err, new RegExp(`plan ${plan} is in`));
  await type('run', '1');
  await system.waits('1', /cutover/, running[0]);
  await type('run', '2');
  await system.waits('2', /plan 1\b/, running[1]);
  assert.match((await type('status', '2')).out, /plan 1\b/);
  await type('open', '1', 'cutover');
  await system.until('1', 'soak');
  await type('open', '2', 'cutover');
  await system.until('2', 'soak');
  await type('set-data');
  await type('rollback', '1');
  assert.strictEqual((await system.ended(running[0])).code, 6);
  assert.strictEqual((await system.status('2')).act, 'soak');
  await own.written(50);
  await type('finalize', '2');
  assert.strictEqual((await system.ended(running[1])).code, 0, running[1].err);
  await type('forget', '3');
  await type('forget', '2');
  assert.deepStrictEqual(typed, []);
  await own.settled();
  assert.deepStrictEqual(rowsNotOwned(system), []);
  for (const shard of [0, 1, 2]) assert.strictEqual(system.sql(shard, "SELECT count(*) FROM pg_namespace WHERE nspname = 'moray_router'"), '0');
});
