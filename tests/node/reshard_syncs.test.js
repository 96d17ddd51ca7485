'use strict';
// What a cutover waits for: at most so many fsyncs, all programs together, counted in them.
const assert = require('node:assert');
const {test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {Ledger} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {System} = require('./reshard_system');
const {temporaryDirectory} = require('./router_process');

const MOST = 8;
const library = process.env.MORAY_ROUTER_SYNC_LOG;

test('a cutover has at most eight fsyncs in its block', {skip: library ? false : 'a sanitizer does not let a library come first'}, async () => {
  const directory = temporaryDirectory(), log = path.join(directory, 'syncs');
  fs.chmodSync(directory, 0o755);
  fs.writeFileSync(log, '');
  fs.chmodSync(log, 0o666);
  Object.assign(process.env, {LD_PRELOAD: library, SYNC_LOG: log});
  const clusters = [new PostgresCluster(), new PostgresCluster()];
  try {
    for (const cluster of clusters) await cluster.start({fsync: true});
    const system = await new System({clusters}).start();
    try {
      const client = await system.connect();
      const ledger = new Ledger(1);
      await ledger.create(client);
      await ledger.run(client, 2);
      await ledger.goesOn();
      await ledger.stop();  // nobody's writes but the plan's own are counted
      const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--no-cleanup', '--settle', '1500');
      const end = await system.reshardTo(0, 'run', plan, '--json');
      const [time, held] = end.out.trim().split('\n').map((line) => JSON.parse(line)).filter(({event}) => event && event.startsWith('cut over'))
        .map((each) => [Date.parse(each.time), Number(/held for ([\d.]+) ms/.exec(each.event)[1])])[0];
      const syncs = fs.readFileSync(log, 'utf8').trim().split('\n').map((line) => line.split(' '))
        .filter(([micros]) => micros / 1000 >= time - held - 1 && micros / 1000 <= time + 1);
      assert.ok(syncs.length >= 5, `${syncs.length}: are they counted at all?`);
      assert.ok(syncs.length <= MOST, syncs.join('\n'));
      await ledger.check(system, client, {ghosts: true});
    } finally {
      await system.stop();
    }
  } finally {
    delete process.env.LD_PRELOAD;
    clusters.forEach((cluster) => cluster.stop());
    fs.rmSync(directory, {recursive: true, force: true});
  }
});
