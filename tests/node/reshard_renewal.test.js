'use strict';
// Somebody changes a table in mid-plan: where the target's is the plan's own work, it becomes what the source's is.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {BUCKET, Ledger} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {System} = require('./reshard_system');

let clusters, system, ledger, client;
before(async () => { clusters = await PostgresCluster.several(2); });
after(() => clusters.forEach((cluster) => cluster.stop()));
afterEach(async () => {
  await ledger.stop();
  await system.stop();
});

async function begin({constraint} = {}) {
  system = new System({clusters, vnodes: 32});
  await system.start();
  ledger = new Ledger(17, 10, 3);
  client = await system.connect();
  await ledger.create(client);
  if (constraint) system.sql(0, `ALTER TABLE ${BUCKET} ADD CONSTRAINT ${constraint}`);
  await ledger.run(client, 2, 4);
  await ledger.goesOn(40);
}
/** As pg_dump has the bucket's table and what belongs to it, a statement each. */
function definition(shard) {
  const text = execFileSync(path.join(clusters[shard].bin, 'pg_dump'), ['--schema-only', '--no-owner', '-t', `${BUCKET}*`, '-d', system.databases[shard]], {encoding: 'utf8'});
  return text.replace(/^(--.*|SET .*|SELECT pg_catalog.*|\\(un)?restrict [A-Za-z0-9]+)$/gm, '').split(/;\n/).map((each) => each.trim().replace(/\s+/g, ' '))
    .filter((each) => each !== '' && !each.includes('zzzz_moray_router')).sort();
}
/** Ids may be new at the source by what is written in the soak. */
const rowsOf = (shard) => system.sql(shard, `SELECT to_jsonb(t) - '_id' FROM (SELECT * FROM ${BUCKET} WHERE _vnode < 16 ORDER BY _key) t`);

/** To its soak, with the same table on both sides there; then to its end, and that of another plan. */
async function movedAlike(plan, running, other = null) {
  await system.until(plan, 'soak', running);
  await ledger.goesOn(20);
  await ledger.stop();
  assert.deepStrictEqual(definition(1), definition(0));
  await system.quiet(() => rowsOf(0) === rowsOf(1));
  await system.reshardTo(0, 'finalize', plan, '--wait', '30');
  assert.strictEqual((await system.ended(running)).code, 0);
  if (other) assert.strictEqual((await system.ended(other)).code, 0, other.err);
  await ledger.check(system, client);
}
const oid = (shard) => system.sql(shard, `SELECT '${BUCKET}'::regclass::oid`);

// None of which reaches a trigger.
const COLUMNS = `ALTER TABLE ${BUCKET} ADD COLUMN late int DEFAULT 7; ALTER TABLE ${BUCKET} ADD COLUMN place serial;
  ALTER TABLE ${BUCKET} ALTER n TYPE bigint; ALTER TABLE ${BUCKET} DROP COLUMN place, ADD COLUMN placed serial`;
const BESIDE = `CREATE INDEX late_index ON ${BUCKET} (_etag, n); CREATE UNIQUE INDEX late_unique ON ${BUCKET} (_key, n); ALTER TABLE ${BUCKET} ADD CONSTRAINT late CHECK (_key <> 'late');
  COMMENT ON TABLE ${BUCKET} IS 'late'; COMMENT ON COLUMN ${BUCKET}.n IS 'late, too'; GRANT SELECT ON ${BUCKET} TO PUBLIC; ALTER TABLE ${BUCKET} SET (fillfactor = 71, autovacuum_enabled = off);
  ALTER TABLE ${BUCKET} ALTER _value SET STORAGE EXTERNAL`;

