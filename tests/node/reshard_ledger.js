'use strict';
// Writers that keep account of what was acknowledged, key by key, and a look at what is there in the end.
const assert = require('node:assert');

const BUCKET = 'manta';
const SCHEMA = {index: {u: {type: 'string', unique: true}, n: {type: 'number'}}, options: {version: 1}};
/** Errors by which nothing was done. */
const REFUSED = new Set(['ReadOnlyError', 'EtagConflictError', 'UniqueAttributeError', 'OverloadedError', 'NoBackendsError', 'ObjectNotFoundError']);

/** In place of what a write that was refused would have made of a key. */
const NEVER = Symbol('never');

/** Numbers from a seed. */
function random(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state % below;
  };
}

const call = (client, method, ...args) =>
  new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));

class Ledger {
  /** `directories` of `files` keys each, below `home`; each directory is one writer's at a time. */
  constructor(seed, directories = 60, files = 4, home = 'stor') {
    this.any = random(seed);
    this.keys = new Map();  // key: {acked: version or null (deleted), maybe: [versions or null], etag}
    this.groups = [];
    for (let d = 0; d < directories; ++d) {
      const group = [];
      for (let f = 0; f < files; ++f) {
        const key = `/u/${home}/d${d}/f${f}`;
        this.keys.set(key, {acked: null, maybe: [], etag: null, unique: null, states: [null], floor: 0});
        group.push(key);
      }
      this.groups.push({keys: group, busy: false});
    }
    Object.assign(this, {anyRead: random(seed + 1e6), reads: 0, unread: {}, wrong: []});
    Object.assign(this, {version: 0, uniques: 0, acknowledged: 0, refused: {}, unknown: 0, stopped: false, slowest: 0, latencies: []});
  }

  /** One bucket, made through the router. */
  async create(client) { await call(client, 'createBucket', BUCKET, SCHEMA); }

  async run(client, writers = 4, gap = 0) {
    Object.assign(this, {writers: [], stopped: false});
    for (let i = 0; i < writers; ++i) this.writers.push(this.write(client, gap));
  }
  async write(client, gap) {
    while (!this.stopped) {
      const group = this.groups[this.any(this.groups.length)];
      if (group.busy) {
        await new Promise(setImmediate);
        continue;
      }
      group.busy = true;
      try {
        await this.operate(client, group);
      } finally {
        group.busy = false;
      }
      if (gap > 0) await new Promise((resolve) => setTimeout(resolve, gap));
    }
  }
  /** Until so many more operations have been acknowledged. */
  async goesOn(count = 40) {
    const enough = this.acknowledged + count;
    for (const begun = Date.now(); this.acknowledged < enough; await new Promise((resolve) => setTimeout(resolve, 5)))
      assert.ok(Date.now() - begun < 60000, `writers do not go on: ${this.acknowledged} acknowledged, refused: ${JSON.stringify(this.refused)}, ${this.lastUnknown}`);
  }
  async stop() {
    this.stopped = true;
    await Promise.all(this.writers || []);
  }

  value(unique) { return {v: ++this.version, n: this.version, ...(unique === null ? {} : {u: unique})}; }

  async operate(client, group) {
    const key = group.keys[this.any(group.keys.length)], other = group.keys[this.any(group.keys.length)];
    const entry = this.keys.get(key);
    switch (this.any(8)) {
      case 0: return this.attempt([key], [null], () => call(client, 'delObject', BUCKET, key));
      case 1: {  // only if it is what we know
        const value = this.value(entry.unique);
        const condition = entry.maybe.length > 0 || entry.etag === undefined ? {} : {etag: entry.etag};
        return this.attempt([key], [value], () => call(client, 'putObject', BUCKET, key, value, condition));
      }
      case 2: {  // several of a directory at once
        const values = group.keys.map((each) => this.value(this.keys.get(each).unique));
        return this.attempt(group.keys, values, () => call(client, 'batch', group.keys.map((each, i) => ({bucket: BUCKET, key: each, value: values[i]}))));
      }
      case 3: {  // a unique value goes from one key to another
        if (key === other || entry.maybe.length > 0 || this.keys.get(other).maybe.length > 0) return undefined;
        const here = entry.unique, there = this.keys.get(other).unique;
        if (!await this.put(client, key, null) || !await this.put(client, other, here)) return undefined;
        return this.put(client, key, there);
      }
      default: return this.put(client, key, entry.unique === null && entry.maybe.length === 0 ? `u${++this.uniques}` : entry.unique);
    }
  }
  put(client, key, unique) {
    const value = this.value(unique);
    return this.attempt([key], [value], () => call(client, 'putObject', BUCKET, key, value));
  }

