'use strict';
// Plans in chains over three shards, two or three at a time, some of them taken back, under writers through routers,
// writers past them, and readers that check each read, while coordinators, routers and servers die, hang and are cut off.
// All is drawn from a seed. Prints a JSON line for each seed; ends with 1 if any of them broke a promise.
// With --blocks, for a machine that does nothing else, the time for which writes are held is a promise, too.
// With --servers-stay coordinators and the second router alone die and hang, and all writes go through the first: the
// slowest write is then the longest time that anybody was held for, and with --blocks no longer than the plans' lease.
//   MORAY_ROUTER_BIN=… node bench/reshard/chains.js [--seeds 1] [--first 1] [--hops 3] [--blocks] [--servers-stay]
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {Ledger, random} = require(path.join(tests, 'reshard_ledger'));
const {PostgresCluster} = require(path.join(tests, 'postgres_cluster'));
const {Relay} = require(path.join(tests, 'relay'));
const {System, pause} = require(path.join(tests, 'reshard_system'));
const {Faults} = require('./chain_faults');
const {Lane, LEASE} = require('./chain_lane');
const {DirectWriters} = require('./direct_writers');
const {rowsNotOwned} = require(path.join(tests, 'reshard_rows'));

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const VNODES = 48, ROUTERS = 2;
const serversStay = process.argv.includes('--servers-stay'), judgesBlocks = process.argv.includes('--blocks');

/** What the end of a seed must show, as words for what broke; none: all is well. */
async function judge(system, ledgers, client, outcomes) {
  const broken = [...outcomes.broken, ...ledgers.flatMap(({wrong}) => wrong.map((text) => `read: ${text}`))];
  for (const ledger of ledgers) await ledger.check(system, client).catch((error) => broken.push(`at the end: ${error.message}`));
  for (const row of rowsNotOwned(system)) broken.push(`not owned: ${row}`);
  return broken;
}

async function run(seed, clusters, relays) {
  const any = random(seed * 7919), outcomes = {plans: {}, faults: {}, blocks: {uninterrupted: [], 'uninterrupted, to the commit': [], interrupted: [], 'interrupted, to the commit': []}, broken: []};
  const system = await new System({vnodes: VNODES, clusters: clusters.map((cluster, i) => relays[i].before(cluster)), routers: ROUTERS}).start();
  const ledger = new Ledger(seed), past = new Ledger(seed + 700_000, 20, 2, 'past');
  const direct = new DirectWriters(system, past, random(seed * 613));
  const faults = new Faults(system, clusters, relays, outcomes, {serversStay});
  const stop = () => Promise.all([ledger.stop(), past.stop()]);
  try {
    const clients = [];
    for (const {port} of system.routers) clients.push(await system.connect(port));
    await ledger.create(clients[0]);
    await ledger.run(clients[0], 2, 3);
    const second = serversStay ? clients[0] : clients[1];
    ledger.writers.push(ledger.write(second, 3), ledger.write(second, 3), ...clients.map((client) => ledger.judge(client)));
    direct.run();
    past.writers.push(past.judge(clients[0], 3));
    const lanes = 1 + any(3), width = VNODES / 4;
    await Promise.all(Array.from({length: lanes}, (_, i) =>
      new Lane(system, faults, outcomes, {first: i * width, last: (i + 1) * width - 1, any: random(seed * 31 + i + 1), judgesBlocks}).run(option('hops', 3))));
    await pause(200);
    await faults.over();
    await stop();
    const broken = await judge(system, [ledger, past], clients[0], outcomes);
    if (judgesBlocks && serversStay && ledger.slowest > LEASE) broken.push(`a write took ${ledger.slowest.toFixed(0)} ms`);
    const blocks = Object.fromEntries(Object.entries(outcomes.blocks).map(([kind, all]) => [kind, {count: all.length, longest: Math.max(0, ...all)}]));
    console.log(JSON.stringify({seed, lanes, plans: outcomes.plans, faults: outcomes.faults, blocks, acknowledged: ledger.acknowledged,
      refused: ledger.refused, unknown: ledger.unknown, slowest: ledger.slowest, reads: ledger.reads, unread: ledger.unread,
      past: {acknowledged: past.acknowledged, refused: direct.refused, unknown: past.unknown}, broken: broken.slice(0, 20), brokenCount: broken.length}));
    return broken.length === 0;
  } catch (error) {
    console.log(JSON.stringify({seed, plans: outcomes.plans, faults: outcomes.faults, broken: [String(error.message).slice(0, 2000)], brokenCount: 1}));
    return false;
  } finally {
    await faults.over();
    await stop();
    await system.stop();
  }
}

async function main() {
  const clusters = await PostgresCluster.several(3);
  const relays = await Promise.all(clusters.map((cluster) => new Relay(cluster.port).start()));
  let good = true;
  try {
    for (let seed = option('first', 1); seed < option('first', 1) + option('seeds', 1); ++seed) good = await run(seed, clusters, relays) && good;
  } finally {
    relays.forEach((relay) => relay.stop());
    clusters.forEach((cluster) => cluster.stop());
  }
  process.exit(good ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
