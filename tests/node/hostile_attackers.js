'use strict';
// Clients that do what may hurt others who share the router, its sessions and its databases. An answer may be an error; it comes.
const {execFile} = require('child_process');
const path = require('path');

const {call, pause, raw, sql} = require('./hostile_clients');
const {AGAINST_OTHERS, KINDS} = require('./hostile_statements');
const {SHARED} = require('./hostile_honest');
const {Session} = require('../replay/session');
const {encode} = require('../replay/fast_wire');

/** Filters that are long, deep, or wrong. */
const FILTERS = [
  () => `${'(!'.repeat(900)}(n=1)${')'.repeat(900)}`, () => `${'(!'.repeat(50_000)}(n=1)${')'.repeat(50_000)}`, () => `(|${Array.from({length: 65_536}, (_, i) => `(n=${i})`).join('')})`,
  () => `(&${Array.from({length: 9000}, (_, i) => `(!(s=x${i}))`).join('')})`, () => '(s=a\u0000b)', () => '(s=\\00)', () => '(' , () => '(n=', () => '(n=*)'.repeat(2), () => '', () => '(nothing=1)', () => '(s=*a*b*c*)',
  () => `(s=${'x'.repeat(1 << 20)})`, () => "(s='; DROP TABLE manta; --)", () => '(n:contains:=1)', () => `(|${'(s=a)'.repeat(30_000)})`,
];
const message = (method, args) => ({msgid: 1, json: JSON.stringify({m: {uts: 1, name: method}, d: args})});

class Attacker {
  /** `tables`: names of tables of honest clients, as they are now. `urls`: of the databases. `kills`: may end others' sessions now. */
  constructor({tally, any, client, port, cluster, urls, tables, mayKill, answerSlowest}) {
    Object.assign(this, {tally, any, client, port, cluster, urls, tables, mayKill, answerSlowest, turn: any(100)});
  }
  one(list) { return list[this.any(list.length)]; }

  /** Each kind in turn, so that few acts are of many kinds. */
  async step() {
    const acts = [...Object.keys(KINDS).map((kind) => [kind, () => this.statement(kind)]), ['others', () => this.others()], ['filters', () => this.filter()], ['texts', () => this.texts()],
      ['leavers', () => this.leave()], ['slow readers', () => this.readSlowly()], ['versions', () => this.version()], ['values', () => this.values()], ['batches', () => this.batch()], ['bytes', () => this.bytes()]];
    const [kind, act] = acts[this.turn++ % acts.length];
    this.tally.hostileAct(kind);
    const begun = performance.now();
    await act().catch((error) => {
      this.tally.hostileError(error);
      this.tally.check(error.name !== 'timeout', 'a hostile request has no answer:', kind, error);
    });
    this.answerSlowest(kind, performance.now() - begun);
  }

