'use strict';
// Plans whose source or target fails over to its synchronous standby: whatever was acknowledged is there, once.
const assert = require('node:assert');
const fs = require('fs');
const {after, before, test} = require('node:test');

const {PostgresCluster} = require('./postgres_cluster');
const {prepare, end, run, servers, long} = require('./reshard_losses');

before(prepare);
after(end);

/** A source or target whose synchronous standby takes over when it is told to. */
async function overStandby(seed, side, fault, more = {}) {
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
    await run(seed, (system, plan, ledger) => fault(system, plan, failOver, ledger), {options: {...more, clusters: side === 'source' ? [pair, servers()[1]] : [servers()[0], pair]}});
  } finally {
    standby.stop();
    fs.rmSync(primary.directory, {recursive: true, force: true});
  }
}

// What a failover takes away is noticed by the server's identity, and brought again.
for (const act of long ? ['verify', 'commit', 'soak'] : ['verify', 'commit']) {
  test(`the source fails over to a synchronous standby after ${act}`, async () => {
    await overStandby(200, 'source', async (system, plan, failOver) => {
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
      await overStandby(201, side, async (system, plan, failOver) => {
        const running = system.reshard('run', plan, '--stop-before', act);
        await system.stands(running);
        failOver();
        running.child.kill('SIGCONT');
        assert.strictEqual((await running.done).signal, null, running.err);
      });
    });
  }

const OVER_A_FLEET = long ? [['source', 'pump_last'], ['source', 'commit'], ['source', 'activate'], ['target', 'pump_last'], ['target', 'commit_target']] : [['source', 'commit'], ['target', 'commit_target']];
for (const [side, act] of OVER_A_FLEET)
  test(`the ${side} fails over before ${act}, and each router of a fleet finds its standby`, async () => {
    await overStandby(202, side, async (system, plan, failOver, ledger) => {
      const clients = await Promise.all(system.routers.map(({port}) => system.connect(port)));
      // Through all routers it is written, and read that nothing goes back.
      ledger.writers.push(...clients.slice(1).map((client) => ledger.write(client, 4)), ledger.judge(clients, 2));
      const running = await system.standing(plan, act);
      failOver();
      system.goOn(running);
      assert.strictEqual((await running.done).signal, null, running.err);
    }, {routers: 3, fleet: 1, workers: 1});
  });
