'use strict';
// The derived bucket manta_directory_counts, whose rows sum rows of several vnodes: after any move, each
// shard's counts are those of its own rows, and what a client reads of a directory is right.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');

const {call} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {System} = require('./reshard_system');

const USER = (i) => `/0123456${i}-89ab-cdef-0123-456789abcdef`;
// As Manta makes them, by SQL.
const COUNTING = `
CREATE FUNCTION count_manta_directories() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF TG_OP = 'DELETE' THEN
    UPDATE manta_directory_counts SET entries = entries - 1 WHERE _key = OLD.dirname;
    DELETE FROM manta_directory_counts WHERE _key = OLD.dirname AND entries <= 0;
  ELSE
    INSERT INTO manta_directory_counts (_key, _value, _etag, _mtime, _vnode, entries) VALUES (NEW.dirname, '{}', '_trigger', 7, NEW._vnode, 1)
      ON CONFLICT (_key) DO UPDATE SET entries = manta_directory_counts.entries + 1;
  END IF;
  RETURN NULL;
END $f$;
CREATE TRIGGER count_directories AFTER INSERT OR DELETE ON manta FOR EACH ROW EXECUTE PROCEDURE count_manta_directories();`;

let clusters, system, client, stopped, writers, there, changes = 0;

before(async () => { clusters = [await new PostgresCluster().start(), await new PostgresCluster().start()]; });
after(() => clusters.forEach((cluster) => cluster.stop()));

const directoryOf = (key) => key.slice(0, key.lastIndexOf('/'));
const put = (key) => call(client, 'putObject', 'manta', key, {dirname: directoryOf(key)}).then(() => there.add(key));
const drop = (key) => call(client, 'delObject', 'manta', key).then(() => there.delete(key));

async function begin(options = {}) {
  system = await new System({clusters, ...options}).start();
  client = await system.connect();
  there = new Set();
  await call(client, 'createBucket', 'manta', {index: {dirname: {type: 'string'}}, options: {version: 2}});
  await call(client, 'createBucket', 'manta_directory_counts', {index: {entries: {type: 'number'}}, options: {version: 1}});
  await call(client, 'createBucket', 'manta_delete_log', {index: {objectId: {type: 'string'}}, options: {version: 1}});
  for (const shard of [0, 1])
    if (system.sql(shard, "SELECT to_regclass('manta') IS NOT NULL") === 't') system.sql(shard, COUNTING);
  for (let user = 0; user < 4; ++user) {
    for (const name of ['stor', 'public', 'jobs']) await put(`${USER(user)}/${name}`);
    for (let d = 0; d < 15; ++d) {
      await put(`${USER(user)}/stor/d${d}`);
      for (let f = 0; f <= d % 5; ++f) await put(`${USER(user)}/stor/d${d}/f${f}`);
    }
  }
}

/** Objects come and go, each writer's in directories that the others have, too. */
function write() {
  stopped = false;
  writers = [0, 1, 2].map(async (w) => {
    for (let i = 0; !stopped; ++i) {
      const key = `${USER(i % 4)}/stor/d${(i * 7) % 20}/w${w}_${i % 3}`;
      await (there.has(key) ? drop(key) : put(key));
      ++changes;
    }
  });
}
/** Until the writers have done some more. */
async function written(enough = changes + 60) { await system.quiet(() => changes >= enough); }
async function quiet() {
  stopped = true;
  await Promise.all(writers || []);
}
afterEach(async () => {
  await quiet();
  await system.stop();
});

/** Each shard's counts are its rows', and every directory that lies in one vnode is read right. */
async function check() {
  for (const shard of [0, 1]) {
    if (system.sql(shard, "SELECT to_regclass('manta') IS NOT NULL") !== 't') continue;
    const wrong = system.sql(shard, `SELECT coalesce(json_agg(json_build_array(dirname, n, entries)), '[]') FROM
      (SELECT dirname, count(*) n FROM manta GROUP BY 1) r FULL JOIN manta_directory_counts c ON c._key = r.dirname WHERE n IS DISTINCT FROM entries`);
    assert.deepStrictEqual(JSON.parse(wrong), [], `shard ${shard}`);
  }
  const expected = new Map();
  for (const key of there) expected.set(directoryOf(key), (expected.get(directoryOf(key)) || 0) + 1);
  for (const [directory, entries] of expected) {
    if (!directory.includes('/stor')) continue;  // a user's own directory has rows in several vnodes
    const row = await call(client, 'getObject', 'manta_directory_counts', directory);
    assert.strictEqual(row.value.entries, entries, directory);
  }
}

test('counts move with rows to an empty shard, with the triggers that keep them, and back again', async () => {
  await begin();
  await check();
  write();
  const plan = await system.plan('--half');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak');
  await written();
  await quiet();
  assert.strictEqual(system.sql(1, "SELECT count(*) FROM pg_trigger WHERE tgname = 'count_directories'"), '1');
  assert.strictEqual(system.sql(1, "SELECT to_regclass('manta_delete_log') IS NOT NULL"), 't');
  assert.ok(Number(system.sql(1, 'SELECT count(*) FROM manta_directory_counts')) > 5);
  await check();
  write();
  await written();
  const back = await system.reshardTo(0, 'rollback', plan);
  assert.doesNotMatch(back.err, /ALARM/);
  await running.done;
  await quiet();
  await check();
  assert.strictEqual(system.sql(1, 'SELECT count(*) FROM manta_directory_counts'), '0');
});

test('counts of a shard that has rows of the same directories; and what is planted in them is found', async () => {
  await begin({owners: 2});
  write();
  const plan = await system.plan('--half', '--soak', '0');
  await system.reshard('run', plan, '--crash-before', 'verify').done;
  const directory = system.sql(1, "SELECT c._key FROM manta_directory_counts c JOIN moray_router.reshard_vnode v ON v.vnode = c._vnode ORDER BY 1 LIMIT 1");
  system.sql(1, `UPDATE manta_directory_counts SET entries = entries + 100 WHERE _key = '${directory}'`);
  const end = await system.reshardTo(0, 'run', plan);
  assert.match(end.err, new RegExp(`ALARM: bucket manta_directory_counts, key ${directory}: it says 10\\d, and the target has \\d+ rows there; they are counted anew`));
  await written();
  await quiet();
  await check();
});

test('what an abort takes away is not counted, and a target without the triggers is refused', async () => {
  await begin({owners: 2});
  write();
  const plan = await system.plan('--half', '--settle', '600000');
  const running = system.reshard('run', plan);
  await system.until(plan, 'pump');
  await system.reshardTo(7, 'abort', plan, '--take-over');
  await running.done;
  await quiet();
  await check();
  system.sql(1, 'DROP TRIGGER count_directories ON manta');
  assert.match((await system.reshard('plan', '--config', system.config, ...system.defaults([]), '--half').done).out,
    /bucket manta: trigger count_directories is missing at the target/);
});
