'use strict';
// Whatever stands in a plan's way stops it before anything is changed, and says what to do.
const assert = require('node:assert');
const {after, afterEach, before, beforeEach, test} = require('node:test');
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {BUCKET, SCHEMA, call} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {System, PNODES} = require('./reshard_system');

let clusters, system, client;
before(async () => { clusters = [await new PostgresCluster().start(), await new PostgresCluster().start()]; });
after(() => clusters.forEach((cluster) => cluster.stop()));
beforeEach(async () => {
  system = await new System({clusters}).start();
  client = await system.connect();
  await call(client, 'createBucket', BUCKET, SCHEMA);
  for (let i = 0; i < 40; ++i) await call(client, 'putObject', BUCKET, `/a/d${i}/f`, {n: i, u: `u${i}`});
});
afterEach(async () => { await system.stop(); });

/** What a plan is refused with. Neither database knows of it. */
async function refused(expected, ...words) {
  const chosen = words.some((word) => ['--half', '--vnodes', '--rows', '--bytes'].includes(word)) ? [] : ['--vnodes', '0-31'];
  const end = await system.reshard('plan', '--config', system.config, '--from', PNODES[0], '--to', PNODES[1], ...chosen, ...words).done;
  assert.strictEqual(end.code, 1, end.out + end.err);
  assert.match(end.out + end.err, expected);
  assert.ok(!fs.existsSync(system.state) || fs.readdirSync(system.state).length === 0);
  for (const shard of [0, 1]) assert.strictEqual(system.sql(shard, "SELECT count(*) FROM pg_namespace WHERE nspname = 'moray_router'"), '0');
  return end;
}
const table = (shard) => system.sql(shard, `CREATE TABLE buckets_config (name text PRIMARY KEY, index text NOT NULL, pre text NOT NULL, post text NOT NULL, options text,
  mtime timestamp DEFAULT now() NOT NULL);
  INSERT INTO buckets_config VALUES ('${BUCKET}', '{"u":{"type":"string","unique":true},"n":{"type":"number"}}', '[]', '[]', '{"version":1}');
  CREATE SEQUENCE manta_serial; CREATE TABLE manta (_id bigint DEFAULT nextval('manta_serial'), _txn_snap integer, _key text PRIMARY KEY, _value text NOT NULL,
  _etag character(8) NOT NULL, _mtime bigint, _vnode bigint, u text UNIQUE, n numeric)`);

test('a plan without obstacles is shown, and with --dry-run nothing is written', async () => {
  const end = await system.reshardTo(0, 'plan', '--config', system.config, '--from', PNODES[0], '--to', PNODES[1], '--half', '--dry-run', '--json');
  const card = JSON.parse(end.out);
  assert.deepStrictEqual(card.obstacles, []);
  assert.strictEqual(card.target, 'empty: rows keep their ids');
  assert.ok(card.vnodes > 5 && card.vnodes < 60, String(card.vnodes));
  assert.ok(!fs.existsSync(system.state));
});

test('what is asked for must make sense', async () => {
  await refused(/say which vnodes move in one way/, '--half', '--rows', '5');
  await refused(/vnodes that the source does not own: 64-70/, '--vnodes', '60-70');
  await refused(/"x" is/, '--vnodes', 'x');
  await refused(/PHASE=COMMAND/, '--hook', 'never=true');
  const same = await system.reshard('plan', '--config', system.config, '--from', PNODES[0], '--to', PNODES[0], '--half').done;
  assert.match(same.err, /source and target are the same shard/);
  const unknown = await system.reshard('plan', '--config', system.config, '--from', 'tcp://9', '--to', PNODES[1], '--half').done;
  assert.match(unknown.err, /no shard for pnode "tcp:\/\/9"/);
});

