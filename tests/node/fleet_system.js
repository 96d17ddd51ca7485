'use strict';
// A System (reshard_system.js) of three routers as a ledger of fleet_ledger.js writes and reads through them, and its last router's way
// to ZooKeeper, which can be cut.
const {System} = require('./reshard_system');
const {ZooKeeperCut} = require('./zookeeper_cut');

/** The routers of a system that runs, with a client each and a bucket. */
async function membersOf(system) {
  const members = await Promise.all(system.routers.map(async ({port}, i) => {
    const client = await system.connect(port);
    const call = (method, ...args) => new Promise((resolve, reject) => client[method]('b', ...args, (error, value) => error ? reject(error) : resolve(value)));
    return {name: `m${i + 1}`, client, call, put: (key, value) => call('putObject', key, value), get: (key) => call('getObject', key, {noCache: true}).then(({value}) => value)};
  }));
  await members[0].call('createBucket', {index: {n: {type: 'number'}}});
  return members;
}

class CutSystem extends System {
  constructor(options = {}) { super({routers: 3, fleet: 1, ...options}); }
  async makeFleet() {
    await super.makeFleet();
    this.cut = await new ZooKeeperCut(this.zookeeper.nodes.map(({port}) => port)).start();
  }
  memberConfig(i) {
    const {fleet} = super.memberConfig(i);
    return {fleet: i === this.routers.length - 1 ? {...fleet, zookeeper: this.cut.addresses} : fleet};
  }
  async stop(options) {
    await this.cut.stop();
    return super.stop(options);
  }
}

module.exports = {CutSystem, membersOf};
