'use strict';
// What files of tests about resharding share: clusters for all of a file's tests; for each test a system, a
// client and a ledger whose writers go on until it ends.
const assert = require('node:assert');
const {after, afterEach, before} = require('node:test');

const {Ledger, BUCKET, call} = require('./reshard_ledger');
const {PostgresCluster} = require('./postgres_cluster');
const {System} = require('./reshard_system');

function scene({shards = 2} = {}) {
  const own = {};
  before(async () => { own.clusters = await PostgresCluster.several(shards); });
  after(() => own.clusters.forEach((cluster) => cluster.stop()));
  afterEach(async () => {
    own.clusters.forEach((cluster) => cluster.revive());
    if (own.ledger) await own.ledger.stop();
    if (own.system) await own.system.stop();
    Object.assign(own, {system: null, ledger: null});
  });
  /** `writers`: how many write from the beginning. */
  own.begin = async ({seed = 1, writers = 4, gap = 2, ...options} = {}) => {
    own.system = await new System({clusters: own.clusters, ...options}).start();
    own.client = await own.system.connect();
    own.ledger = new Ledger(seed);
    await own.ledger.create(own.client);
    if (writers === 0) return;
    await own.ledger.run(own.client, writers, gap);
    await own.written(200);
  };
  /** Until so many more writes are acknowledged. */
  own.written = async (count) => {
    const before = own.ledger.acknowledged;
    await own.system.quiet(() => own.ledger.acknowledged >= before + count);
  };
  own.put = (key, value) => call(own.client, 'putObject', BUCKET, key, value);
  own.get = (key) => call(own.client, 'getObject', BUCKET, key, {noCache: true}).then((object) => object.value);
  own.remove = (key) => call(own.client, 'delObject', BUCKET, key);
  /** The object is absent, and its reader hears so. */
  own.absent = (key) => assert.rejects(own.get(key), {name: 'ObjectNotFoundError'});
  /** Writers end; each key is what was acknowledged, once, and no other error came than those. */
  own.settled = async (refused = {}, look = {}) => {
    await own.ledger.stop();
    assert.deepStrictEqual(own.ledger.refused, refused);
    assert.strictEqual(own.ledger.unknown, 0, own.ledger.lastUnknown);
    await own.ledger.check(own.system, own.client, look);
  };
  return own;
}

module.exports = {scene};
