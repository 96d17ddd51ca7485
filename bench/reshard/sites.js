'use strict';
// Moves at sites that are not like ours: from a seed a database with tables of all kinds, settings of its own, rows of all
// kinds, a target that is bare, prepared or has rows, writers through a router, and somebody who changes something in the
// middle. Prints a JSON line for each seed; ends with 1 if any of them lost something, or ended without a word.
//   MORAY_ROUTER_BIN=… node bench/reshard/sites.js [--seeds 1] [--first 1]
const {execFileSync} = require('child_process');
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {BUCKET, Ledger, random} = require(path.join(tests, 'reshard_ledger'));
const {PostgresCluster} = require(path.join(tests, 'postgres_cluster'));
const {System} = require(path.join(tests, 'reshard_system'));
const {vnodesOf} = require(path.join(tests, 'reshard_rows'));
const {CARRIED_OVER, EVENTS, KINDS, SETTINGS, T} = require('./site_catalogue');
const {compare, oddObjects, oddWrong, putOdd, sql, untouched} = require('./site_judge');

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const MODES = ['bare', 'bare', 'prepared', 'populated'];
const ACTS = ['arm', 'wait_armed', 'copy', 'pump', 'verify', 'bind'];
const pick = (any, list) => list[any(list.length)];

/** All that a seed decides. */
function drawn(seed) {
  const any = random(seed * 104729 + 7), mode = pick(any, MODES), names = Object.keys(KINDS);
  const kinds = new Set();
  for (let n = 3 + any(6); n > 0; --n) kinds.add(pick(any, names));
  // What a move may refuse would be in most sites if it were drawn as often as the rest.
  for (const name of [...kinds]) if (KINDS[name].refuses && KINDS[name].refuses(mode) && any(4) > 0) kinds.delete(name);
  if (kinds.has('partitioned'))
    for (const name of [...kinds]) if (KINDS[name].unique || ['inherited', 'identity_always', 'identity_default', 'storage', 'fillfactor', 'unlogged', 'foreign_key_in'].includes(name)) kinds.delete(name);
  if (kinds.has('inherited')) for (const name of ['identity_always', 'identity_default']) kinds.delete(name);  // PostgreSQL lets neither have the other
  const settings = Array.from({length: any(4)}, () => pick(any, SETTINGS)), targetToo = any(2) === 0;
  const schema = any(4) === 0, locale = any(4) === 0, event = any(5) < 2 ? pick(any, Object.keys(EVENTS)) : null;
  return {any, mode, kinds: [...kinds].sort((a, b) => Boolean(KINDS[b].first) - Boolean(KINDS[a].first)), settings, targetToo, schema, locale, event, act: pick(any, ACTS)};
}

/** Before anything connects: what databases say of their sessions. */
function furnish(system, site) {
  for (const shard of [0, 1]) {
    const name = system.database;
    if (site.schema) sql(system, shard, `ALTER DATABASE ${name} SET search_path = site, public${shard === 0 || site.any(2) === 0 || site.mode === 'populated' ? '; CREATE SCHEMA site' : ''}`);
    if (shard === 0 || site.targetToo) for (const [setting, value] of site.settings) sql(system, shard, `ALTER DATABASE ${name} SET ${setting} = ${value}`);
  }
}

/** The kinds' tables and rows, at the source, and where the target has rows of its own, there as well. */
function build(system, site) {
  for (const shard of site.mode === 'populated' ? [0, 1] : [0])
    for (const name of site.kinds) {
      const kind = KINDS[name];
      if (kind.before) sql(system, shard, kind.before);
      sql(system, shard, kind.sql);
    }
  if (site.mode === 'prepared') {
    const {bin} = system.clusters[0];
    const dump = execFileSync(path.join(bin, 'pg_dump'), ['--schema-only', '-d', system.databases[0]], {maxBuffer: 1 << 26});
    execFileSync(path.join(bin, 'psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=0', '-d', system.databases[1]], {input: dump, stdio: ['pipe', 'ignore', 'ignore']});
  }
}
function fillColumns(system, site) {
  const sets = site.kinds.filter((name) => KINDS[name].value).map((name) => `${KINDS[name].column} = ${KINDS[name].value}`);
  if (sets.length > 0) sql(system, 0, `UPDATE ${T} SET ${sets.join(', ')}`);
  if (site.kinds.includes('inherited'))
    sql(system, 0, `WITH gone AS (DELETE FROM ONLY ${T} WHERE _key LIKE '/odd/d1%' RETURNING *) INSERT INTO ${T}_child (_id, _key, _value, _etag, _mtime, _vnode, u, n) SELECT _id, _key, _value, _etag, _mtime, _vnode, u, n FROM gone`);
}

/** Somebody does something while the plan stands; what is refused, or waits in vain, has done nothing. */
async function disturb(system, site, outcome) {
  const text = sql(system, 0, EVENTS[site.event], {loose: true});
  outcome.event = text.startsWith('error') ? `${site.event} (refused)` : site.event;
  if (site.event === 'prepared' && !text.startsWith('error')) setTimeout(() => sql(system, 0, "ROLLBACK PREPARED 'site'", {loose: true}), 1500);
}

