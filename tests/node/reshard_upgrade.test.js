'use strict';
// Plans of several directories, and of several programs, over the same databases.
const assert = require('node:assert');
const {test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {keysIn} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();

test('plans of two directories never have one number, nor has a way back', async () => {
  await own.begin({seed: 701, writers: 0});
  const {system} = own;
  const [here, there] = ['plans', 'others'].map((name) => path.join(system.directory, name));
  const at = (state, work) => { system.state = state; return work(); };
  const first = await at(here, () => system.plan('--vnodes', '0-7', '--soak', '600'));
  const second = await at(there, () => system.plan('--vnodes', '8-15', '--soak', '600'));
  assert.deepStrictEqual([first, second], ['1', '2']);
  const running = at(here, () => system.reshard('run', first));
  await at(here, () => system.until(first, 'soak', running));
  await at(here, () => system.reshardTo(0, 'rollback', first));
  await system.ended(running);
  assert.deepStrictEqual(fs.readdirSync(here).filter((name) => /^\d+$/.test(name)).sort(), ['1', '3']);
  await at(there, () => system.reshardTo(7, 'abort', second));
  // At once, and after all traces of the others are gone from the databases.
  await at(here, () => system.reshardTo(0, 'forget', '3'));
  const made = ['16', '17', '18', '19'].map((vnode, i) => at(i % 2 ? here : there, () => system.reshard('plan', '--config', system.config, ...system.defaults([]), '--vnodes', vnode)));
  for (const each of made) assert.strictEqual((await system.ended(each)).code, 0, each.err);
  const all = [here, there].flatMap((state) => fs.readdirSync(state)).filter((name) => /^\d+$/.test(name)).map(Number);
  assert.deepStrictEqual(all.sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7]);
});

/** The tables of the first version of the schema, with a plan of vnodes 0 to 7. */
const OLDER = (plan, token, role, state) => `CREATE SCHEMA moray_router;
  CREATE TABLE moray_router.reshard_plan (plan bigint PRIMARY KEY, token text NOT NULL, role text NOT NULL, state text NOT NULL, attempt integer NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0, decided boolean NOT NULL DEFAULT false, generation bigint NOT NULL DEFAULT 0, base_digest text NOT NULL, ring_digest text NOT NULL,
    from_pnode text NOT NULL, to_pnode text NOT NULL, changed timestamp with time zone NOT NULL DEFAULT now());
  CREATE TABLE moray_router.reshard_vnode (vnode bigint NOT NULL, plan bigint NOT NULL, PRIMARY KEY (vnode, plan));
  CREATE TABLE moray_router.reshard_log (seq bigserial PRIMARY KEY, plan bigint NOT NULL, tbl text NOT NULL, key text NOT NULL);
  INSERT INTO moray_router.reshard_plan (plan, token, role, state, epoch, base_digest, ring_digest, from_pnode, to_pnode)
    VALUES (${plan}, '${token}', '${role}', '${state}', 3, 'a', 'b', 'x', 'y');
  INSERT INTO moray_router.reshard_vnode SELECT v, ${plan} FROM generate_series(0, 7) v`;

test('a plan that an older program has under way is refused before anything is done, and its databases stay as they are', async () => {
  await own.begin({seed: 702, writers: 0});
  const {system} = own;
  for (const key of keysIn(system, 4, (vnode) => vnode < 8)) await own.put(key, {n: 1});
  const plan = await system.plan('--vnodes', '0-7', '--soak', '0');
  const directory = path.join(system.state, plan);
  // As that program wrote its plan, its journal and its rows.
  const written = JSON.parse(fs.readFileSync(path.join(directory, 'plan.json'), 'utf8'));
  const {gates, ...older} = {...written, baseDigest: 'a', digest: 'b', populated: false};
  assert.deepStrictEqual(gates, []);
  fs.writeFileSync(path.join(directory, 'plan.json'), JSON.stringify(older));
  const state = (act) => ({act, afterTakeOver: 'make_schema', attempt: 1, copies: true, giveUp: false, verifyAgain: false, copied: {}, hooksDone: {pre_lock: true}, cachesUntil: '',
    soakUntil: '', stopped: '', irreversible: '', paused: false});
  const journal = (act) => fs.writeFileSync(path.join(directory, 'journal.jsonl'), JSON.stringify({time: '2026-01-02T03:04:05.678Z', by: 'a@b', process: 1, event: act, state: state(act)}) + '\n');
  for (const [act, source] of [['copy', 'capturing'], ['commit', 'fenced'], ['activate', 'committed']]) {
    journal(act);
    for (const [shard, role, now] of [[0, 'source', source], [1, 'target', 'guarded']])
      system.sql(shard, `DROP SCHEMA IF EXISTS moray_router CASCADE; ${OLDER(plan, older.token, role, now)}`);
    assert.strictEqual((await system.status(plan)).act, act);
    for (const command of ['run', 'abort']) {
      const end = await system.reshardTo(1, command, plan);
      assert.match(end.err, new RegExp(`plan ${plan} was begun by an older program, and is ${source} at the source: .*End it with that program first`));
    }
    for (const shard of [0, 1]) assert.strictEqual(system.sql(shard, 'SELECT state, epoch FROM moray_router.reshard_plan'), `${shard === 0 ? source : 'guarded'}|3`);
  }
  const another = system.reshard('plan', '--config', system.config, ...system.defaults([]), '--vnodes', '20-21');
  assert.strictEqual((await system.ended(another)).code, 1);
  assert.match(another.out, /plan 1 at the target was begun by an older program, and is not over\s+end it with that program first/);
  journal('finished');
  for (const shard of [0, 1]) system.sql(shard, "UPDATE moray_router.reshard_plan SET state = 'done'");
  assert.match((await system.reshardTo(1, 'forget', plan)).err, /the source has the schema of an older program/);
  // When it is over, this program makes the schema its own, and its plans go on from there.
  for (const shard of [0, 1]) system.sql(shard, "UPDATE moray_router.reshard_plan SET state = 'aborted'");
  const next = await system.plan('--vnodes', '0-7', '--soak', '0');
  assert.strictEqual(next, '2');
  await system.reshardTo(0, 'run', next);
});