for (const act of ['copy', 'verify', 'commit'])
  test(`columns that are changed before ${act}: the target's table is made anew, and copied again`, async () => {
    await begin();
    const plan = await system.plan('--vnodes', '0-15', '--soak', '600'), running = await system.standing(plan, act), before = oid(1);
    system.sql(0, COLUMNS);
    system.goOn(running);
    await movedAlike(plan, running);
    assert.notStrictEqual(oid(1), before);
    assert.match(running.err, /made anew, and copied again/);
    assert.notStrictEqual(system.sql(1, `SELECT count(*) FROM ${BUCKET} WHERE late = 7 AND placed > 0`), '0');
  });

test('what stands beside the columns is made at the table that is there', async () => {
  await begin();
  const plan = await system.plan('--vnodes', '0-15', '--soak', '600'), running = await system.standing(plan, 'verify'), before = oid(1);
  system.sql(0, BESIDE);
  system.goOn(running);
  await movedAlike(plan, running);
  assert.strictEqual(oid(1), before);
  assert.doesNotMatch(running.err, /stays so/);
});

test('a constraint that has become another leads to a new table; a coordinator that is killed in the middle, to no less', async () => {
  await begin({constraint: "bound CHECK (n < 1000000)"});
  const plan = await system.plan('--vnodes', '0-15', '--soak', '600');
  let running = await system.standing(plan, 'verify');
  system.sql(0, `ALTER TABLE ${BUCKET} DROP CONSTRAINT bound; ALTER TABLE ${BUCKET} ADD CONSTRAINT bound CHECK (n < 2000000)`);
  system.goOn(running);
  await system.quiet(() => /made anew/.test(running.err));
  await system.killed(running);
  running = system.reshard('run', plan);
  await movedAlike(plan, running);
});

test('a table that has rows of others is not made anew: the plan stops by name, and goes on when a person has done it', async () => {
  await begin();
  const plan = await system.plan('--vnodes', '0-15', '--soak', '600');
  let running = await system.standing(plan, 'verify');
  system.sql(0, `ALTER TABLE ${BUCKET} ADD COLUMN late int; UPDATE ${BUCKET} SET late = n`);
  system.sql(1, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, _vnode) VALUES ('of another', '{}', 'e', 1, 20)`);
  const before = oid(1);
  system.goOn(running);
  assert.strictEqual((await system.ended(running)).code, 5);
  assert.match(running.err, /has rows that are not this plan's. Make the same change at the target, then retry/);
  assert.strictEqual(oid(1), before);
  await ledger.goesOn(20);
  system.sql(1, `DELETE FROM ${BUCKET} WHERE _key = 'of another'; ALTER TABLE ${BUCKET} ADD COLUMN late int`);
  running = system.reshard('retry', plan);
  await movedAlike(plan, running);
  assert.strictEqual(oid(1), before);
  assert.doesNotMatch(running.err, /copy manta/);  // what was copied counts
});

test('two plans onto an empty shard: one makes the tables, also where it dies before that, and the other waits for it', async () => {
  await begin();
  const bin = path.join(system.directory, 'bin'), go = path.join(bin, 'go');
  fs.mkdirSync(bin);
  for (const name of ['pg_dump', 'pg_restore'])
    fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n[ "$1" = --version ] || [ ${name} = pg_restore ] || while [ ! -e ${go} ]; do echo > ${bin}/begun; sleep 0.1; done\nexec ${clusters[0].bin}/${name} "$@"\n`, {mode: 0o755});
  const one = await system.plan('--vnodes', '0-15', '--soak', '600', '--pg-bin', bin), other = await system.plan('--vnodes', '16-23', '--soak', '0');
  const first = system.reshard('run', one);
  await system.quiet(() => fs.existsSync(path.join(bin, 'begun')));
  const second = system.reshard('run', other);
  await system.waits(other, new RegExp(`plan ${one}, whose rows keep their ids`), second);
  assert.strictEqual(system.has(1, BUCKET), false);
  first.child.kill('SIGKILL');
  fs.writeFileSync(go, '');  // its pg_dump outlives it
  await first.done;
  await movedAlike(one, system.reshard('run', one), second);
});
