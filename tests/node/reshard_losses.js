'use strict';
// A plan under load in databases that were filled once, and what must be there after whatever has died.
const assert = require('node:assert');
const {execFileSync} = require('child_process');

const {Ledger, BUCKET} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {System, pause} = require('./reshard_system');

const sanitized = Boolean(process.env.MORAY_ROUTER_SANITIZED);
/** `./test.sh --all`: everything that has a shorter form in CI. */
const long = Boolean(process.env.MORAY_ROUTER_LONG);
const ROWS = Number(process.env.MORAY_ROUTER_ROWS || (sanitized ? 2000 : 20000));

let clusters, filled;
/** Before the first test of a file. */
async function prepare() {
  clusters = [await new PostgresCluster().start(), await new PostgresCluster().start()];
  const system = await new System({clusters}).start();
  await begin(system, new Ledger(0));
  await system.stop({keep: true});
  filled = system.database;
}
/** After the last one. */
const end = () => clusters.forEach((cluster) => cluster.stop());
/** The servers that tests share: of source and target. */
const servers = () => clusters;

/** Rows beside those of the ledger, which must all be there in the end. */
function fill(system, rows) {
  system.sql(0, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, _vnode, n)
    SELECT '/fill/stor/e' || (i / 20) || '/f' || i, '{"n":' || i || '}', 'ABCDEF01', 7, NULL, i FROM generate_series(1, ${rows}) i`);
}
async function giveVnodes(system) {
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'backfill-vnodes', '--config', system.config, '--pnode', 'tcp://1.moray.example.com:2020',
    '--rows-per-second', '0'], {stdio: 'ignore'});
}
const sums = (system) => [0, 1].map((shard) => JSON.parse(system.sql(shard,
  `SELECT json_build_array(count(*), coalesce(sum(n), 0)) FROM ${BUCKET} WHERE _key LIKE '/fill/%'`)));

/** A bucket, and rows in it. */
async function begin(system, ledger) {
  await ledger.create(await system.connect());
  fill(system, ROWS);
  await giveVnodes(system);
}

/** Goes on with a plan until it is over, whatever kills its coordinator. */
async function toItsEnd(system, plan) {
  for (let i = 0; i < 20; ++i) {
    const end = await system.reshard('run', plan).done;
    if (end.code === 0 || end.code === 7) return;
    if (end.code === 5 || end.code === 8) await pause(100);
    else assert.strictEqual(end.signal, null, end.err);
    if (/is finished/.test(end.err)) return;
  }
  assert.fail(`plan ${plan} does not end: ` + JSON.stringify(await system.status(plan)));
}

/** A plan under load, and whatever `fault` does meanwhile. */
async function run(seed, fault, {share = '0-19', options = {}, more = []} = {}) {
  const system = await new System({clusters, template: options.clusters ? undefined : filled, ...options}).start();
  const ledger = new Ledger(seed);
  try {
    if (options.clusters) await begin(system, ledger);
    const client = await system.connect();
    await ledger.run(client, 4, 2);  // with pauses: what dies is found out while others have the processors, too
    const plan = await system.plan('--vnodes', share, '--soak', '0', ...more);
    await fault(system, plan, ledger);
    await toItsEnd(system, plan);
    await ledger.goesOn();
    await ledger.stop();
    await ledger.check(system, client);
    const [here, there] = sums(system);
    assert.strictEqual(here[0] + there[0], ROWS, 'rows beside the ledger');
    assert.strictEqual(Number(here[1]) + Number(there[1]), ROWS * (ROWS + 1) / 2);
    return ledger;
  } finally {
    await ledger.stop();
    await system.stop();
  }
}

module.exports = {prepare, end, run, servers, sanitized, long};
