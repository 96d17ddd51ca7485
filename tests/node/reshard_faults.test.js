'use strict';
// Servers, networks and disks that fail under a plan: what was acknowledged is there, and clients wait no
// longer than they must.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {Ledger} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {Relay} = require('./relay');
const {temporaryDirectory} = require('./router_process');
const {System, pause} = require('./reshard_system');

let clusters, system, client, ledger;
const others = [];

before(async () => { clusters = [await new PostgresCluster().start(), await new PostgresCluster().start()]; });
after(() => clusters.forEach((cluster) => cluster.stop()));

async function begin(seed, options = {}) {
  system = await new System({clusters, ...options}).start();
  client = await system.connect();
  ledger = new Ledger(seed);
  await ledger.create(client);
  await ledger.run(client);
  await ledger.goesOn();
}
afterEach(async () => {
  await ledger.stop();
  await system.stop();
  for (const cluster of others.splice(0)) cluster.stop();
});

const open = () => system.result('status').then(({gate}) => gate.hold === '' && gate.refuse === '');

/** A coordinator that stands still before an act. */
async function standing(plan, act) {
  const running = system.reshard('run', plan, '--stop-before', act);
  await system.stands(running);
  return running;
}

test('the target goes between fence and commit: its vnodes are the source\'s again while it is away', async () => {
  await begin(21);
  const plan = await system.plan('--half', '--max-block', '3000', '--lease', '60000', '--soak', '0');
  const running = await standing(plan, 'wait_flushed');
  assert.ok(!await open());
  clusters[1].kill();
  running.child.kill('SIGCONT');
  await system.quiet(open);
  const before = ledger.acknowledged;
  await system.quiet(() => ledger.acknowledged > before + 20);
  assert.strictEqual(system.sql(0, 'SELECT state FROM moray_router.reshard_plan'), 'capturing');
  clusters[1].launch();
  assert.strictEqual((await running.done).code, 0, running.err);
  await ledger.stop();
  assert.strictEqual(ledger.unknown, 0, ledger.lastUnknown);
  await ledger.check(system, client);
});

test('the target is silent between fence and commit: the budget ends the block all the same', async () => {
  await begin(22);
  const plan = await system.plan('--half', '--max-block', '1000', '--lease', '60000', '--soak', '0');
  const running = await standing(plan, 'wait_flushed');
  const processes = clusters[1].processes();
  for (const pid of processes) process.kill(pid, 'SIGSTOP');
  try {
    running.child.kill('SIGCONT');
    await system.quiet(open);
    const before = ledger.acknowledged;
    await system.quiet(() => ledger.acknowledged > before + 20);
    assert.strictEqual(system.sql(0, 'SELECT state FROM moray_router.reshard_plan'), 'capturing');
  } finally {
    for (const pid of processes) process.kill(pid, 'SIGCONT');
  }
  assert.strictEqual((await running.done).code, 0, running.err);
  assert.match(running.err, /the server did not answer in time|the block has lasted/);
  await ledger.stop();
  await ledger.check(system, client);
});

test('connections that are cut all the time: the plan ends where they hold', async () => {
  // Every client of the databases goes by these, and may be cut off at any moment.
  const relays = await Promise.all(clusters.map((cluster) => new Relay(cluster.port).start()));
  const through = clusters.map((cluster, i) => relays[i].before(cluster));
  try {
    await begin(23, {clusters: through});
    const plan = await system.plan('--half', '--soak', '0');
    let code = -1, stopped = false, calm = 0;
    const cutting = (async () => {
      for (let i = 0; i < 40 && !stopped; ++i) {
        await pause(60 + (i * 37) % 190);
        for (const relay of relays) relay.cut(3, i);
      }
      stopped = true;
    })();
    // On a busy machine each run may be cut off as long as anybody cuts; after that one goes through.
    while (code !== 0 && calm < 5) {
      if (stopped) ++calm;
      const end = await system.reshard('run', plan).done;
      assert.strictEqual(end.signal, null, end.err);
      code = /is finished/.test(end.err) ? 0 : end.code;
    }
    stopped = true;
    await cutting;
    assert.strictEqual(code, 0);
    await ledger.goesOn();
    await ledger.stop();
    await ledger.check(system, client);
  } finally {
    relays.forEach((relay) => relay.stop());
  }
});