async function carryOut(system, site, plan, vnodes, ledger, outcome) {
  let running = null;
  if (site.event) {
    running = await system.standing(plan, site.act);
    await disturb(system, site, outcome);
    system.goOn(running);
  } else {
    running = system.reshard('run', plan);
  }
  // To the soak, in which both sides have the same rows; or to wherever it ends.
  let status = {};
  const over = () => running.child.exitCode !== null || running.child.signalCode !== null;
  await system.quiet(async () => over() || (status = await system.status(plan)).act === 'soak', 150000);
  if (over()) return running.done;
  await ledger.goesOn(30);
  await ledger.stop();
  // Nobody writes any more: within moments the source is what the target is.
  let differs = [];
  await system.quiet(() => (differs = compare(system, vnodes, {ids: site.mode !== 'populated'})).length === 0, 60000).catch(() => {});
  const told = site.mode !== 'bare' && /it stays so/.test(running.err);
  outcome.broken.push(...differs.filter((each) => !(told && each.startsWith('definitions differ'))));
  const asked = await system.reshard('finalize', plan, '--wait', '30').done;
  if (asked.code !== 0) outcome.broken.push(`finalize: ${asked.code} ${asked.err}`);
  return system.ended(running, 120000);
}

async function run(seed, clusters) {
  const site = drawn(seed), outcome = {seed, mode: site.mode, kinds: site.kinds, settings: site.settings.map(([name]) => name), schema: site.schema, event: null, broken: []};
  const ledger = new Ledger(seed, 30, 3), odd = oddObjects(site.any);
  const system = new System({vnodes: 32, clusters, owners: site.mode === 'populated' ? 2 : 1});
  system.prepare = () => furnish(system, site);
  let more = [];
  try {
    await system.start();
    const client = await system.connect();
    await ledger.create(client);
    build(system, site);
    await putOdd(client, BUCKET, odd);
    await ledger.run(client, 3, 4);
    await ledger.goesOn(80);
    fillColumns(system, site);
    const vnodes = vnodesOf(system, 0).filter((_, i) => i % 2 === 0), words = ['--vnodes', vnodes.join(','), '--soak', '600'];
    const made = await system.reshard('plan', '--config', system.config, ...system.defaults(words), ...words).done;
    if (made.code !== 0) {
      outcome.ended = 'refused';
      outcome.why = [...made.out.matchAll(/^obstacle: (.*)$/gm)].map(([, what]) => what.slice(0, 160));
      if (outcome.why.length === 0) outcome.broken.push(`refused without an obstacle: ${made.code} ${made.err}`);
      if (!site.kinds.some((name) => KINDS[name].refuses && KINDS[name].refuses(site.mode))) outcome.broken.push(`refused, though it must move: ${outcome.why}`);
      outcome.broken.push(...untouched(system));
      await ledger.goesOn(20);
    } else {
      const plan = /plan (\d+) is in/.exec(made.err)[1];
      const end = await carryOut(system, site, plan, vnodes, ledger, outcome);
      outcome.ended = end.code === 0 ? 'moved' : 'stopped';
      if (end.code !== 0) {
        outcome.why = end.err.trim().split('\n').slice(-2).map((line) => line.slice(0, 240));
        if (end.code !== 5 || !site.event || (site.mode === 'bare' && CARRIED_OVER.includes(site.event))) outcome.broken.push(`ended with ${end.code}: ${end.err.slice(-700)}`);
        const aborted = await system.reshard('abort', plan).done;
        if (aborted.code !== 7) outcome.broken.push(`abort: ${aborted.code} ${aborted.err.slice(-400)}`);
      }
    }
    await ledger.stop();
    await ledger.check(system, client).catch((error) => outcome.broken.push(`at the end: ${error.message.slice(0, 500)}`));
    outcome.broken.push(...ledger.wrong.slice(0, 3), ...(await oddWrong(client, BUCKET, odd)).slice(0, 3));
    Object.assign(outcome, {acknowledged: ledger.acknowledged, refused: ledger.refused, unknown: ledger.unknown});
  } catch (error) {
    outcome.broken.push(String(error.stack).slice(0, 1500));
  } finally {
    await ledger.stop();
    sql(system, 0, "ROLLBACK PREPARED 'site'", {loose: true});
    await system.stop().catch((error) => more.push(error.message.slice(0, 300)));
    outcome.broken.push(...more);
  }
  console.log(JSON.stringify(outcome));
  return outcome.broken.length === 0;
}

async function main() {
  const clusters = await PostgresCluster.several(2);
  let good = true;
  try {
    for (const cluster of clusters) {
      cluster.query(cluster.url('postgres'), 'ALTER SYSTEM SET max_prepared_transactions = 5');
      cluster.query(cluster.url('postgres'), 'CREATE ROLE site_reader');
      cluster.restart();
    }
    for (let seed = option('first', 1); seed < option('first', 1) + option('seeds', 1); ++seed) good = await run(seed, clusters) && good;
  } finally {
    clusters.forEach((cluster) => cluster.stop());
  }
  process.exit(good ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
