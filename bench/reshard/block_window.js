'use strict';
// How long a cutover holds writes: plans there and back again under a steady load of writes, each of them two
// cutovers. Prints a JSON line with the distribution of the block, of writes' latency around it and before it,
// and of fsync in the same run; and how much of the processors a host of virtual machines gave to others meanwhile.
//   MORAY_ROUTER_BIN=… node bench/reshard/block_window.js [--cutovers 100] [--rows 100000] [--share 0.05] [--writes 1000] [--fsync]
const fs = require('fs');
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {Ledger, BUCKET} = require(path.join(tests, 'reshard_ledger'));
const {PostgresCluster} = require(path.join(tests, 'postgres_cluster'));
const {System, pause} = require(path.join(tests, 'reshard_system'));
const {execFileSync} = require('child_process');

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const cutovers = option('cutovers', 100), rows = option('rows', 100000), share = option('share', 0.05), writes = option('writes', 1000);
const durable = process.argv.includes('--fsync');
const VNODES = 1000;

function at(list, part) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted.length === 0 ? null : Math.round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] * 100) / 100;
}

/** Milliseconds that a write of 8 KiB and its fsync take where the databases are. */
function fsyncs(directory, count) {
  const file = fs.openSync(path.join(directory, 'fsync'), 'w'), block = Buffer.alloc(8192, 1), took = [];
  for (let i = 0; i < count; ++i) {
    const begun = process.hrtime.bigint();
    fs.writeSync(file, block, 0, block.length, (i % 100) * 8192);
    fs.fsyncSync(file);
    took.push(Number(process.hrtime.bigint() - begun) / 1e6);
  }
  fs.closeSync(file);
  return took;
}

/** Jiffies of all processors: what others on this machine's host took of them, and all. */
function processors() {
  const all = fs.readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/ +/).slice(1, 9).map(Number);
  return {stolen: all[7], all: all.reduce((a, b) => a + b)};
}

async function main() {
  const clusters = [new PostgresCluster(), new PostgresCluster()];
  for (const cluster of clusters) await cluster.start(durable ? {fsync: true} : {});
  const system = await new System({clusters, vnodes: VNODES}).start();
  try {
    const client = await system.connect();
    const ledger = new Ledger(1, 2000, 4);
    await ledger.create(client);
    system.sql(0, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, n) SELECT '/fill/stor/e' || (i / 20) || '/f' || i,
      '{"n":' || i || ',"text":"' || repeat('x', 400) || '"}', 'ABCDEF01', 7, i FROM generate_series(1, ${rows}) i`);
    execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'backfill-vnodes', '--config', system.config, '--pnode', 'tcp://1.moray.example.com:2020',
      '--rows-per-second', '0'], {stdio: 'ignore'});
    system.sql(0, `ANALYZE ${BUCKET}`);
    ledger.record = true;
    const writers = 8;
    await ledger.run(client, writers, Math.max(0, 1000 * writers / writes - 1));
    await pause(3000);
    const moving = Math.round(VNODES * share);
    const begun = ledger.acknowledged, since = Date.now(), processorsBefore = processors();
    const blocks = [], windows = [], refused = () => Object.values(ledger.refused).reduce((a, b) => a + b, 0);
    const clock = () => Number(process.hrtime.bigint() / 1000n) / 1000, offset = Date.now() - clock();
    const note = (text) => {
      for (const line of text.trim().split('\n')) {
        const {time, event} = JSON.parse(line), held = /^cut over: writes were held for ([\d.]+) ms/.exec(event || '');
        if (!held) continue;
        if (process.env.VERBOSE) console.error(event);
        blocks.push(Number(held[1]));
        windows.push([Date.parse(time) - offset - Number(held[1]), Date.parse(time) - offset]);
      }
    };
    const quietly = [];
    while (blocks.length < cutovers) {
      const from = clock();
      await pause(700);
      quietly.push([from, clock() - 100]);
      const plan = await system.plan('--vnodes', `0-${moving - 1}`, '--soak', '600', '--max-block', '1000');
      const running = system.reshard('run', plan, '--json');
      // Asking it for its status would take from the cores what is measured.
      await system.quiet(() => /cut over/.test(running.out), 60000);
      await pause(200);  // so that its writes are not late because this process starts another
      note(running.out);
      note((await system.reshardTo(0, 'rollback', plan, '--json')).out);
      await running.done;
    }
    const seconds = (Date.now() - since) / 1000, done = ledger.acknowledged - begun;
    const processorsAfter = processors();
    const stolen = 100 * (processorsAfter.stolen - processorsBefore.stolen) / (processorsAfter.all - processorsBefore.all);
    await ledger.stop();
    const syncs = fsyncs(clusters[0].directory, 500);
    await ledger.check(system, client);
    // Of writes that began while others were held, those to vnodes that stay. (Of all that were under way then,
    // the long ones would be counted more often than the short.)
    const places = system.locate(BUCKET, [...ledger.keys.keys()]);
    const staying = (list) => list.filter(([, , key]) => places.get(key).vnode >= moving).map(([, took]) => took);
    const within = (spans) => ledger.latencies.filter(([ended, took]) => spans.some(([from, to]) => ended - took >= from && ended - took <= to));
    const during = within(windows), quiet = within(quietly);
    const longest = windows.map(([from, to]) => Math.max(0, ...ledger.latencies.filter(([ended, took]) => ended >= from && ended - took <= to).map(([, took]) => took)));
    console.log(JSON.stringify({cutovers: blocks.length, rows, share, durable, writesPerSecond: Math.round(done / seconds),
      block: {p50: at(blocks, 0.5), p95: at(blocks, 0.95), max: at(blocks, 1)}, longestWrite: {p50: at(longest, 0.5), max: at(longest, 1)},
      stayingBefore: {p50: at(staying(quiet), 0.5), p99: at(staying(quiet), 0.99)},
      stayingDuring: {writes: staying(during).length, p50: at(staying(during), 0.5), p99: at(staying(during), 0.99)}, fsync: {p50: at(syncs, 0.5), p99: at(syncs, 0.99)}, stolenPercent: Math.round(stolen * 10) / 10, refused: refused(), unknown: ledger.unknown}));
  } finally {
    await system.stop();
    clusters.forEach((cluster) => cluster.stop());
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
