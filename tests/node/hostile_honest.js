'use strict';
// The kinds of honest clients: of a bucket that all share, of a bucket of their own, and those who listen. `step` asks for one thing
// and judges its answer; `end` judges what is left.
const {Account} = require('./hostile_account');
const {call, find, pause, sql} = require('./hostile_clients');

const SHARED = 'manta';  // keys of one directory are at one shard
const INDEX = {d: {type: 'string'}, n: {type: 'number'}, s: {type: 'string'}, u: {type: 'string', unique: true}};

/** What a client's SQL could leave in a session: as the router has set it, or none. */
const SESSION = `SELECT current_setting('TimeZone') AS zone, current_setting('search_path') AS path, current_setting('client_encoding') AS encoding,
  current_setting('statement_timeout') AS timeout, current_setting('lock_timeout') AS locks, current_setting('lc_messages') AS messages,
  current_setting('transaction_read_only') AS read_only, current_setting('transaction_isolation') AS isolation,
  current_setting('session_replication_role') AS role, current_setting('standard_conforming_strings') AS strings,
  current_setting('enable_indexscan') AS scans, current_user::text AS who, session_user::text AS whose,
  (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS advisory,
  (SELECT count(*)::int FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid)) AS temporary,
  (SELECT count(*)::int FROM pg_listening_channels()) AS listens, (SELECT count(*)::int FROM pg_cursors WHERE is_holdable) AS cursors`;

class SharedClient {
  /** `settings`: what SESSION has said before anybody was hostile. */
  constructor({tally, any, client, number, settings}) {
    Object.assign(this, {tally, any, client, number, settings});
    const groups = [0, 1].map((d) => Array.from({length: 6}, (_, i) => `/c${number}/d${d}/k${i}`));
    this.account = new Account({tally, any, client, number, bucket: SHARED, groups, where: (i) => [{hashkey: `/c${number}/d${i}`}]});
  }

  step() {
    const choice = this.any(100), {account} = this;
    if (choice < 35) return account.put();
    if (choice < 55) return account.get();
    if (choice < 62) return account.remove();
    if (choice < 72) return account.batch();
    if (choice < 84) return account.find();
    if (choice < 88) return account.changeMany();
    if (choice < 92) return this.sum();
    if (choice < 95) return this.session();
    if (choice < 97) return this.bucket();
    return this.ping();
  }

  /** What SQL says of the client's rows, at both shards together. */
  async sum() {
    const values = [...this.account.entries.values()].flatMap(({value}) => value || []);
    const {answer, error, fate} = await this.tally.ask('sql', () => sql(this.client, `SELECT count(*)::int AS count, coalesce(sum(n), 0)::int AS sum FROM ${SHARED} WHERE d LIKE $1`, [`${this.number}-%`]));
    if (error && fate !== 'answered' || !this.tally.check(!error, 'sql', error)) return;
    const total = (name) => answer.reduce((all, row) => all + row[name], 0);
    this.tally.same([answer.length, total('count'), total('sum')], [2, values.length, values.reduce((all, {n}) => all + n, 0)], 'sql', this.number);
  }
  async session() {
    const {answer, error, fate} = await this.tally.ask('sql', () => sql(this.client, SESSION));
    if (error && fate !== 'answered' || !this.tally.check(!error, 'sql', error)) return;
    this.tally.same(answer, [this.settings, this.settings], 'a session is not as the router has set it:');
  }
  async bucket() {
    const {answer, error, fate} = await this.tally.ask('getBucket', () => call(this.client, 'getBucket', SHARED));
    if (error && fate !== 'answered' || !this.tally.check(!error, 'getBucket', error)) return;
    this.tally.same([answer.name, answer.index], [SHARED, INDEX], 'getBucket');
  }
  async ping() {
    const {error, fate} = await this.tally.ask('ping', () => call(this.client, 'ping', {deep: this.any(2) === 0, timeout: 60_000}));
    this.tally.check(!error || fate !== 'answered', 'ping', error);
  }
  end() { return this.account.audit(); }
}

/** Makes a bucket, uses it, changes and reindexes it, deletes it, makes it anew. A change of unknown outcome ends the bucket's use. */
class BucketClient {
  constructor({tally, any, client, number, pnodes}) {
    Object.assign(this, {tally, any, client, number, pnodes, generation: 0, account: null});
  }

  async step() {
    if (!this.account) return this.create();
    const choice = this.any(100), {account} = this;
    if (choice < 40) return account.put();
    if (choice < 60) return account.get();
    if (choice < 70) return account.remove();
    if (choice < 86) return account.find();
    if (choice < 90) return this.look();
    if (choice < 96) return this.update();
    if (choice < 98) return this.delete();
    return this.list();
  }

  /** One and the same name again where nothing is unknown of it; the workers know it from before. */
  async create() {
    this.name = `own_${this.number}_${this.generation}`;
    this.version = 1;
    const {error, fate} = await this.tally.ask('createBucket', () => call(this.client, 'createBucket', this.name, this.config()));
    if (error) return this.giveUp(error, fate);
    const keys = Array.from({length: 10}, (_, i) => `key ${i}`);
    this.account = new Account({...this, bucket: this.name, groups: [keys], where: () => this.pnodes.map((token) => ({token}))});
  }
  config() { return {index: this.version === 1 ? INDEX : {...INDEX, [`x${this.version}`]: {type: 'string'}}, options: {version: this.version}}; }
  giveUp(error, fate) {
    this.tally.check(fate !== 'answered', this.name, error);
    ++this.generation;
    this.account = null;
  }

