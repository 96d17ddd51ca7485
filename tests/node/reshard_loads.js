'use strict';
// Loads for what moves rows: a log of many entries, rows of many megabytes; and what a process took of memory at most.
const {execFileSync} = require('child_process');
const fs = require('fs');

const {BUCKET} = require('./reshard_ledger');

const MEGABYTE = 1 << 20;

/** Rows by SQL, past the router; they say their vnodes. `text`: SQL of each row's `i`. */
function fill(system, name, rows, text, shard = 0) {
  system.sql(shard, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, n, u) SELECT '/${name}/stor/f' || i, '{"n":0,"text":"' || ${text} || '"}',
    'ABCDEF01', 7, 0, '${name}' || i FROM generate_series(1, ${rows}) i`);
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'backfill-vnodes', '--config', system.config, '--pnode', system.pnodes[shard], '--rows-per-second', '0'],
    {stdio: 'ignore'});
}

/** So many entries of distinct keys in a plan's log. The first `rows` are those of `fill(system, name, rows)`; of the others there is no row. */
function logEntries(system, plan, name, entries, rows) {
  const insert = 'INSERT INTO moray_router.reshard_log (plan, vnode, bucket, key)';
  system.sql(0, `${insert} SELECT ${plan}, _vnode, '${BUCKET}', _key FROM ${BUCKET} WHERE _key LIKE '/${name}/stor/f%' LIMIT ${rows}`);
  system.sql(0, `${insert} SELECT ${plan}, v.vnode, '${BUCKET}', '/${name}/gone/f' || i FROM generate_series(1, ${entries - rows}) i
    JOIN (SELECT vnode, row_number() OVER (ORDER BY vnode) - 1 AS at, count(*) OVER () AS many FROM moray_router.reshard_vnode WHERE plan = ${plan}) v
    ON v.at = i % v.many`);
}

/** Every row of `fill(system, name, …)` becomes one of so many megabytes. */
function grow(system, name, megabytes) {
  system.sql(0, `UPDATE ${BUCKET} SET n = 1, _value = '{"n":1,"text":"' || repeat('x', ${megabytes * MEGABYTE}) || '"}' WHERE _key LIKE '/${name}/stor/f%'`);
}

/** What a process has had in memory at most, in megabytes; 0 when it is gone. */
function peakMegabytes(child) {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;
  } catch {
    return 0;
  }
}

/** The most of it until a process ends, and how it ended. */
async function peakOf(running) {
  let peak = 0;
  const look = setInterval(() => { peak = Math.max(peak, peakMegabytes(running.child)); }, 20);
  const end = await running.done;
  clearInterval(look);
  return {peak, end};
}

module.exports = {fill, grow, logEntries, peakMegabytes, peakOf};
