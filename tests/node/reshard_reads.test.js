'use strict';
// Reads that a router has sent by the ring before, when the vnodes are another shard's already.
const assert = require('node:assert');
const {afterEach, test} = require('node:test');
const fs = require('fs');
const path = require('path');

const {BUCKET} = require('./reshard_ledger');
const {keysIn, rowsNotOwned, vnodesOf} = require('./reshard_rows');
const {Relay} = require('./relay');
const {scene} = require('./reshard_scene');

const READS = 10;  // of each kind
const own = scene();
let relays = [];
afterEach(() => relays.forEach((relay) => relay.stop()));

/** The router reaches the shards by relays; what moves vnodes reaches them itself. */
async function begin(seed) {
  relays = await Promise.all(own.clusters.map((cluster) => new Relay(cluster.port).start()));
  await own.begin({seed, writers: 0, owners: 2, clusters: own.clusters.map((cluster, i) => relays[i].before(cluster))});
  const {system} = own;
  const config = JSON.parse(fs.readFileSync(system.config, 'utf8'));
  config.shards.forEach((shard, i) => { shard.url = relays[i].behind(shard.url); });
  system.config = path.join(system.directory, 'direct.json');
  fs.writeFileSync(system.config, JSON.stringify(config));
  const vnodes = vnodesOf(system, 0, 0, 8);
  own.vnodes = vnodes.join(',');
  own.moving = keysIn(system, READS, (vnode) => vnodes.includes(vnode), 'moving');
  own.staying = system.pnodes.map((pnode) => keysIn(system, 1, (vnode, owner) => owner === pnode && !vnodes.includes(vnode), 'staying')[0]);
  for (const key of own.moving) await own.put(key, {n: 5, u: key});
  for (const key of own.staying) await own.put(key, {n: 6});
}

const found = (key) => new Promise((resolve, reject) => {
  const seen = [];
  own.client.findObjects(BUCKET, `(u=${key})`, {hashkey: path.dirname(key), no_count: true})
    .on('record', (record) => seen.push(record.key)).once('end', () => resolve(seen.length === 1 ? 'seen' : `${seen.length} found`)).once('error', reject);
});
const read = (key) => own.get(key).then(() => 'seen', (error) => error.name);

/**
 * Reads that the relay of their shard, the old owner, holds back while a coordinator that stands before its
 * cutover goes on; they are answered when it waits for them, or is at its end. All of them see their objects.
 */
async function lateReads(shard, running, plan) {
  const {system} = own, relay = relays[shard];
  relay.hold();
  const reads = [...own.moving.map(read), ...own.moving.map(found)];
  // The router takes a connection's requests one after the other: the others are under way by now.
  assert.strictEqual(await read(own.staying[1 - shard]), 'seen');
  system.goOn(running);
  let ended = false;
  running.done.then(() => { ended = true; });
  await system.quiet(async () => ended || /read/.test((await system.status(plan)).waitsFor || '')).finally(() => relay.release());
  const answers = await Promise.all(reads);
  assert.deepStrictEqual(answers, Array(2 * READS).fill('seen'));
  const end = await system.ended(running);
  assert.strictEqual(end.code, 0, end.err);
  assert.deepStrictEqual(rowsNotOwned(system), []);
}

test('reads under way at a cutover without a soak see their objects', async () => {
  await begin(501);
  const plan = await own.system.plan('--vnodes', own.vnodes, '--soak', '0');
  await lateReads(0, await own.system.standing(plan, 'bind'), plan);
});

test('reads under way at a rollback see their objects', async () => {
  await begin(502);
  const {system} = own;
  const plan = await system.plan('--vnodes', own.vnodes, '--soak', '600');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  await lateReads(1, await system.standing(plan, 'bind', 'rollback'), String(Number(plan) + 1));
  assert.strictEqual((await system.ended(running)).code, 6);
});