  async look() {
    const {answer, error, fate} = await this.tally.ask('getBucket', () => call(this.client, 'getBucket', this.name));
    if (error && fate !== 'answered' || !this.tally.check(!error, this.name, 'getBucket', error)) return;
    const {index, options} = this.config();
    this.tally.same([answer.name, answer.index, answer.options], [this.name, index, options], 'getBucket');
  }
  async list() {
    const {answer, error, fate} = await this.tally.ask('listBuckets', () => call(this.client, 'listBuckets'));
    if (error && fate !== 'answered' || !this.tally.check(!error, 'listBuckets', error)) return;
    for (const name of [this.name, SHARED]) this.tally.check(answer.some((bucket) => bucket.name === name), 'listBuckets without', name);
  }

  /** A new index instead of the last one; once all rows are in it, it finds none, since no value has that field. */
  async update() {
    ++this.version;
    const {error, fate} = await this.tally.ask('updateBucket', () => call(this.client, 'updateBucket', this.name, this.config()));
    if (error) return this.giveUp(error, fate);
    for (;;) {
      const {answer, error: failed} = await this.tally.askUntilAnswered('reindexObjects', () => call(this.client, 'reindexObjects', this.name, 4));
      if (!this.tally.check(!failed, this.name, 'reindexObjects', failed)) return;
      if (answer.processed === 0) break;
    }
    for (const token of this.pnodes) {
      const {answer, error: failed} = await this.tally.askUntilAnswered('find', () => find(this.client, this.name, `(x${this.version}=*)`, {token}));
      this.tally.check(!failed && answer.length === 0, this.name, 'find by the new index', failed || answer);
    }
  }

  async delete() {
    const {error, fate} = await this.tally.ask('delBucket', () => call(this.client, 'delBucket', this.name));
    if (error) return this.giveUp(error, fate);
    this.account = null;
    for (const [method, ...args] of [['getBucket'], ['getObject', 'key 1'], ['putObject', 'key 1', {n: 1}]]) {
      const {error: failed, answer} = await this.tally.askUntilAnswered(method, () => call(this.client, method, this.name, ...args));
      this.tally.check(failed && failed.name === 'BucketNotFoundError', this.name, 'is deleted, and', method, 'says', failed || answer);
    }
  }
  async end() { if (this.account) await this.account.audit(); }
}

/** Notifies itself: what was acknowledged is heard once, in order, from the first that is heard on. */
class ListeningClient {
  constructor({tally, any, client, number}) {
    Object.assign(this, {tally, any, client, channel: `channel ${number}`, sent: 0, due: [], uncertain: new Set()});
  }
  listen() {
    Object.assign(this, {stream: this.client.listen(this.channel), hears: false, due: []});
    const {stream} = this;
    stream.on('data', ({payload}) => this.heard(Number(payload)));
    stream.on('error', (error) => { if (this.stream === stream) this.lost(error); });
    stream.on('end', () => { if (this.stream === stream) this.lost(null); });
  }
  lost(error) {
    if (!this.ending) this.tally.check(error, this.channel, 'the listen has ended by itself');
    this.stream = null;
  }
  heard(number) {
    this.hears = true;
    while (this.due.length > 0 && this.due[0] !== number && (this.uncertain.has(this.due[0]) || this.due[0] < this.first)) this.due.shift();
    if (this.due.length > 0) this.tally.check(this.due.shift() === number, this.channel, 'heard', number);
    else this.tally.check(false, this.channel, 'heard again, or what was not sent:', number);
  }
  async step() {
    if (!this.stream) return this.listen();
    const {stream, hears} = this, number = ++this.sent;
    this.due.push(number);
    if (!hears) this.first = number + 1;  // it may not listen yet
    const {error, fate} = await this.tally.ask('notify', () => call(this.client, 'notify', this.channel, String(number)));
    if (error) this.uncertain.add(number);
    this.tally.check(!error || fate !== 'answered', 'notify', error);
    if (this.any(60) === 0 && this.stream === stream && this.hears) await this.unlisten();
    else if (!this.hears) await pause(5);
  }
  /** Waits first for the notifications that are due. */
  async unlisten() {
    const {stream} = this;
    for (const end = Date.now() + 60_000; this.stream === stream && this.missing().length > 0 && Date.now() < end;) await pause(5);
    if (this.stream !== stream) return;
    this.tally.same(this.missing(), [], this.channel, 'was not heard');
    this.ending = true;
    await this.tally.ask('unlisten', () => new Promise((resolve, reject) => stream.unlisten((error) => (error ? reject(error) : resolve()))));
    for (const end = Date.now() + 60_000; this.stream === stream && Date.now() < end;) await pause(2);
    this.tally.check(this.stream !== stream, this.channel, 'does not end');
    this.ending = false;
  }
  missing() { return this.due.filter((number) => number >= this.first && !this.uncertain.has(number)); }
  async end() { if (this.stream && this.hears) await this.unlisten(); }
}

module.exports = {BucketClient, INDEX, ListeningClient, SESSION, SHARED, SharedClient};
