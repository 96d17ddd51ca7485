'use strict';
// Two PostgreSQL shards, a router over a store of rings, and what moves vnodes between them.
const assert = require('node:assert');
const bunyan = require('bunyan');
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {adminOf} = require('./admin_client');
const {PostgresCluster} = require('./postgres_cluster');
const {RouterProcess, temporaryDirectory} = require('./router_process');

const binary = process.env.MORAY_ROUTER_BIN;
const PNODES = [1, 2].map((i) => `tcp://${i}.moray.example.com:2020`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class System {
  /** `vnodes`: of the ring, all of them the first shard's, so that the second one is empty. */
  /** `template`: the name of a database that the first shard begins as. */
  /** `environment`: more variables for the router and for what moves vnodes. */
  constructor({vnodes = 64, clusters = null, workers = 2, settings = {}, bothOwn = false, template, environment = {}} = {}) {
    Object.assign(this, {vnodes, clusters, workers, settings, bothOwn, template, environment, own: !clusters, clients: [], children: new Set()});
  }

  async start() {
    this.directory = temporaryDirectory();
    if (this.own) this.clusters = [await new PostgresCluster().start(), await new PostgresCluster().start()];
    System.number = (System.number || 0) + 1;
    this.database = `reshard${process.pid}_${System.number}`;
    this.databases = this.clusters.map((cluster, i) => cluster.makeDatabase(this.database, i === 0 ? this.template : undefined));
    const ring = path.join(this.directory, 'ring');
    const owners = this.bothOwn ? PNODES : PNODES.slice(0, 1);
    execFileSync(binary, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', String(this.vnodes), '-p', owners.join(' ')], {stdio: 'ignore'});
    this.store = path.join(this.directory, 'rings');
    execFileSync(binary, ['ring', 'store', '-l', this.store, ring], {stdio: 'ignore'});
    this.state = path.join(this.directory, 'plans');
    await this.startRouter();
    this.config = this.router.file;
    // Three seconds for the first connection may be too few where many programs want the processor.
    await this.quiet(async () => JSON.parse((await this.router.page(this.router.statusPort, '/status')).text).shards
      .every(({healthyWorkers}) => healthyWorkers === this.workers)).catch(async (error) => {
      await this.router.stop();
      throw error;
    });
    Object.assign(this, adminOf(() => path.join(this.router.directory, 'admin.sock')));
    return this;
  }

  routerConfig(more = {}) {
    return {ring: {location: this.store}, workers: this.workers, ...this.settings, ...more,
      shards: PNODES.map((pnode, i) => ({pnode, backend: 'postgres', url: this.databases[i]}))};
  }

  async startRouter() {
    const port = this.router ? {listen: {port: this.router.port}} : {};
    const admin = this.router ? {admin: {socket: path.join(this.router.directory, 'admin.sock')}} : {};
    const next = new RouterProcess(this.routerConfig({...port, ...admin}));
    if (this.router) next.directory = this.router.directory;
    next.environment = this.environment;
    this.router = await next.start();
    return this.router;
  }

  /** As kill -9, and a new one on the same port. */
  async crashRouter() {
    this.router.child.kill('SIGKILL');
    await this.router.exited;
    await this.startRouter();
  }

  async connect(port = this.router.port) {
    const client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${port}`, unwrapErrors: true,
      retry: {retries: 1000, minTimeout: 20, maxTimeout: 100}});
    await new Promise((resolve) => client.once('connect', resolve));
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  sql(shard, statement) { return this.clusters[shard].query(this.databases[shard], statement); }

  /** Where keys belong by the ring that is in force, by key. */
  locate(bucket, keys) {
    const input = keys.map((key) => JSON.stringify({bucket, key})).join('\n') + '\n';
    const lines = execFileSync(binary, ['ring', 'locate', '-b', 'leveldb', '-l', path.join(this.store, 'current'), '--jsonl'], {input, encoding: 'utf8', maxBuffer: 1 << 28});
    return new Map(lines.trimEnd().split('\n').map((line, i) => [keys[i], JSON.parse(line)]));
  }

  /** Killed at the end of this system if it is still there. */
  endsWithTest(child) {
    this.children.add(child);
    child.on('close', () => this.children.delete(child));
  }

  /** What a command printed, and how it ended. */
  reshard(...words) {
    const child = spawn(binary, ['reshard', ...words, '--state', this.state], {stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, ...this.environment}});
    const running = {child, out: '', err: ''};
    child.stdout.on('data', (data) => { running.out += data; });
    child.stderr.on('data', (data) => { running.err += data; });
    this.endsWithTest(child);
    running.done = new Promise((resolve) => child.on('close', (code, signal) => resolve({code, signal, out: running.out, err: running.err})));
    return running;
  }
  async reshardTo(code, ...words) {
    const end = await this.reshard(...words).done;
    assert.strictEqual(end.code, code, end.err + end.out);
    return end;
  }
  /** Short waits, and a block as long as a machine with little time for us may need; unless the test has its own. */
  defaults(words) {
    const all = {'--settle': '100', '--cache': '0', '--max-block': '4000', '--from': PNODES[0], '--to': PNODES[1]};
    return Object.entries(all).filter(([name]) => !words.includes(name)).flat();
  }
  /** A plan's number. */
  async plan(...words) {
    const end = await this.reshardTo(0, 'plan', '--config', this.config, ...this.defaults(words), ...words);
    return /plan (\d+) is in/.exec(end.err)[1];
  }
  async status(number) { return JSON.parse((await this.reshardTo(0, 'status', number, '--json')).out); }
  async until(number, act) {
    for (let i = 0; i < 3000; ++i) {
      if ((await this.status(number)).act === act) return;
      await pause(20);
    }
    assert.fail(`plan ${number} does not come to ${act}: ${JSON.stringify(await this.status(number))}`);
  }

  /** Until a coordinator that is to stop before an act has. */
  async stands(running) {
    const file = `/proc/${running.child.pid}/stat`;
    await this.quiet(() => fs.existsSync(file) && / T /.test(fs.readFileSync(file, 'utf8')));
  }

  /** Until that is so. */
  async quiet(check, limit = 60000) {
    for (const begun = Date.now(); Date.now() - begun < limit;) {
      if (await check()) return;
      await pause(20);
    }
    assert.fail('waited in vain for ' + check);
  }

  /** `keep`: the databases of clusters that are not this system's own. */
  async stop({keep = false} = {}) {
    // A test that failed may have left one behind, which would keep this process alive, and others waiting for its lock.
    for (const child of this.children) child.kill('SIGKILL');
    for (const client of this.clients) client.close();
    const end = await this.router.stop();
    for (const cluster of this.clusters) {
      if (this.own) cluster.stop();
      else if (!keep && cluster.dropDatabase) cluster.dropDatabase(this.database);
    }
    fs.rmSync(this.directory, {recursive: true, force: true});
    assert.strictEqual(end.code, 0, this.router.errors);
  }
}

module.exports = {System, PNODES, pause};
