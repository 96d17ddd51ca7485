'use strict';
// Honest clients of every kind beside hostile ones, through one router over two databases: nobody honest gets a wrong answer.
// MORAY_ROUTER_LONG: a hundred honest clients and ten hostile ones, for ten minutes or MORAY_ROUTER_SECONDS; else by count.
const assert = require('node:assert');
const {test} = require('node:test');
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {Attacker} = require('./hostile_attackers');
const {call, connect, pause, sql} = require('./hostile_clients');
const {BucketClient, INDEX, ListeningClient, SESSION, SHARED, SharedClient} = require('./hostile_honest');
const {StallProbe} = require('./hostile_probe');
const {Tally} = require('./hostile_tally');
const {TwinClient} = require('./hostile_twins');
const {PostgresCluster} = require('./postgres_cluster');
const {random} = require('./reshard_ledger');
const {RouterProcess, temporaryDirectory} = require('./router_process');

const LONG = Boolean(process.env.MORAY_ROUTER_LONG), SECONDS = Number(process.env.MORAY_ROUTER_SECONDS || 600), SEED = Number(process.env.MORAY_ROUTER_SEED || 1);
const PNODES = [1, 2].map((i) => `tcp://${i}.moray.example.com:2020`);
const COUNTS = LONG ? {shared: 70, buckets: 12, listeners: 8, twins: 10, hostile: 10} : {shared: 12, buckets: 3, listeners: 2, twins: 3, hostile: 3};
const STEPS = 200, ACTS = 40;  // of each client of the short form
const THINK_MS = LONG ? 60 : 0;  // at most, between two requests of an honest client: it is not the machine that is tested

const megabytes = (router) => Object.fromEntries([['now', 'VmRSS'], ['most', 'VmHWM']].map(([name, line]) => [name, Math.round(Number(new RegExp(`^${line}:\\s+(\\d+)`, 'm').exec(fs.readFileSync(`/proc/${router.child.pid}/status`, 'utf8'))[1]) / 1024)]));

test('hostile clients beside honest ones: nobody honest gets a wrong answer', {timeout: LONG ? (SECONDS + 300) * 1000 : 600_000}, async () => {
  const directory = temporaryDirectory(), ring = path.join(directory, 'ring'), tally = new Tally(), clients = [], hostileSlowest = {};
  const cluster = await new PostgresCluster().start();
  const routers = [];
  let probe, over = false;
  const client = async (router) => { clients.push(await connect(router.port)); return clients.at(-1); };
  try {
    execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', '256', '-p', PNODES.join(' ')], {stdio: 'ignore'});
    const urls = PNODES.map((_, i) => cluster.makeDatabase(`hostile${i}`));
    const router = new RouterProcess({ring: {location: ring}, workers: 2, shards: PNODES.map((pnode, i) => ({pnode, backend: 'postgres', url: urls[i]}))});
    const twin = new RouterProcess({ring: {location: ring}, workers: 1, shards: PNODES.map((pnode, i) => ({pnode, backend: 'embedded', path: path.join(directory, `twin${i}`), sync: false}))});
    for (const each of [router, twin]) routers.push(await each.start());
    probe = await StallProbe.start(router.port, router.child.pid, 2);
    const first = await client(router);
    await call(first, 'createBucket', SHARED, {index: INDEX, options: {version: 1}});
    const [settings] = await sql(first, SESSION);

    let number = 0;
    const honest = [];
    for (const [count, Kind] of [[COUNTS.shared, SharedClient], [COUNTS.buckets, BucketClient], [COUNTS.listeners, ListeningClient], [COUNTS.twins, TwinClient]]) {
      for (let i = 0; i < count; ++i) honest.push(new Kind({tally, any: random(SEED * 7919 + ++number), client: await client(router), twin: Kind === TwinClient ? await client(twin) : null, number, settings, pnodes: PNODES}));
    }
    const tables = () => [SHARED, SHARED, ...honest.flatMap(({account, bucket}) => (account ? account.bucket : bucket) || []).filter((name) => typeof name === 'string')];
    let killed = 0;
    const mayKill = () => { const now = Date.now(), may = now - killed > (LONG ? 1000 : 200); if (may) killed = now; return may; };
    const answerSlowest = (kind, ms) => { hostileSlowest[kind] = Math.max(hostileSlowest[kind] || 0, Math.round(ms)); };
    const hostile = [];
    for (let i = 0; i < COUNTS.hostile; ++i) hostile.push(new Attacker({tally, any: random(SEED * 104729 + i), client: await client(router), port: router.port, cluster, urls, tables, mayKill, answerSlowest}));

    const end = Date.now() + SECONDS * 1000;
    const run = async (each, steps, think) => {
      for (let i = 0; !over && (LONG ? Date.now() < end : i < steps); ++i) {
        await each.step();
        if (think > 0) await pause(each.any(think));
      }
    };
    const before = megabytes(router);
    await Promise.all([...honest.map((each) => run(each, STEPS, THINK_MS)), ...hostile.map((each) => run(each, ACTS, LONG ? 50 : 0))]);
    await Promise.all(honest.map((each) => each.end()));
    const workers = await probe.stop();
    const {status} = await router.page(router.statusPort, '/ready');
    const total = (counts) => Object.values(counts).reduce((sum, each) => sum + each, 0);
    console.log(JSON.stringify({hostile: total(tally.hostile), honest: total(tally.honest), wrong: tally.wrong.length, longestStallMs: Object.fromEntries(['longest', 'own', 'ran'].map((name) => [name, Math.max(...workers.map((worker) => worker[name]))])), workers,
      megabytes: {before: before.now, ...megabytes(router)}, honestErrors: tally.honestErrors, hostileErrors: tally.hostileErrors, readBack: tally.readBack, honestBy: tally.honest, hostileBy: tally.hostile, slowestMs: tally.slowest, hostileSlowestMs: hostileSlowest}));
    assert.deepStrictEqual(tally.wrong.slice(0, 20), [], `${tally.wrong.length} wrong answers`);
    assert.strictEqual(status, 200);
    assert.strictEqual(router.child.exitCode, null, router.errors);
  } finally {
    over = true;
    if (probe) await probe.thread.terminate();
    for (const each of clients) each.close();
    const ends = [];
    for (const each of routers) ends.push(await each.stop());
    cluster.stop();
    fs.rmSync(directory, {recursive: true, force: true});
    assert.deepStrictEqual(ends.map(({code}) => code), routers.map(() => 0), routers.map(({errors}) => errors).join('\n'));
  }
});