  statement(kind) {
    const {any} = this, tables = this.tables();
    const text = this.one(KINDS[kind])(any, [this.one(tables), this.one(tables)]);
    return sql(this.client, text, [], this.any(6) === 0 ? {timeout: 50} : {});
  }
  async others() {
    if (this.mayKill()) await sql(this.client, this.one(AGAINST_OTHERS));
  }
  filter() {
    const text = this.one(FILTERS)(), options = {hashkey: `/c${this.any(9)}/d0`, timeout: 1000};
    return this.one([() => raw(this.port, 'findObjects', [SHARED, text, options]), () => raw(this.port, 'deleteMany', [SHARED, `(&(d=nobody)${text})`, options]),
      () => raw(this.port, 'updateObjects', [SHARED, {n: 1}, `(&(d=nobody)${text})`, options])])();
  }
  texts() {
    return this.one([() => raw(this.port, 'getObject', [SHARED, 'a\u0000b', {}]), () => raw(this.port, 'putObject', [SHARED, '/x/\u0000', {d: 'x\u0000', s: '\ud800'}, {}]),
      () => raw(this.port, 'createBucket', ['hostile"\u0000', {index: {}}, {}]), () => raw(this.port, 'createBucket', ["a'; DROP TABLE manta; --", {index: {}}, {}]), () => raw(this.port, 'getBucket', [{}, '\u0000']),
      () => raw(this.port, 'putObject', [SHARED, '/x/deep', JSON.parse(`{"a":${'['.repeat(400)}${']'.repeat(400)}}`), {}]), () => raw(this.port, 'listen', ['\u0000', {}]),
      () => raw(this.port, 'putObject', [SHARED, `/x/${'k'.repeat(4000)}`, {d: 'y'.repeat(9000), n: 1e308, u: 'z'.repeat(9000)}, {}]), () => raw(this.port, 'updateBucket', [SHARED, {index: {}, options: {version: 0.5}}, {}])])();
  }
  values() {
    return this.one([() => sql(this.client, 'SELECT $1', [{a: [1]}]), () => sql(this.client, 'SELECT $1::int', ['x']), () => sql(this.client, 'SELECT 1', [1, 2]), () => sql(this.client, 'SELECT $1::text; SELECT 2', ['x']),
      () => sql(this.client, 'SELECT $1::text', ['a\u0000b']), () => raw(this.port, 'sql', [`SELECT 1 WHERE 1 IN (${Array.from({length: 65_536}, (_, i) => `$${i + 1}`)})`, Array(65_536).fill(1), {}]),
      () => sql(this.client, 'SET TimeZone = $1', ['x']), () => sql(this.client, 'BEGIN', [1]), () => sql(this.client, 'LISTEN x', [])])();
  }
  batch() {
    const key = `/hostile/${this.any(3)}`, puts = (count) => Array.from({length: count}, (_, i) => ({bucket: SHARED, key: `${key}/${i}`, value: {d: 'hostile', n: i, u: `hostile${i}`}}));
    return this.one([() => call(this.client, 'batch', puts(300)), () => call(this.client, 'batch', [...puts(30), {bucket: SHARED, key: `${key}/none`, operation: 'delete'}]), () => call(this.client, 'batch', [...puts(5), {bucket: 'nothing', key: `${key}/x`, value: {}}]),
      () => call(this.client, 'deleteMany', SHARED, '(d=hostile)', {hashkey: key, timeout: 20})])();
  }

  /** Leaves in the middle of a request, or of its answer. */
  async leave() {
    const session = await Session.connect(this.port);
    const [method, ...args] = this.one([['sql', 'SELECT generate_series(1, 200000) AS n', [], {}], ['sql', 'SELECT pg_sleep(0.2)', [], {}], ['sql', `LOCK TABLE ${this.one(this.tables())}; SELECT pg_sleep(0.1)`, [], {}],
      ['findObjects', SHARED, '(n=*)', {hashkey: '/c1/d0', noLimit: true}], ['sql', "SET search_path = nowhere; SELECT repeat('x', 1000) FROM generate_series(1, 50000)", [], {}], ['listen', 'hostile', {}],
      ['putObject', SHARED, '/hostile/left', {d: 'hostile', n: 1}, {}], ['createBucket', `hostile_${this.any(5)}`, {index: {n: {type: 'number'}}}, {}], ['delBucket', `hostile_${this.any(5)}`, {}]]);
    const bytes = encode({version: 2, status: 1, ...message(method, args)});
    if (this.any(5) === 0) session.send(bytes.subarray(0, this.any(bytes.length)));
    else session.send(bytes);
    await pause(this.any(60));
    session.close();
  }
  async readSlowly() {
    const session = await Session.connect(this.port);
    session.send(encode({version: 2, status: 1, ...message('sql', ["SELECT repeat('x', 10000) AS text FROM generate_series(1, 1500)", [], {}])}));
    for (let i = 0; i < 4; ++i) {
      session.socket.pause();
      await pause(100);
      session.socket.resume();
      await pause(5);
    }
    if (this.any(2) === 0) await session.until(() => session.answered(1), 60_000);
    session.close();
  }
  async bytes() {
    const session = await Session.connect(this.port), good = encode({version: 2, status: 1, ...message('ping', [{}])});
    const junk = Buffer.from(Array.from({length: 1 + this.any(300)}, () => this.any(256)));
    session.send(this.one([junk, Buffer.concat([good, junk]), good.subarray(0, 10), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.concat(Array(500).fill(good))]));
    await pause(20);
    session.close();
  }

  /** Another process that serves this database gives the shared bucket a new version; past the router, by psql. */
  version() {
    const statement = `UPDATE buckets_config SET options = jsonb_set(options::jsonb, '{version}', to_jsonb((options::jsonb->>'version')::int + 1))::text::json WHERE name = '${SHARED}'`;
    return new Promise((resolve, reject) => execFile(path.join(this.cluster.bin, 'psql'), ['-X', '-q', '-d', this.one(this.urls), '-c', statement], (error) => (error ? reject(error) : resolve())));
  }
}

module.exports = {Attacker};
