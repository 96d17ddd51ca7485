'use strict';
// Two routers, one over PostgreSQL and one over embedded shards, are asked the same, drawn from a seed: they answer alike, but for
// ids, times, and the etags that updates make.
const {call, find} = require('./hostile_clients');

const TYPES = ['string', 'number', 'boolean', 'date', 'ip', '[string]'];
const VALUES = {
  string: ['', 'a', 'A', 'ab', 'b%', 'b_', 'é', 'x y', 'null'], number: [0, 1, -1, 2.5, 10, '7', 12345678901], boolean: [true, false, 'TRUE'],
  date: ['2020-01-01T00:00:00Z', '2020-01-01T00:00:00.500Z', '1999-12-31T00:00:00.001Z'], ip: ['10.0.0.1', '192.168.1.1', 'fd00::5'],
  '[string]': [[], ['a'], ['a', 'ab'], 'b'],
};
const INDEX = Object.fromEntries(TYPES.map((type, i) => [`f${i}`, {type}]));

const maskedText = (text) => text.replace(/\bu[0-9a-z]{7}\b/g, '<etag>');
function masked(value) {
  if (Array.isArray(value)) return value.map(masked);
  if (value instanceof Date) return '<time>';
  if (value === null || typeof value !== 'object') return typeof value === 'string' ? maskedText(value) : value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !['_id', '_mtime', 'mtime', '_txn_snap'].includes(name)).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, masked(each)]));
}

class TwinClient {
  constructor({tally, any, client, twin, number, pnodes}) {
    Object.assign(this, {tally, any, clients: [client, twin], number, pnodes, generation: 0, etags: new Map(), made: false});
  }
  one(list) { return list[this.any(list.length)]; }
  key() { return `k${this.any(12)}`; }
  value(field) { return this.any(10) === 0 ? null : this.one(VALUES[INDEX[field].type]); }
  object() {
    const value = {extra: this.any(5)};
    for (const field of Object.keys(INDEX)) if (this.any(3) > 0) value[field] = this.value(field);
    return value;
  }
  etag(key) {
    const choice = this.any(6), known = this.etags.get(key);
    if (choice === 0) return {etag: null};
    if (choice === 1) return {etag: 'DEADBEEF'};
    return choice === 2 && known && !known.startsWith('u') ? {etag: known} : {};
  }
  filter(depth) {
    const kind = this.any(3);
    if (depth > 0 && kind === 0) return `(!${this.filter(depth - 1)})`;
    if (depth > 0 && kind === 1) return `(${this.one(['&', '|'])}${this.filter(depth - 1)}${this.filter(depth - 1)})`;
    const field = this.one(Object.keys(INDEX)), value = String([this.one(VALUES[INDEX[field].type])].flat()[0] || 'a');
    return this.any(8) === 0 ? `(_key=${this.key()})` : `(${field}${this.one(['=', '=', '>=', '<='])}${this.any(5) === 0 ? '*' : value})`;
  }

  /** A request, as a method's name and what it is called with; of finds, whether their rows come in an order. */
  draw() {
    const choice = this.any(100), key = this.key(), {bucket} = this;
    if (choice < 35) return {key, method: 'putObject', args: [bucket, key, this.object(), this.etag(key)]};
    if (choice < 50) return {key, method: 'getObject', args: [bucket, key]};
    if (choice < 57) return {key, method: 'delObject', args: [bucket, key, this.etag(key)]};
    if (choice < 65) return {method: 'batch', args: [Array.from({length: 1 + this.any(3)}, () => (this.any(4) === 0 ? {bucket, key, operation: 'delete'} : {bucket, key, value: this.object(), options: this.etag(key)}))]};
    if (choice < 68) return {method: 'getBucket', args: [bucket]};
    const where = {token: this.one(this.pnodes)}, sorted = {...where, sort: [{attribute: this.one(Object.keys(INDEX)), order: this.one(['ASC', 'DESC'])}, {attribute: '_key', order: 'ASC'}], limit: 1 + this.any(6), offset: this.any(3)};
    if (choice < 92) return this.any(2) === 0 ? {method: 'findObjects', ordered: true, args: [bucket, this.filter(2), sorted]} : {method: 'findObjects', args: [bucket, this.filter(2), where]};
    const field = this.one(Object.keys(INDEX));
    return choice < 97 ? {method: 'updateObjects', args: [bucket, {[field]: this.value(field)}, this.filter(1), where]} : {method: 'deleteMany', args: [bucket, this.filter(1), where]};
  }
  async said(client, {method, args, ordered}) {
    if (method !== 'findObjects') return call(client, method, ...args);
    const rows = await find(client, ...args);
    return ordered ? rows : rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async step() {
    if (!this.made) return this.begin();
    const request = this.draw(), [client, twin] = this.clients;
    const {answer, error, fate} = await this.tally.ask(`twin ${request.method}`, () => this.said(client, request));
    // Where a fault has made it unknown what was done, the two begin anew.
    if (error && fate !== 'answered') { this.made = false; return; }
    const other = await this.said(twin, request).then((value) => ({value}), (failed) => ({failed}));
    const words = (value, failed) => (failed ? `${failed.name}: ${maskedText(failed.message)}` : masked(value === undefined ? null : value));
    this.tally.same(words(answer, error), words(other.value, other.failed), 'twins', request.method, request.args);
    if (request.key && answer) this.etags.set(request.key, answer.etag || answer._etag);
  }
  async begin() {
    this.bucket = `twin_${this.number}_${++this.generation}`;
    this.etags.clear();
    const config = {index: INDEX, options: {version: 1}};
    const {error, fate} = await this.tally.ask('createBucket', () => call(this.clients[0], 'createBucket', this.bucket, config));
    if (error) return void this.tally.check(fate !== 'answered', this.bucket, error);
    await call(this.clients[1], 'createBucket', this.bucket, config);
    this.made = true;
  }
  async end() {}
}

module.exports = {TwinClient};
