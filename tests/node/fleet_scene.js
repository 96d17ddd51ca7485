'use strict';
// Routers of one fleet, over two PostgreSQL databases, with a ZooKeeper: what tests of fleets share.
const assert = require('node:assert');
const bunyan = require('bunyan');
const {execFile, execFileSync} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {adminOf} = require('./admin_client');
const {freePort} = require('./free_port');
const {PostgresCluster} = require('./postgres_cluster');
const {Relay} = require('./relay');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');
const {ZooKeeper} = require('./zookeeper');
const {ZooKeeperCut} = require('./zookeeper_cut');

const BIN = process.env.MORAY_ROUTER_BIN;
const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(check, what = check) {
  for (let i = 0; ; ++i) {
    const found = await check();
    if (found) return found;
    if (i > 6000) throw new Error(`never came true: ${what}`);
    await pause(20);
  }
}

/** One router, over all of its processes. */
class Member {
  constructor(scene, name) {
    Object.assign(this, {scene, name});
    this.store = path.join(scene.directory, name);
    Object.assign(this, adminOf(() => path.join(this.process.directory, 'admin.sock')));
  }

  config(more = {}) {
    const {scene, name} = this;
    return {ring: {location: this.store}, shards: scene.shardsOf(name), workers: scene.workers, pool: {postgresPointConnections: scene.connections},
      fleet: {name: 'f', zookeeper: scene.addressesOf(name), member: name, sessionMs: 4000, credentialsFile: scene.credentials, ...scene.settings, ...more.fleet},
      ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== 'fleet'))};
  }

  /** Resolves when it serves. */
  async start(more = {}) {
    this.process = new RouterProcess({...this.config(more), ...this.ports});
    await this.process.start();
    const {port, monitorPort, statusPort} = this.process;
    this.ports = {listen: {port}, monitor: {port: monitorPort}, status: {port: statusPort}};
    return this.connect();
  }
  async connect() {
    this.client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${this.process.port}`, unwrapErrors: true});
    await new Promise((resolve) => this.client.once('connect', resolve));
    return this;
  }
  /** Starts without waiting for it to serve; `served` resolves then. */
  async begin(more = {}) {
    const ports = {listen: {port: await freePort()}, monitor: {port: await freePort()}, status: {port: await freePort()}};
    this.process = new RouterProcess({...this.config(more), ...ports});
    this.ports = ports;
    this.process.statusPort = ports.status.port;
    this.served = this.process.start();
    this.served.catch(() => {});
    return this;
  }

  call(method, ...args) {
    return new Promise((resolve, reject) => this.client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
  }
  put(key, value) { return this.call('putObject', 'b', key, value); }
  async get(key) { return (await this.call('getObject', 'b', key, {noCache: true})).value; }
  async fleet() { return (await this.result('status')).fleet; }
  async generation() { return (await this.result('status')).ring.generation; }

  /** What is under way is answered, or fails, first. */
  async end(how) {
    const {client, process} = this;
    this.client = null;
    this.process = null;
    if (!process) return null;
    const result = await how(process);
    if (client) client.close();
    return result;
  }
  stop() { return this.end((process) => process.stop()); }
  /** As kill -9. */
  kill() {
    return this.end(async (process) => {
      process.child.kill('SIGKILL');
      await process.exited;
      fs.rmSync(process.directory, {recursive: true, force: true});
    });
  }
}

class FleetScene {
  /** A fleet of `count` routers that serve. `nodes`: of ZooKeeper; `vnodes`: of a ring that is made for it; `workers`: of each router; `connections`: of a worker to a database; `settings`: more of `fleet` in all configurations; `shards`: more of them; `cuts`: who reaches ZooKeeper through something that can be cut: members, or `operator`; `relayed`: which member reaches the databases through a relay. */
  async start(count, {nodes = 1, vnodes = 100, workers = 2, connections = 4, settings = {}, shards = [], cuts = [], relayed = null} = {}) {
    this.directory = temporaryDirectory();
    this.zookeeper = await new ZooKeeper().start(nodes);
    this.cuts = {};
    for (const name of cuts) this.cuts[name] = await new ZooKeeperCut(this.zookeeper.nodes.map(({port}) => port)).start();
    this.cluster = await new PostgresCluster().start();
    this.relayed = relayed;
    if (relayed) this.relay = await new Relay(this.cluster.port).start();
    this.shards = PNODES.map((pnode, i) => ({pnode, backend: 'postgres', url: this.cluster.makeDatabase(`shard${i}`)}));
    this.credentials = path.join(this.directory, 'credentials');
    fs.writeFileSync(this.credentials, 'fleet:secret\n', {mode: 0o600});
    this.rings = path.join(this.directory, 'rings');
    Object.assign(this, {workers, connections, settings});
    this.shards.push(...shards);
    const plain = vnodes === 100 ? unpackRing('plain-100', this.directory) : path.join(this.directory, 'plain');
    if (vnodes !== 100) execFileSync(BIN, ['ring', 'create', '-b', 'leveldb', '-l', plain, '-v', String(vnodes), '-p', PNODES.join(' ')], {stdio: 'ignore'});
    execFileSync(BIN, ['ring', 'store', '-l', this.rings, plain], {stdio: 'ignore'});
    this.file = this.operator('operator');
    await this.fleet('init', this.rings);
    this.members = Array.from({length: count}, (_, i) => new Member(this, `m${i + 1}`));
    await Promise.all(this.members.map((member) => member.start()));
    // On a busy machine a router may not have its connections yet.
    await until(() => this.members[0].call('createBucket', 'b', {index: {n: {type: 'number'}}}).then(() => true, () => false), 'the bucket is there');
    for (const member of this.members) await until(() => member.put('first', {n: 0}).then(() => true, () => false), `${member.name} serves`);
    return this;
  }

  /** Where somebody finds ZooKeeper. */
  addressesOf(name) { return (this.cuts[name] || this.zookeeper).addresses; }

  /** Where somebody finds the databases. */
  shardsOf(name) { return name !== this.relayed ? this.shards : this.shards.map(({url, ...rest}) => ({...rest, url: this.relay.through(url)})); }

  member(name) {
    const member = new Member(this, name);
    this.members.push(member);
    return member;
  }

  /** `moray-router fleet`, however it ends. */
  run(...words) {
    return this.runAs(this.file, ...words);
  }
  /** The same, by another configuration. */
  runAs(file, ...words) { return this.begin(file, ...words).done; }
  /** The same, as a process that may be killed: `code` is null then. */
  begin(file, ...words) {
    const begun = {};
    begun.done = new Promise((resolve) => {
      begun.child = execFile(BIN, ['fleet', '-f', file, ...words], {maxBuffer: 64 << 20}, (error, stdout, stderr) =>
        resolve({code: error ? error.code : 0, stdout, stderr}));
    });
    return begun;
  }
  /** An operator's configuration. `as`: by whose way it reaches ZooKeeper. */
  operator(as) {
    const file = path.join(this.directory, `operator.${as}.json`);
    fs.writeFileSync(file, JSON.stringify(new Member(this, 'm1').config({fleet: {zookeeper: this.addressesOf(as)}})));
    return file;
  }
  async fleet(...words) {
    const {code, stdout, stderr} = await this.run(...words);
    assert.strictEqual(code, 0, `fleet ${words.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  }
  async json(...words) { return JSON.parse(await this.fleet('--json', ...words)); }
  async refusal(...words) {
    const {code, stdout, stderr} = await this.run(...words);
    assert.notStrictEqual(code, 0, stdout);
    return stderr;
  }

  async stop() {
    // A client whose router goes first tries for fifteen seconds more.
    for (const member of this.members) {
      if (member.client) member.client.close();
      member.client = null;
    }
    const ends = await Promise.all(this.members.map((member) => member.stop()));
    this.cluster.stop();
    if (this.relay) await this.relay.stop();
    for (const cut of Object.values(this.cuts)) await cut.stop();
    await this.zookeeper.stop();
    fs.rmSync(this.directory, {recursive: true, force: true});
    for (const end of ends) if (end) assert.strictEqual(end.code, 0, JSON.stringify(end));
  }
}

module.exports = {FleetScene, PNODES, pause, until};