  /** True: acknowledged. What failed in an unknown way may be there, now or later. */
  async attempt(keys, values, work) {
    const begun = process.hrtime.bigint();
    const places = keys.map((key, i) => this.keys.get(key).states.push(values[i] && values[i].v) - 1);
    try {
      const answer = await work();
      this.note(begun, keys[0]);
      keys.forEach((key, i) => {
        const etag = values[i] === null ? null : answer && answer.etag !== undefined ? answer.etag : answer && answer.etags && answer.etags[i] ? answer.etags[i].etag : undefined;
        this.seen(this.keys.get(key), places[i]);
        Object.assign(this.keys.get(key), {acked: values[i] && values[i].v, maybe: [], etag, unique: values[i] === null ? null : values[i].u === undefined ? null : values[i].u});
      });
      ++this.acknowledged;
      return true;
    } catch (error) {
      this.note(begun, keys[0]);
      if (REFUSED.has(error.name)) {
        keys.forEach((key, i) => { this.keys.get(key).states[places[i]] = NEVER; });
        const {acked, maybe} = this.keys.get(keys[0]);
        if (error.name === 'ObjectNotFoundError' && acked !== null && maybe.length === 0) this.wrong.push(`${keys[0]} is deleted as absent, though ${acked} was acknowledged`);
        if (error.name !== 'ObjectNotFoundError') this.refused[error.name] = (this.refused[error.name] || 0) + 1;
        return false;
      }
      ++this.unknown;
      this.lastUnknown = `${error.name}: ${error.message}`;
      keys.forEach((key, i) => {
        const entry = this.keys.get(key);
        entry.maybe.push(values[i] && values[i].v);
        entry.etag = undefined;
      });
      return false;
    }
  }
  /** From now on nobody may read what a key was before. */
  seen(entry, place) { entry.floor = Math.max(entry.floor, place); }

  /**
   * Reads keys over and over, until `stop`: each is what it was when the read began, or became later, and never
   * what it was before anything that was read or acknowledged by then. `clients`: one, or several that ask in turn.
   */
  async judge(clients, gap = 1) {
    const keys = [...this.keys.keys()], all = [clients].flat();
    for (let turn = 0; !this.stopped; await new Promise((resolve) => setTimeout(resolve, gap))) {
      const client = all[turn++ % all.length];
      const key = keys[this.anyRead(keys.length)], entry = this.keys.get(key), {floor} = entry;
      let version;
      try {
        version = await call(client, 'getObject', BUCKET, key, {noCache: true}).then(({value}) => value.v, (error) => {
          if (error.name === 'ObjectNotFoundError') return null;
          throw error;
        });
      } catch (error) {
        this.unread[error.name] = (this.unread[error.name] || 0) + 1;
        continue;
      }
      ++this.reads;
      const place = entry.states.indexOf(version, floor);
      if (place >= 0) this.seen(entry, place);
      else this.wrong.push(`${key} reads ${version}: ${version === null ? 'absent, though it exists' : 'an older state, or none that was ever there'}; ` +
        `possible: ${entry.states.slice(floor).map(String)}`);
    }
  }

  note(begun, key) {
    const took = Number(process.hrtime.bigint() - begun) / 1e6;
    this.slowest = Math.max(this.slowest, took);
    if (this.record) this.latencies.push([Number(process.hrtime.bigint() / 1000n) / 1000, took, key]);
  }

  /** Every key's last acknowledged state is on its owner, once; nothing else is anywhere. */
  async check(system, client, {ghosts = false} = {}) {
    const rows = system.pnodes.map((_, shard) => {
      if (!system.has(shard, BUCKET)) return [];
      const [all, different] = JSON.parse(system.sql(shard, `SELECT json_build_array(count(*), count(DISTINCT _id)) FROM ${BUCKET}`));
      assert.strictEqual(all, different, `shard ${shard} has an id twice`);
      return JSON.parse(system.sql(shard, `SELECT coalesce(json_agg(json_build_array(_key, (_value::json->>'v')::int)), '[]') FROM ${BUCKET} WHERE _key LIKE '/u/%'`));
    });
    const byKey = rows.map((list) => new Map(list.map(([key, version]) => [key, version])));
    const places = system.locate(BUCKET, [...this.keys.keys()]);
    for (const [key, entry] of this.keys) {
      const place = places.get(key);
      const owner = system.pnodes.indexOf(place.pnode);
      const found = byKey[owner].has(key) ? byKey[owner].get(key) : null;
      assert.ok([entry.acked, ...entry.maybe].includes(found),
        `${key} (vnode ${place.vnode}, shard ${owner}): ${found} is there, ${entry.acked} was acknowledged, unknown: ${entry.maybe}`);
      const others = ghosts ? [] : [...byKey.keys()].filter((shard) => shard !== owner && byKey[shard].has(key));
      assert.deepStrictEqual(others, [], `${key}: a row is left on shards that do not own it`);
      assert.strictEqual(await this.read(client, key), found, key);
    }
  }

  /** A key's version as the router reads it, or null; a database that restarted may have no connection for seconds yet. */
  async read(client, key) {
    for (const begun = Date.now();; await new Promise((resolve) => setTimeout(resolve, 50))) {
      try {
        return (await call(client, 'getObject', BUCKET, key)).value.v;
      } catch (error) {
        if (error.name === 'NoBackendsError' && Date.now() - begun < 20000) continue;
        assert.strictEqual(error.name, 'ObjectNotFoundError', error.message);
        return null;
      }
    }
  }
}

module.exports = {Ledger, BUCKET, SCHEMA, call, random};
