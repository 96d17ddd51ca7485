'use strict';
// What a move of a site's table must have come to, judged by PostgreSQL's own programs and by what clients read.
const {execFileSync} = require('child_process');
const path = require('path');

const {call} = require(path.join(__dirname, '..', '..', 'tests', 'node', 'reshard_ledger'));
const {T} = require('./site_catalogue');

/** Whatever the database's settings are, both sides write a value alike. */
const OPTIONS = ['DateStyle=ISO', 'TimeZone=UTC', 'IntervalStyle=postgres', 'extra_float_digits=3', 'bytea_output=hex', 'lc_monetary=C', 'statement_timeout=0',
  'lock_timeout=0', 'row_security=off', 'standard_conforming_strings=on', 'enable_indexscan=on', 'default_transaction_isolation=read\\ committed', 'xmloption=content', 'quote_all_identifiers=off', 'client_encoding=UTF8', 'search_path=site,public'].map((each) => `-c ${each}`).join(' ');

/** As a session that says all of its settings; `loose`: a failure is an answer, too. */
function sql(system, shard, statement, {loose = false} = {}) {
  const cluster = system.clusters[shard];
  try {
    return execFileSync(path.join(cluster.bin, 'psql'), ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', system.databases[shard], '-c', 'SET client_encoding = UTF8', '-c', statement],
      {encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, PGOPTIONS: OPTIONS}}).trimEnd();
  } catch (error) {
    if (loose) return `error: ${error.stderr}`;
    throw new Error(`${statement.slice(0, 300)}: ${error.stderr}`);
  }
}

/** The moved rows, as COPY writes them, one a key; `ids`: those that nobody has written since, with their ids. */
function rows(system, shard, vnodes, ids) {
  const columns = sql(system, 0, `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute
    WHERE attrelid = '${T}'::regclass AND attnum > 0 AND NOT attisdropped${ids ? '' : " AND attname <> '_id'"}`);
  const text = sql(system, shard, `COPY (SELECT _key AS sorted, ${columns} FROM ${T} WHERE _vnode = ANY('{${vnodes}}')${ids ? " AND _key LIKE '/odd/%'" : ''} ORDER BY _key COLLATE "C") TO STDOUT`);
  return text === '' ? [] : text.split('\n');
}

/** The tables as pg_dump has them, a statement each, without what says nothing of them. */
function definitions(system, shard) {
  const {bin} = system.clusters[shard];
  const text = execFileSync(path.join(bin, 'pg_dump'), ['--schema-only', '--no-owner', '-t', `*.${T}*`, '-d', system.databases[shard]], {encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, PGOPTIONS: OPTIONS}});
  return text.replace(/^(--.*|SET .*|SELECT pg_catalog.*|\\(un)?restrict [A-Za-z0-9]+)$/gm, '').split(/;\n/).map((each) => each.trim().replace(/\s+/g, ' '))
    .filter((each) => each !== '' && !each.includes('zzzz_moray_router')).sort();
}

/** What differs, as words; none: nothing. */
function compare(system, vnodes, {ids}) {
  const broken = [];
  for (const withIds of ids ? [false, true] : [false]) {
    const here = rows(system, 0, vnodes, withIds), there = rows(system, 1, vnodes, withIds), set = new Set(there);
    const missing = here.filter((row) => !set.has(row));
    if (here.length !== there.length || missing.length > 0)
      broken.push(`${here.length} rows at the source, ${there.length} at the target, ${missing.length} not alike: ${missing.slice(0, 2).map((row) => row.slice(0, 300))}; ` +
        `at the target: ${there.filter((row) => !here.includes(row)).slice(0, 2).map((row) => row.slice(0, 300))}`);
  }
  const one = definitions(system, 0), other = new Set(definitions(system, 1)), same = new Set(one);
  const lacks = one.filter((each) => !other.has(each)), more = [...other].filter((each) => !same.has(each));
  if (lacks.length + more.length > 0) broken.push(`definitions differ; only at the source: ${lacks.slice(0, 3)}; only at the target: ${more.slice(0, 3)}`);
  return broken;
}

/** Nothing is left by a plan that was refused. */
const untouched = (system) => [0, 1].filter((shard) => sql(system, shard, "SELECT count(*) FROM pg_namespace WHERE nspname = 'moray_router'") !== '0').map((shard) => `shard ${shard} was changed by a plan that is refused`);

/** Keys and values with all that a text may hold. */
function oddObjects(any) {
  const parts = ["'", '"', '\\', '\\\\', '\u0001', '\u001f', '\u007f', '\t', '\n', '\r', '{', '}', ',', '$1', '$$', '--', ';', '/*', '%', '😀', 'é', '\u2028', 'NULL', '\\N', '\\.', "E'", "''"];
  const objects = new Map();
  for (let i = 0; i < 30; ++i) {
    let text = '';
    for (let n = 1 + any(5); n > 0; --n) text += parts[any(parts.length)];
    objects.set(`/odd/d${i}/${text}${i}`, {n: i, u: `odd ${text} ${i}`, text: i % 10 === 0 ? text.repeat(Math.ceil(300000 / text.length)) : text});
  }
  return objects;
}
async function putOdd(client, bucket, objects) {
  for (const [key, value] of objects) await call(client, 'putObject', bucket, key, value);
}
/** Those that a client does not read as they were put. */
async function oddWrong(client, bucket, objects) {
  const wrong = [];
  for (const [key, value] of objects) {
    const found = await call(client, 'getObject', bucket, key, {noCache: true}).then((object) => object.value, (error) => ({error: error.message}));
    if (JSON.stringify(found) !== JSON.stringify(value)) wrong.push(`${JSON.stringify(key)} reads ${JSON.stringify(found).slice(0, 200)}`);
  }
  return wrong;
}

module.exports = {compare, oddObjects, oddWrong, putOdd, sql, untouched};
