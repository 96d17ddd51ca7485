'use strict';
// Plans whose source or target fails over to its synchronous standby: whatever was acknowledged is there, once.
const assert = require('node:assert');
const fs = require('fs');
const {after, before, test} = require('node:test');

const {PostgresCluster} = require('./postgres_cluster');
const {BUCKET, call} = require('./reshard_ledger');
const {prepare, end, run, servers, long} = require('./reshard_losses');
const {rowsNotOwned} = require('./reshard_rows');

before(prepare);
after(end);

/** A source or target whose synchronous standby takes over when it is told to. `words`: more for the plan. */
async function overStandby(seed, side, fault, {options = {}, words = []} = {}) {
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
    await run(seed, (system, plan, ledger) => fault(system, plan, {failOver, primary, standby}, ledger), {more: words, options: {...options, clusters: side === 'source' ? [pair, servers()[1]] : [servers()[0], pair]}});
  } finally {
    standby.stop();
    fs.rmSync(primary.directory, {recursive: true, force: true});
  }
}

// What a failover takes away is noticed by the server's identity, and brought again.
for (const act of long ? ['verify', 'commit', 'soak'] : ['verify', 'commit']) {
  test(`the source fails over to a synchronous standby after ${act}`, async () => {
    await overStandby(200, 'source', async (system, plan, {failOver}) => {
      await system.reshard('run', plan, '--crash-behind', act).done;
      failOver();
      const resumed = await system.reshard('run', plan, '--crash-before', 'finalize').done;
      if (act === 'verify') assert.match(resumed.err, /a server is not the one that was copied: everything is verified again/);
    });
  });
}

const FAILOVERS = long ?
  {source: ['arm', 'copy', 'pump', 'pump_last', 'commit', 'activate', 'clean'], target: ['copy', 'pump_last', 'commit_target', 'soak']} :
  {source: ['pump_last', 'commit'], target: ['pump_last', 'commit_target']};
for (const [side, acts] of Object.entries(FAILOVERS))
  for (const act of acts) {
    test(`the ${side} fails over before ${act}, while the coordinator lives`, async () => {
      await overStandby(201, side, async (system, plan, {failOver}) => {
        const running = system.reshard('run', plan, '--stop-before', act);
        await system.stands(running);
        failOver();
        running.child.kill('SIGCONT');
        assert.strictEqual((await running.done).signal, null, running.err);
      });
    });
  }

const OVER_A_FLEET = long ? [['source', 'pump_last'], ['source', 'commit'], ['source', 'activate'], ['target', 'pump_last'], ['target', 'commit_target']] : [['source', 'commit']];
for (const [side, act] of OVER_A_FLEET)
  test(`the ${side} fails over before ${act}, and each router of a fleet finds its standby`, async () => {
    await overStandby(202, side, async (system, plan, {failOver}, ledger) => {
      const clients = await Promise.all(system.routers.map(({port}) => system.connect(port)));
      // Through all routers it is written, and read that nothing goes back.
      ledger.writers.push(...clients.slice(1).map((client) => ledger.write(client, 4)), ledger.judge(clients, 2));
      const running = await system.standing(plan, act);
      failOver();
      system.goOn(running);
      assert.strictEqual((await running.done).signal, null, running.err);
      // Each of them by itself, when all is well again.
      await system.reshard('run', plan).done;
      for (const [i, client] of clients.entries()) await system.quiet(() => call(client, 'putObject', BUCKET, `/failover/${i}`, {v: i}).then(() => true, () => false));
      for (const client of clients)
        for (const i of clients.keys()) assert.deepStrictEqual((await call(client, 'getObject', BUCKET, `/failover/${i}`, {noCache: true})).value, {v: i});
    }, {options: {routers: 3, fleet: 1, workers: 1}});
  });

const rowsOfPlan = (system, plan) => system.sql(0, `SELECT state FROM moray_router.reshard_plan WHERE plan = ${plan}`);
const asynchronous = async (system, primary) => {
  const url = primary.url('postgres');
  primary.query(url, "ALTER SYSTEM SET synchronous_standby_names = ''");
  primary.query(url, 'SELECT pg_reload_conf()');
  await system.quiet(() => primary.query(url, 'SHOW synchronous_standby_names') === '');
};
const CLEANUP = {words: ['--gate', 'cleanup']};

test('a plan is not over before a standby of the source has its cleanup on disk', async () => {
  await overStandby(203, 'source', async (system, plan, {primary, standby}) => {
    const running = system.reshard('run', plan);
    await system.waits(plan, /gate cleanup/, running);
    await asynchronous(system, primary);
    standby.freeze();
    await system.reshardTo(0, 'open', plan, 'cleanup');
    await system.waits(plan, /a standby of the source/, running);
    assert.strictEqual(rowsOfPlan(system, plan), 'done');
    standby.thaw();
    assert.strictEqual((await system.ended(running)).code, 0, running.err);
  }, CLEANUP);
});

test('a standby without the cleanup, which was away then, takes over: what it has brought back is not forgotten, but cleaned', async () => {
  await overStandby(204, 'source', async (system, plan, {primary, standby, failOver}, ledger) => {
    const running = system.reshard('run', plan);
    await system.waits(plan, /gate cleanup/, running);
    await ledger.stop();  // what it was told would be lost, too
    await asynchronous(system, primary);
    const url = standby.url('postgres');
    standby.query(url, "ALTER SYSTEM SET primary_conninfo = ''");
    standby.query(url, 'SELECT pg_reload_conf()');
    await system.quiet(() => primary.query(primary.url('postgres'), 'SELECT count(*) FROM pg_stat_replication') === '0');
    await system.reshardTo(0, 'open', plan, 'cleanup');
    assert.strictEqual((await system.ended(running)).code, 0, running.err);
    failOver();
    assert.strictEqual(rowsOfPlan(system, plan), 'committed');
    const left = rowsNotOwned(system).length;
    assert.ok(left > 0);
    assert.match((await system.reshardTo(1, 'forget', plan)).err, /has its rows again: .*`reshard run 1` cleans it again/);
    assert.strictEqual(rowsNotOwned(system).length, left);
    await system.reshardTo(0, 'open', plan, 'cleanup');
    await system.reshardTo(0, 'run', plan);
    assert.match((await system.reshardTo(1, 'run', plan)).err, /plan 1 is finished/);
    await ledger.run(await system.connect(), 4, 2);
  }, CLEANUP);
});
