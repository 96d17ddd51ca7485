'use strict';
// Starts the router in front of scripted or embedded shards, with the ring of the recordings.
const fs = require('fs');
const path = require('path');
const {execFileSync} = require('child_process');
const {PostgresCluster} = require('../node/postgres_cluster');
const {RouterProcess, temporaryDirectory} = require('../node/router_process');
const {ScriptedShard} = require('./scripted_shard');

const PNODES = ['tcp://1.moray.lab:2020', 'tcp://2.moray.lab:2020'];
const rings = path.join(__dirname, '..', 'data', 'wire');

class System {
  /** `ring`: lab (two shards), lab-ro (vnode 189 is "ro") or lab-one (one shard). */
  static async start({ring = 'lab', shards, config = {}}) {
    const system = new System();
    system.directory = temporaryDirectory();
    execFileSync('tar', ['-xf', path.join(rings, ring + '.leveldb.tar.gz'), '-C', system.directory]);
    system.router = new RouterProcess({
      ring: {location: path.join(system.directory, ring)}, shards, workers: 1,
      admin: {socket: path.join(system.directory, 'admin.sock')}, ...config,
    });
    await system.router.start();
    system.port = system.router.port;
    return system;
  }

  static embedded({pnodes = PNODES, ...rest}) {
    const directory = temporaryDirectory();
    const shards = pnodes.map((pnode, i) =>
      ({pnode, backend: 'embedded', path: path.join(directory, `shard-${i + 1}`)}));
    return System.start({shards, ...rest}).then((system) => Object.assign(system, {data: directory}));
  }

  /** A database for each shard. */
  static async postgres({pnodes = PNODES, ...rest} = {}) {
    const cluster = await new PostgresCluster().start();
    const shards = pnodes.map((pnode, i) => ({pnode, backend: 'postgres', url: cluster.makeDatabase(`shard${i + 1}`)}));
    const system = await System.start({shards, ...rest});
    return Object.assign(system, {cluster});
  }

  static async scripted({pnodes = PNODES, readOnly = [], ...rest} = {}) {
    const scripted = await Promise.all(pnodes.map((pnode) => new ScriptedShard(pnode).listen()));
    const shards = scripted.map(({pnode, port}) =>
      ({pnode, backend: 'moray', address: `127.0.0.1:${port}`, readOnly: readOnly.includes(pnode)}));
    const system = await System.start({shards, ...rest});
    return Object.assign(system, {shards: scripted});
  }

  alive() {
    return this.router.child.exitCode === null && this.router.child.signalCode === null;
  }

  async stop() {
    const result = await this.router.stop();
    this.cluster?.stop();
    for (const shard of this.shards ?? []) await shard.close();
    for (const directory of [this.directory, this.data])
      if (directory) fs.rmSync(directory, {recursive: true, force: true});
    // A sanitizer's report shows in the exit code.
    if (result.code !== 0) throw new Error(`the router ended with ${result.code ?? result.signal}: ${this.router.errors}`);
    return result;
  }
}

module.exports = {PNODES, System};
