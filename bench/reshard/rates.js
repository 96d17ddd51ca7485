'use strict';
// How fast rows are copied and cleaned up without throttles, and how near to theirs with them. Prints a JSON line.
//   MORAY_ROUTER_BIN=… node bench/reshard/rates.js [--rows 300000] [--unthrottled]
const {execFileSync} = require('child_process');
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {Ledger, BUCKET} = require(path.join(tests, 'reshard_ledger'));
const {System} = require(path.join(tests, 'reshard_system'));

const at = process.argv.indexOf('--rows');
const rows = at < 0 ? 300000 : Number(process.argv[at + 1]);

/** Seconds between two records of the plan's journal. */
async function seconds(system, plan, from, to) {
  const lines = (await system.reshardTo(0, 'status', plan, '--history')).out.split('\n');
  const time = (event, last) => {
    const found = lines.filter((line) => line.split(' ').slice(2).join(' ').startsWith(event));
    return Date.parse(found[last ? found.length - 1 : 0].split(' ')[0]);
  };
  return (time(to, true) - time(from, false)) / 1000;
}

async function main() {
  const system = await new System({vnodes: 1000}).start();
  try {
    const client = await system.connect();
    await new Ledger(1).create(client);
    system.sql(0, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, n, u) SELECT '/fill/stor/e' || (i / 20) || '/f' || i,
      '{"n":' || i || ',"text":"' || repeat('x', 600) || '"}', 'ABCDEF01', 7, i, 'u' || i FROM generate_series(1, ${rows}) i`);
    execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'backfill-vnodes', '--config', system.config, '--pnode', 'tcp://1.moray.example.com:2020',
      '--rows-per-second', '0'], {stdio: 'ignore'});
    system.sql(0, `VACUUM ANALYZE ${BUCKET}`);
    const bytes = Number(system.sql(0, `SELECT sum(pg_column_size(t.*)) FROM ${BUCKET} t`));
    const result = {rows, megabytes: Math.round(bytes / 1e5) / 10};
    const plan = await system.plan('--vnodes', '0-999', '--soak', '0', '--cleanup-rows-per-second', '0', '--trust-vnodes');
    await system.reshardTo(0, 'run', plan);
    const copied = await seconds(system, plan, 'identities', 'copy'), cleaned = await seconds(system, plan, 'begin_cleanup', 'finished');
    result.copyMegabytesPerSecond = Math.round(bytes / 1e5 / copied) / 10;
    result.cleanupRowsPerSecond = Math.round(rows / cleaned);
    system.sql(1, `VACUUM ANALYZE ${BUCKET}`);
    if (process.argv.includes('--unthrottled')) {
      console.log(JSON.stringify(result));
      return;
    }
    // Back again, throttled to what takes about 20 s each.
    const slow = ['--copy-bytes-per-second', String(Math.round(bytes / 20)), '--cleanup-rows-per-second', String(Math.round(rows / 20))];
    const back = await system.plan('--vnodes', '0-999', '--soak', '0', '--from', 'tcp://2.moray.example.com:2020', '--to', 'tcp://1.moray.example.com:2020',
      '--trust-vnodes', ...slow);
    await system.reshardTo(0, 'run', back);
    result.throttledCopySeconds = Math.round(10 * await seconds(system, back, 'identities', 'copy')) / 10;
    result.throttledCleanupSeconds = Math.round(10 * await seconds(system, back, 'begin_cleanup', 'finished')) / 10;
    console.log(JSON.stringify(result));
  } finally {
    await system.stop();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