test('databases: reachable, by a role that may', async () => {
  const url = new URL(system.databases[0]);
  url.username = 'small';
  clusters[0].query(clusters[0].url('postgres'), 'DROP ROLE IF EXISTS small; CREATE ROLE small LOGIN');
  await refused(/apply connection: .*permission denied to set parameter[\s\S]*GRANT SET ON PARAMETER/, '--apply-from', url.href);
  await refused(/apply connection: .*refused[\s\S]*must be reachable/, '--apply-to', 'postgresql://moray@127.0.0.1:1/x');
  const config = JSON.parse(fs.readFileSync(system.config, 'utf8'));
  config.shards[0].url = url.href;
  const file = path.join(system.directory, 'other.json');
  fs.writeFileSync(file, JSON.stringify(config));
  clusters[0].query(system.databases[0], 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO small');
  const end = await system.reshard('plan', '--config', file, '--from', PNODES[0], '--to', PNODES[1], '--vnodes', '0', '--apply-from', system.databases[0]).done;
  assert.match(end.out, /small may not make schemas[\s\S]*GRANT CREATE ON DATABASE/);
  clusters[0].query(system.databases[0], `GRANT CREATE ON DATABASE ${url.pathname.slice(1)} TO small`);
  const owned = await system.reshard('plan', '--config', file, '--from', PNODES[0], '--to', PNODES[1], '--vnodes', '0', '--apply-from', system.databases[0]).done;
  assert.match(owned.out, /table "?manta"? belongs to moray, and the owner's connection is small's/);
});

test('tables and buckets must be alike', async () => {
  table(1);
  system.sql(1, 'ALTER TABLE manta DROP COLUMN n');
  await refused(/bucket manta: column n is missing at the target[\s\S]*make the two tables alike/);
  system.sql(1, 'ALTER TABLE manta ADD COLUMN n text');
  await refused(/bucket manta: column n is numeric at the source and text at the target/);
  system.sql(1, 'ALTER TABLE manta DROP COLUMN n; ALTER TABLE manta ADD COLUMN n numeric');
  system.sql(1, `UPDATE buckets_config SET options = '{"version":2}'`);
  await refused(/bucket manta is configured differently at the two shards/);
});

test('rows: their vnodes right, none of them at the target, nothing derived or being reindexed', async () => {
  system.sql(0, `UPDATE ${BUCKET} SET _vnode = (_vnode + 1) % 64 WHERE _key = '/a/d3/f'`);
  await refused(/bucket manta: 1 rows of the source say another vnode than their keys have \(\/a\/d3\/f\)[\s\S]*correct _vnode/);
  system.sql(0, `UPDATE ${BUCKET} SET _vnode = (_vnode + 63) % 64 WHERE _key = '/a/d3/f'`);
  table(1);
  system.sql(1, `INSERT INTO manta (_key, _value, _etag, _vnode) VALUES ('/x/y', '{}', 'ABCDEF01', 3)`);
  await refused(/the target has 1 rows of these vnodes already[\s\S]*the target owns no vnode, and has rows/);
  system.sql(1, 'DELETE FROM manta');
  system.sql(0, `ALTER TABLE buckets_config ADD COLUMN IF NOT EXISTS reindex_active text; UPDATE buckets_config SET reindex_active = '{"2":["n"]}'`);
  await refused(/bucket manta is being reindexed[\s\S]*run reindexObjects/);
  system.sql(0, 'UPDATE buckets_config SET reindex_active = NULL');
  await call(client, 'createBucket', 'manta_directory_counts', {index: {}});
  await call(client, 'putObject', 'manta_directory_counts', '/a', {});
  await refused(/manta_directory_counts has no column entries/);
});

test('routers: there, on the ring that the plan begins from, with a store', async () => {
  const gone = path.join(system.directory, 'gone.sock');
  await refused(/gone\.sock: No such file[\s\S]*all routers of the ring must answer/, '--router', gone);
  await system.result('set-data', '--vnodes', '3', '"ro"').catch(() => system.result('set-data', '--vnodes', '3', '--data', '"ro"'));
  // Which ring the plan begins from is bound right before its cutover; but all routers must be on one.
  const {RouterProcess} = require('./router_process');
  const store = path.join(system.directory, 'second');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'store', '-l', store, path.join(system.directory, 'ring')], {stdio: 'ignore'});
  const second = await new RouterProcess(system.routerConfig({ring: {location: store}})).start();
  try {
    const sockets = [system.socketOf(0), path.join(second.directory, 'admin.sock')];
    await refused(/is on the ring [0-9a-f]{64}, router .*admin\.sock on [0-9a-f]{64}[\s\S]*reload the routers/, ...sockets.flatMap((socket) => ['--router', socket]));
  } finally {
    await second.stop();
  }
});

test('plans: one for a vnode, and none that is over', async () => {
  const plan = await system.plan('--vnodes', '0-31', '--soak', '600');
  await system.reshard('run', plan, '--crash-before', 'copy').done;
  const again = await system.reshard('plan', '--config', system.config, '--from', PNODES[0], '--to', PNODES[1], '--vnodes', '31-40').done;
  assert.strictEqual(again.code, 1);
  assert.match(again.out, /plan 1 at the source is not over, and has 1 of these vnodes[\s\S]*finish it, abort it or roll it back first/);
  assert.match((await system.reshardTo(1, 'rollback', plan)).err, /plan 1 is not cut over: `reshard abort 1` ends it/);
  assert.match((await system.reshardTo(1, 'forget', plan)).err, /plan 1 is not over/);
  await system.reshardTo(7, 'abort', plan);
  assert.match((await system.reshardTo(1, 'retry', plan)).err, /was aborted: plan again/);
  assert.match((await system.reshardTo(1, 'status', '77')).err, /77\/plan\.json: can't be read/);
});
