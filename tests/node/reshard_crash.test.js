'use strict';
// Plans whose coordinator, router or databases die: whatever was acknowledged is there, once.
const assert = require('node:assert');
const {after, before, test} = require('node:test');

const {Ledger, BUCKET, random} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {System, pause} = require('./reshard_system');

const ACTS = ['take_over', 'make_schema', 'arm', 'wait_armed', 'copy', 'pump', 'verify', 'prepare', 'block', 'fence', 'wait_fenced', 'pump_last',
  'advance_sequence', 'wait_flushed', 'compare_servers', 'commit', 'wait_commit_flushed', 'activate', 'commit_target', 'unblock', 'soak', 'finalize',
  'begin_cleanup', 'clean', 'end_cleanup'];
const CUTOVER = ACTS.slice(ACTS.indexOf('prepare'), ACTS.indexOf('unblock') + 1);
const sanitized = Boolean(process.env.MORAY_ROUTER_SANITIZED);
const RUNS = Number(process.env.MORAY_ROUTER_RUNS || (sanitized ? 4 : 20));
const SEED = Number(process.env.MORAY_ROUTER_SEED || 1);
const ROWS = Number(process.env.MORAY_ROUTER_ROWS || (sanitized ? 2000 : 20000));

let clusters, filled;
before(async () => {
  clusters = [await new PostgresCluster().start(), await new PostgresCluster().start()];
  const system = await new System({clusters}).start();
  await begin(system, new Ledger(0));
  await system.stop({keep: true});
  filled = system.database;
});
after(() => clusters.forEach((cluster) => cluster.stop()));

/** Rows beside those of the ledger, which must all be there in the end. */
function fill(system, rows) {
  system.sql(0, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, _vnode, n)
    SELECT '/fill/stor/e' || (i / 20) || '/f' || i, '{"n":' || i || '}', 'ABCDEF01', 7, NULL, i FROM generate_series(1, ${rows}) i`);
}
async function giveVnodes(system) {
  const {execFileSync} = require('child_process');
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
async function run(seed, fault, {share = '0-19', rollback = false, options = {}, more = []} = {}) {
  const system = await new System({clusters, template: options.clusters ? undefined : filled, ...options}).start();
  const ledger = new Ledger(seed);
  try {
    if (options.clusters) await begin(system, ledger);
    const client = await system.connect();
    await ledger.run(client);
    const plan = await system.plan('--vnodes', share, '--soak', rollback ? '600' : '0', ...more);
    await fault(system, plan, ledger);
    if (!rollback) await toItsEnd(system, plan);
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

/** What dies while the plan stands still at an act, beside its coordinator. */
const DEATHS = {
  coordinator: async () => {},
  router: async (system) => system.crashRouter(),
  source: async (system) => system.clusters[0].restart(),
  target: async (system) => system.clusters[1].restart(),
};

for (let i = 0; i < RUNS; ++i) {
  const seed = SEED + i;
  const any = random(seed * 7919);
  // The first runs go through the cutover's acts, one each; those behind are drawn.
  const act = i < CUTOVER.length ? CUTOVER[i] : ACTS[any(ACTS.length)];
  const where = any(2) === 0 ? '--crash-behind' : '--crash-before';
  const death = Object.keys(DEATHS)[any(4)];
  const second = ACTS[any(ACTS.length)];
  const share = any(3) === 0 ? '0-2' : '0-19';
  test(`seed ${seed}: the coordinator dies ${where.slice(8)} ${act}, with it the ${death}, and again before ${second}`, async () => {
    const ledger = await run(seed, async (system, plan) => {
      await system.reshard('run', plan, where, act).done;
      await DEATHS[death](system);
      await system.reshard('run', plan, '--crash-before', second).done;
    }, {share});
    if (death === 'coordinator') assert.strictEqual(ledger.unknown, 0, ledger.lastUnknown);
  });
}

test('the router goes on by itself where nothing is fenced, and the plan afterwards', async () => {
  await run(101, async (system, plan, ledger) => {
    await system.reshard('run', plan, '--crash-behind', 'block').done;
    await system.quiet(() => system.result('status').then(({gate}) => gate.hold === '' && gate.refuse === ''));
    const before = ledger.acknowledged;
    await system.quiet(() => ledger.acknowledged > before);
  }, {options: {}, more: ['--max-block', '200', '--lease', '800']});
});

test('a router takes a decided ring by itself, after a restart too', async () => {
  for (const restarted of [false, true])
    await run(102, async (system, plan) => {
      await system.reshard('run', plan, '--crash-behind', 'wait_commit_flushed').done;
      assert.strictEqual((await system.result('status')).ring.generation, 1);
      if (restarted) await system.crashRouter();
      await system.quiet(() => system.result('status').then(({ring}) => ring.generation === 2));
    }, {more: ['--max-block', '200', '--lease', '800']});
});

/** A source or target whose synchronous standby takes over when it is told to. */
async function overStandby(seed, side, fault) {
  const primary = await new PostgresCluster().start();
  const standby = await new PostgresCluster().follow(primary);
  const hosts = `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`;
  const pair = {
    makeDatabase: (name) => primary.makeDatabase(name).replace(`127.0.0.1:${primary.port}`, hosts) + '?target_session_attrs=read-write',
    query: (database, statement) => primary.query(database, statement),  // psql of any
  };
  const failOver = () => {
    primary.kill();
    standby.promote();
  };
  try {
    await run(seed, (system, plan) => fault(system, plan, failOver), {options: {clusters: side === 'source' ? [pair, clusters[1]] : [clusters[0], pair]}});
  } finally {
    standby.stop();
    require('fs').rmSync(primary.directory, {recursive: true, force: true});
  }
}

// What a failover takes away is noticed by the server's identity, and brought again.
for (const act of sanitized ? ['commit'] : ['verify', 'commit', 'soak']) {
  test(`the source fails over to a synchronous standby behind ${act}`, async () => {
    await overStandby(200, 'source', async (system, plan, failOver) => {
      await system.reshard('run', plan, '--crash-behind', act).done;
      failOver();
      const end = await system.reshard('run', plan, '--crash-before', 'finalize').done;
      if (act === 'verify') assert.match(end.err, /a server is not the one that was copied: everything is verified again/);
    });
  });
}

const FAILOVERS = {source: ['arm', 'copy', 'pump', 'pump_last', 'commit', 'activate', 'clean'], target: ['copy', 'pump_last', 'commit_target', 'soak']};
for (const [side, acts] of Object.entries(FAILOVERS))
  for (const act of sanitized ? ['pump_last'] : acts) {
    test(`the ${side} fails over before ${act}, while the coordinator lives`, async () => {
      await overStandby(201, side, async (system, plan, failOver) => {
        const running = system.reshard('run', plan, '--stop-before', act);
        await system.stands(running);
        failOver();
        running.child.kill('SIGCONT');
        assert.strictEqual((await running.done).signal, null, running.err);
      });
    });
  }
