'use strict';
// `ring backfill-vnodes` on rows that were written without vnodes, as electric-moray's batches did.
const assert = require('node:assert');
const {after, before, beforeEach, test} = require('node:test');
const {execFileSync, spawn, spawnSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {PostgresCluster} = require('./postgres_cluster');
const {temporaryDirectory} = require('./router_process');

const binary = process.env.MORAY_ROUTER_BIN;
const PNODES = [1, 2].map((i) => `tcp://${i}.moray.example.com:2020`);
const ROWS = 4000;
let cluster, databases, directory, config, ring, owners, number = 0;

before(async () => { cluster = await new PostgresCluster().start(); });
after(() => cluster.stop());

const table = (name) => `
  CREATE SEQUENCE ${name}_serial;
  CREATE TABLE ${name} (_id BIGINT DEFAULT nextval('${name}_serial'), _txn_snap INTEGER, _key TEXT PRIMARY KEY, _value TEXT NOT NULL,
    _etag CHAR(8) NOT NULL, _mtime BIGINT, _vnode BIGINT);
  INSERT INTO buckets_config (name, index, pre, post, options) VALUES ('${name}', '{}', '[]', '[]', '{"version":1}');`;

beforeEach(() => {
  directory = temporaryDirectory();
  ring = path.join(directory, 'ring');
  execFileSync(binary, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', '256', '-p', PNODES.join(' ')], {stdio: 'ignore'});
  databases = PNODES.map(() => cluster.makeDatabase(`b${++number}`));
  config = path.join(directory, 'config.json');
  fs.writeFileSync(config, JSON.stringify({ring: {location: ring},
    shards: PNODES.map((pnode, i) => ({pnode, backend: 'postgres', url: databases[i]}))}));
  // Keys with what SQL and JSON may stumble over; `manta` keys go by their directory.
  const keys = [];
  for (let i = 0; i < ROWS; ++i) keys.push(['b', `k"\\'${i} ü😀`], ['manta', `/u/stor/d${i % 50}/f${i}`]);
  const places = execFileSync(binary, ['ring', 'locate', '-b', 'leveldb', '-l', ring, '--jsonl'],
    {input: keys.map(([bucket, key]) => JSON.stringify({bucket, key})).join('\n') + '\n', encoding: 'utf8', maxBuffer: 1 << 28})
    .trimEnd().split('\n').map((line) => JSON.parse(line));
  owners = new Map(keys.map(([bucket, key], i) => [bucket + key, places[i]]));
  databases.forEach((database, shard) => {
    const sql = ['CREATE TABLE buckets_config (name TEXT PRIMARY KEY, index TEXT NOT NULL, pre TEXT NOT NULL, post TEXT NOT NULL, options TEXT, mtime TIMESTAMP DEFAULT now() NOT NULL);'];
    for (const name of ['b', 'manta', 'manta_delete_log', 'manta_directory_counts']) sql.push(table(name));
    const insert = (name, key, vnode) => sql.push(`INSERT INTO ${name} (_key, _value, _etag, _mtime, _vnode) VALUES ('${key.replace(/'/g, "''")}', '{}', 'ABCDEF01', 7, ${vnode});`);
    keys.forEach(([bucket, key], i) => {
      const place = places[i];
      if (place.pnode === PNODES[shard]) insert(bucket, key, i % 3 === 0 ? place.vnode : 'NULL');
      else if (i % 1000 === 1) insert(bucket, key, 'NULL');  // a stray row of the other's
    });
    for (const name of ['manta_delete_log', 'manta_directory_counts']) insert(name, 'k', 'NULL');
    const file = path.join(directory, `${shard}.sql`);
    fs.writeFileSync(file, 'BEGIN;\n' + sql.join('\n') + '\nCOMMIT;\n');
    execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', database, '-f', file]);
  });
});

const backfill = (...more) => spawnSync(binary, ['ring', 'backfill-vnodes', '--config', config, ...more], {encoding: 'utf8'});
const rows = (database, bucket) => JSON.parse(cluster.query(database, `SELECT coalesce(json_agg(json_build_array(_key, _vnode, _etag, _mtime)), '[]') FROM ${bucket}`));

/** Every row of the shard's own has its vnode, and nothing else of it has changed. */
function check() {
  let strays = 0;
  databases.forEach((database, shard) => {
    for (const bucket of ['b', 'manta'])
      for (const [key, vnode, etag, mtime] of rows(database, bucket)) {
        const place = owners.get(bucket + key);
        assert.strictEqual(vnode, place.pnode === PNODES[shard] ? place.vnode : null, key);
        assert.deepStrictEqual([etag, mtime], ['ABCDEF01', 7]);
        if (vnode === null) ++strays;
      }
    for (const bucket of ['manta_delete_log', 'manta_directory_counts']) assert.strictEqual(rows(database, bucket)[0][1], null);
  });
  return strays;
}

test('sets what is missing and its own, and reports the rest', () => {
  const counted = backfill('--dry-run');
  assert.strictEqual(counted.status, 4, counted.stderr);
  assert.throws(check);
  const report = path.join(directory, 'report.jsonl');
  const done = backfill('--report', report, '--rows-per-second', '0');
  assert.strictEqual(done.status, 4, done.stderr);
  const strays = check();
  assert.ok(strays > 0);
  const listed = fs.readFileSync(report, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.strictEqual(listed.length, strays);
  for (const {pnode, bucket, key, vnode, owner} of listed) {
    assert.deepStrictEqual([vnode, owner], [owners.get(bucket + key).vnode, owners.get(bucket + key).pnode]);
    assert.notStrictEqual(pnode, owner);
  }
  const lines = done.stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.deepStrictEqual(lines.map(({pnode}) => pnode), PNODES);
  assert.deepStrictEqual(lines.map(({set, misplaced}) => set + misplaced), lines.map(({withoutVnode}) => withoutVnode));
  const again = backfill();
  assert.deepStrictEqual(again.stdout.trimEnd().split('\n').map((line) => JSON.parse(line).set), [0, 0]);
});

test('killed and interrupted, it goes on where it was; it keeps to its rate', async () => {
  const journal = path.join(directory, 'journal.json');
  const began = Date.now();
  const run = spawn(binary, ['ring', 'backfill-vnodes', '--config', config, '--journal', journal, '--rows-per-second', '800'], {stdio: 'ignore'});
  const ended = new Promise((resolve) => run.on('close', (code, signal) => resolve(code ?? signal)));
  const set = () => Number(cluster.query(databases[0], 'SELECT count(*) FROM b WHERE _vnode IS NOT NULL'));
  const first = set();
  while (!fs.existsSync(journal) || set() < first + 500) await new Promise((resolve) => setTimeout(resolve, 10));
  run.kill('SIGKILL');
  assert.strictEqual(await ended, 'SIGKILL');
  const written = set() - first;
  assert.ok(written <= 800 * ((Date.now() - began) / 1000) + 400, `${written} rows in ${Date.now() - began} ms`);
  const {key} = JSON.parse(fs.readFileSync(journal, 'utf8'))[PNODES[0]];
  assert.ok(key.length > 0);
  // Rows before the place noted are not looked at again.
  cluster.query(databases[0], `UPDATE b SET _vnode = NULL WHERE _key = (SELECT min(_key) FROM b)`);
  const interrupted = spawn(binary, ['ring', 'backfill-vnodes', '--config', config, '--journal', journal, '--rows-per-second', '400'], {stdio: 'ignore'});
  const stopped = new Promise((resolve) => interrupted.on('close', resolve));
  const place = () => fs.readFileSync(journal, 'utf8');
  const noted = place();
  while (place() === noted) await new Promise((resolve) => setTimeout(resolve, 10));  // it is under way
  interrupted.kill('SIGINT');
  assert.strictEqual(await stopped, 130);
  assert.strictEqual(backfill('--journal', journal, '--rows-per-second', '0').status, 4);
  assert.throws(check);  // the row that lies before
  assert.deepStrictEqual(JSON.parse(fs.readFileSync(journal, 'utf8')), {});  // done: the next begins anew
  assert.strictEqual(backfill('--journal', journal).status, 4);
  check();
});

test('what it can not do it says', () => {
  assert.match(backfill('--pnode', 'tcp://nobody:1').stderr, /"tcp:\/\/nobody:1" is not a PostgreSQL shard/);
  fs.writeFileSync(config, JSON.stringify({ring: {location: ring}, shards: PNODES.map((pnode) => ({pnode, backend: 'postgres', url: 'postgresql://moray@127.0.0.1:1/none'}))}));
  const refused = backfill();
  assert.strictEqual(refused.status, 1);
  assert.match(refused.stderr, /refused/);
  assert.match(spawnSync(binary, ['ring', 'backfill-vnodes', '--help'], {encoding: 'utf8'}).stdout, /--rows-per-second/);
  assert.match(spawnSync(binary, ['ring', 'help'], {encoding: 'utf8'}).stdout, /backfill-vnodes/);
});