test('a full disk at the target stops the copy, with its reason; when there is room it goes on', async () => {
  const flag = path.join(temporaryDirectory(), 'full');
  fs.chmodSync(path.dirname(flag), 0o755);  // the server may be another user's
  const small = new PostgresCluster();
  small.environment = {LD_PRELOAD: process.env.MORAY_ROUTER_FULL_DISK, FULL_DISK_FLAG: flag, FULL_DISK_PATH: '/base/'};
  others.push(await small.start());
  try {
    await begin(24, {clusters: [clusters[0], small]});
    system.sql(0, `INSERT INTO manta (_key, _value, _etag, _mtime, n) SELECT '/fill/stor/e' || (i / 20) || '/f' || i, '{"n":' || i || '}', 'ABCDEF01', 7, i FROM generate_series(1, 20000) i`);
    const plan = await system.plan('--half', '--soak', '0');
    const running = await standing(plan, 'copy');
    fs.writeFileSync(flag, '');
    running.child.kill('SIGCONT');
    const end = await running.done;
    assert.strictEqual(end.code, 5, end.err);
    assert.match(end.err, /copy: .*could not extend file .*: No space left on device/);
    assert.match(end.err, /stopped: .*; `reshard retry 1` goes on/);
    assert.ok(await open());
    fs.unlinkSync(flag);
    await system.reshardTo(0, 'retry', plan);
    await ledger.stop();
    assert.deepStrictEqual(ledger.refused, {});
    assert.strictEqual(ledger.unknown, 0, ledger.lastUnknown);
    await ledger.check(system, client);
  } finally {
    fs.rmSync(path.dirname(flag), {recursive: true});
  }
});

test('clocks that jump by hours all the time: no lease, no wait and no row minds', async () => {
  const directory = temporaryDirectory(), file = path.join(directory, 'seconds');
  fs.writeFileSync(file, '0     ');
  // A sanitizer's own library would be first.
  const sanitizer = `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`;
  await begin(25, {environment: {LD_PRELOAD: process.env.MORAY_ROUTER_CLOCK_JUMP, CLOCK_JUMP_FILE: file, ASAN_OPTIONS: sanitizer}});
  const plan = await system.plan('--half', '--soak', '3', '--cache', '2000');
  let jumps = 0, jumping;
  try {
    // A jump while libpq connects fails that attempt, so that all are connected before. Times are by this
    // process's clock, which does not jump: from before a wait began until its end was seen.
    const running = await standing(plan, 'copy');
    jumping = setInterval(() => fs.writeFileSync(file, (++jumps % 2 === 0 ? '-7200' : '+7200').padEnd(6), {flag: 'r+'}), 37);
    await system.quiet(() => jumps > 2);
    const since = (begun, words) => system.quiet(() => running.err.includes(words)).then(() => Date.now() - begun);
    const cached = since(Date.now(), 'indexes of the target');
    running.child.kill('SIGCONT');
    assert.ok(await cached >= 2000, `${await cached} ms\n${running.err}`);
    let uncommitted;
    await system.quiet(() => {
      const asked = Date.now();
      if (!['preparing', 'capturing', 'fenced'].includes(system.sql(0, 'SELECT state FROM moray_router.reshard_plan'))) return true;
      uncommitted = asked;
      return false;
    });
    const soaked = await since(uncommitted, 'not kept current any more');
    assert.ok(soaked >= 3000, `${soaked} ms\n${running.err}`);
    assert.strictEqual((await running.done).code, 0, running.err);
    const off = [...running.err.matchAll(/^\d{4}-\S+Z/gm)].map(([time]) => Date.parse(time) - Date.now());
    assert.ok(off.some((ms) => Math.abs(ms) > 3.6e6), running.err);  // its clock did jump
    await ledger.stop();
    assert.deepStrictEqual(ledger.refused, {});
    assert.strictEqual(ledger.unknown, 0, ledger.lastUnknown);
    await ledger.check(system, client);
  } finally {
    clearInterval(jumping);
    fs.rmSync(directory, {recursive: true});
  }
});
