'use strict';
// What is around the tables of a move: poolers, settings, transactions that don't end, PostgreSQL's own programs.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {BUCKET, Ledger} = require('./reshard_ledger');
const {startBouncer} = require('./pgbouncer');
const {PostgresCluster} = require('./postgres_cluster');
const {System, PNODES} = require('./reshard_system');

let clusters, system, ledger, client;
before(async () => {
  clusters = await PostgresCluster.several(2);
  for (const cluster of clusters) {
    cluster.query(cluster.url('postgres'), 'ALTER SYSTEM SET max_prepared_transactions = 5');
    cluster.restart();
  }
});
after(() => clusters.forEach((cluster) => cluster.stop()));
afterEach(async () => {
  await ledger.stop();
  await system.stop();
});

async function begin(options = {}) {
  system = new System({clusters, vnodes: 32});
  if (options.prepare) system.prepare = () => options.prepare(system);
  await system.start();
  ledger = new Ledger(16, 10, 3);
  client = await system.connect();
  await ledger.create(client);
  await ledger.run(client, 2, 4);
  await ledger.goesOn(40);
}
async function moved(plan) {
  await system.reshardTo(0, 'run', plan);
  await ledger.goesOn(20);
  await ledger.stop();
  await ledger.check(system, client);
}
/** The configuration with other URLs. */
function configWith(urls) {
  const config = JSON.parse(fs.readFileSync(system.config, 'utf8')), file = path.join(system.directory, 'urls.json');
  config.shards.forEach((shard, i) => { shard.url = urls[i]; });
  fs.writeFileSync(file, JSON.stringify(config));
  return file;
}
const planWith = (config, ...words) => system.ended(system.reshard('plan', '--config', config, '--from', PNODES[0], '--to', PNODES[1], '--vnodes', '0-15', '--settle', '100', '--cache', '0',
  '--max-block', '4000', '--soak', '0', ...words));

/** PgBouncer before the first cluster; `end()` ends it. */
const bouncer = (mode) => startBouncer(clusters[0], system.databases[0], {mode, ignored: 'extra_float_digits,options'});

test('a pooler in transaction mode is refused by name; one in session mode is not in the way', async () => {
  await begin();
  for (const [mode, code] of [['transaction', 1], ['session', 0]]) {
    const {url, end} = await bouncer(mode);
    try {
      const config = configWith([url, system.databases[1]]);
      const made = await planWith(config);
      assert.strictEqual(made.code, code, made.out + made.err);
      if (code === 1) assert.match(made.out, /source .*a pooler in transaction mode is between[\s\S]*name the server itself/);
      else await moved(/plan (\d+) is in/.exec(made.err)[1]);
    } finally {
      await end();
    }
  }
});

test('differences of settings and locales, and transactions that are prepared, are told with their consequence', async () => {
  await begin({prepare: ({database}) => clusters[1].query(clusters[1].url('postgres'), `ALTER DATABASE ${database} SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE ${database} SET statement_timeout = '700ms'`)});
  system.sql(0, `BEGIN; UPDATE ${BUCKET} SET _txn_snap = 1 WHERE _key = (SELECT min(_key) FROM ${BUCKET}); PREPARE TRANSACTION 'of the site'`);
  const plan = await system.reshardTo(0, 'plan', '--config', system.config, ...system.defaults(['--vnodes']), '--vnodes', '0-15', '--soak', '0', '--gate', 'copy');
  assert.match(plan.out, /setting TimeZone is \S+ at the source and Asia\/Kathmandu at the target: times that triggers/);
  assert.match(plan.out, /setting statement_timeout is 0 at the source and 700 at the target/);
  assert.match(plan.out, /transaction of the site of moray is prepared since .*waited for/);
  // Whoever holds the barrier is named.
  const number = /plan (\d+) is in/.exec(plan.err)[1], running = system.reshard('run', number);
  await system.waits(number, /prepared transaction of the site of user moray/, running).catch((error) => { throw new Error(error.message + running.err); });
  system.sql(0, "ROLLBACK PREPARED 'of the site'");
  await system.waits(number, /gate copy/, running);
  await system.killed(running);
  await system.reshardTo(7, 'abort', number);
});

