'use strict';
// Looks for rows where they must not be.
const {BUCKET} = require('./reshard_ledger');

/** Keys of rows on shards that don't own them by the ring in force, as `shard: key`; of the vnodes that `only` names. */
function rowsNotOwned(system, {buckets = [BUCKET], only = () => true} = {}) {
  const wrong = [];
  for (const bucket of buckets)
    for (const shard of system.pnodes.keys()) {
      const keys = keysAt(system, shard, bucket);
      if (keys.length === 0) continue;
      const places = system.locate(bucket, keys);
      for (const key of keys) if (places.get(key).pnode !== system.pnodes[shard] && only(Number(places.get(key).vnode))) wrong.push(`${shard}: ${key}`);
    }
  return wrong;
}

/** Keys of all rows of a shard. */
function keysAt(system, shard, bucket = BUCKET) {
  if (!system.has(shard, bucket)) return [];
  return JSON.parse(system.sql(shard, `SELECT coalesce(json_agg(_key ORDER BY _key), '[]') FROM ${bucket}`));
}

/** `count` keys, each in a vnode that `suits`; `prefix` keeps one caller's from another's. */
function keysIn(system, count, suits, prefix = 'k') {
  const found = [];
  for (let i = 0; found.length < count; i += 100) {
    const keys = Array.from({length: 100}, (_, n) => `/${prefix}/d${i + n}/f`);
    for (const [key, place] of system.locate(BUCKET, keys)) if (suits(Number(place.vnode), place.pnode)) found.push(key);
  }
  return found.slice(0, count);
}

/** Some vnodes of a shard's, as a plan takes them: `from` to `to` of those that it has. */
function vnodesOf(system, shard, from = 0, to = Infinity) {
  const keys = Array.from({length: 40 * system.vnodes}, (_, n) => `/v/d${n}/f`);
  const own = new Set();
  for (const place of system.locate(BUCKET, keys).values()) if (place.pnode === system.pnodes[shard]) own.add(Number(place.vnode));
  return [...own].sort((a, b) => a - b).slice(from, to);
}

module.exports = {keysAt, keysIn, rowsNotOwned, vnodesOf};