test('a server that compiles what it takes to be expensive compiles nothing of a write, nor of a plan', async () => {
  const explained = {session_preload_libraries: 'auto_explain', 'auto_explain.log_min_duration': 0, 'auto_explain.log_nested_statements': 'on', jit_above_cost: 1000000};
  await begin({prepare: () => [0, 1].forEach((shard) => Object.entries(explained).forEach(([name, value]) => system.sql(shard, `ALTER DATABASE ${system.database} SET ${name} = '${value}'`)))});
  await moved(await system.plan('--vnodes', '0-15', '--soak', '0'));
  for (const cluster of clusters) {
    const log = fs.readFileSync(path.join(cluster.directory, 'log'), 'utf8');
    assert.match(log, /reshard_judge/);
    const at = log.indexOf('JIT:');
    assert.strictEqual(at, -1, log.slice(Math.max(0, at - 3000), at + 300));
  }
});

test('a table on which some transaction is always open gets its triggers all the same', async () => {
  await begin();
  let ends = false;
  const writers = [0, 1, 2].map(async (which) => {  // each begins before the one before it ends
    await new Promise((resolve) => setTimeout(resolve, 100 * which));
    while (!ends) {
      const open = await system.transaction(0, `INSERT INTO ${BUCKET} (_key, _value, _etag) VALUES ('/w/${which}', '{}', 'ABCDEF01') ON CONFLICT (_key) DO UPDATE SET _mtime = 1`).catch(() => null);
      await new Promise((resolve) => setTimeout(resolve, 250));
      if (open) await open.end('ROLLBACK');
    }
  });
  const plan = await system.plan('--vnodes', '0-15', '--soak', '0', '--gate', 'copy'), running = system.reshard('run', plan);
  await system.waits(plan, /gate copy/, running);
  ends = true;
  await Promise.all(writers);
  await system.killed(running);
  await system.reshardTo(7, 'abort', plan);
});

test('a column that comes at one side in the soak: no way back until the other has it, and its values', async () => {
  await begin();
  const plan = await system.plan('--vnodes', '0-15', '--soak', '600'), running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  system.sql(1, `ALTER TABLE ${BUCKET} ADD COLUMN late int; UPDATE ${BUCKET} SET late = n`);
  await system.quiet(async () => /column late is missing at the (source|target)/.test((await system.status(plan)).irreversible || ''));
  system.sql(0, `ALTER TABLE ${BUCKET} ADD COLUMN late int`);
  await ledger.stop();
  await system.reshardTo(0, 'retry', plan);
  await system.quiet(async () => (await system.status(plan)).irreversible === null).catch(() => assert.fail(running.err));
  const late = (shard) => system.sql(shard, `SELECT count(*) FROM ${BUCKET} WHERE _vnode < 16 AND late IS NOT NULL`);
  await system.quiet(() => late(0) === late(1) && late(0) !== '0');
  await system.reshardTo(0, 'rollback', plan);
  await system.ended(running);
  await ledger.check(system, client);
});

test('pg_dump: none, or one that is too old, is an obstacle; a password is in no argument', async () => {
  await begin();
  const bin = path.join(system.directory, 'bin');
  const none = await planWith(system.config, '--pg-bin', bin);
  assert.match(none.out, /there is no pg_dump in .*bin[\s\S]*--pg-bin/);
  fs.mkdirSync(bin);
  const script = (name, text) => fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`, {mode: 0o755});
  script('pg_restore', `exec ${clusters[0].bin}/pg_restore "$@"`);
  script('pg_dump', 'echo "pg_dump (PostgreSQL) 9.6.24"');
  assert.match((await planWith(system.config, '--pg-bin', bin)).out, /pg_dump in .*bin is of version 9, older than the source's server, 15/);
  script('pg_dump', `[ "$1" = --version ] || { echo "$@" > ${bin}/arguments; cp "$PGPASSFILE" ${bin}/password; stat -c %a "$PGPASSFILE" >> ${bin}/password; }\nexec ${clusters[0].bin}/pg_dump "$@"`);
  const config = configWith([system.databases[0].replace('moray@', `moray:${encodeURIComponent("it's:\\secret")}@`), system.databases[1]]);
  const made = await planWith(config, '--pg-bin', bin);
  assert.strictEqual(made.code, 0, made.out + made.err);
  const plan = /plan (\d+) is in/.exec(made.err)[1];
  await moved(plan);
  assert.strictEqual(fs.readFileSync(path.join(bin, 'password'), 'utf8'), "*:*:*:*:it's\\:\\\\secret\n600\n");
  assert.doesNotMatch(fs.readFileSync(path.join(bin, 'arguments'), 'utf8'), /secret/);
  assert.deepStrictEqual(fs.readdirSync(path.join(system.state, plan)).filter((file) => file.startsWith('definitions')), ['definitions.dump']);
});
