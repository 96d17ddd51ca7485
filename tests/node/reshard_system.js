'use strict';
// PostgreSQL shards, two or more, a router over a store of rings, and what moves vnodes between them.
const assert = require('node:assert');
const bunyan = require('bunyan');
const {execFile, execFileSync, spawn} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {adminOf} = require('./admin_client');
const {PostgresCluster} = require('./postgres_cluster');
const {RouterProcess, temporaryDirectory} = require('./router_process');
const {ZooKeeper} = require('./zookeeper');

const binary = process.env.MORAY_ROUTER_BIN;
const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class System {
  /** `vnodes`: of the ring. `owners`: how many shards share them; the others are empty. */
  /** `clusters`: one for each shard; without them, `shards` new ones that end with this system. */
  /** `template`: the name of a database that the first shard begins as. */
  /** `environment`: more variables for the router and for what moves vnodes. */
  /** `journal`: where plans are kept, as `--journal` has it; without it, in a directory. */
  /** `routers`: how many, each with a store of its own; the tests' commands go to the first. */
  /** `fleet`: how many nodes of ZooKeeper there are, in which the routers agree as a fleet; 0: they are told by their admin sockets. */
  /** `fleetSettings`: more of `fleet` in all configurations. */
  constructor({vnodes = 64, clusters = null, shards = 2, routers = 1, workers = 2, settings = {}, owners = 1, template, environment = {}, journal = null, fleet = 0, fleetSettings = {}} = {}) {
    Object.assign(this, {vnodes, clusters, shards, workers, settings, owners, template, environment, journal, fleet, fleetSettings, own: !clusters, clients: [], children: new Set()});
    this.routers = Array(routers).fill(null);
  }

  async start() {
    this.directory = temporaryDirectory();
    if (this.own) this.clusters = await PostgresCluster.several(this.shards);
    this.pnodes = PNODES.slice(0, this.clusters.length);
    System.number = (System.number || 0) + 1;
    this.database = `reshard${process.pid}_${System.number}`;
    this.databases = this.clusters.map((cluster, i) => cluster.makeDatabase(this.database, i === 0 ? this.template : undefined));
    if (this.prepare) this.prepare();  // before anybody connects
    const ring = path.join(this.directory, 'ring');
    execFileSync(binary, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', String(this.vnodes), '-p', this.pnodes.slice(0, this.owners).join(' ')], {stdio: 'ignore'});
    this.store = this.storeOf(0);
    for (const i of this.routers.keys()) execFileSync(binary, ['ring', 'store', '-l', this.storeOf(i), ring], {stdio: 'ignore'});
    this.state = path.join(this.directory, 'plans');
    if (this.fleet > 0) await this.makeFleet();
    await Promise.all([...this.routers.keys()].map((i) => this.startRouter(i)));
    this.config = this.router.file;
    // Three seconds for the first connection may be too few where many programs want the processor.
    await this.quiet(() => this.healthy()).catch(async (error) => {
      for (const router of this.routers) await router.stop();
      throw error;
    });
    Object.assign(this, adminOf(() => path.join(this.router.directory, 'admin.sock')));
    return this;
  }

  routerConfig(more = {}) {
    // Writes are held for as long as a block and a lease that suit a busy machine.
    return {ring: {location: this.store}, workers: this.workers, timeouts: {holdMs: 90000}, ...this.settings, ...more,
      shards: this.pnodes.map((pnode, i) => ({pnode, backend: 'postgres', url: this.databases[i]}))};
  }

  async makeFleet() {
    this.zookeeper = await new ZooKeeper().start(this.fleet);
    this.credentials = path.join(this.directory, 'credentials');
    fs.writeFileSync(this.credentials, 'fleet:secret\n', {mode: 0o600});
    this.operator = path.join(this.directory, 'operator.json');
    fs.writeFileSync(this.operator, JSON.stringify(this.routerConfig(this.memberConfig(0))));
    execFileSync(binary, ['fleet', '-f', this.operator, 'init'], {stdio: 'ignore'});
  }
  memberConfig(i) {
    if (this.fleet === 0) return {};
    return {fleet: {name: 'f', zookeeper: this.zookeeper.addresses, member: `m${i + 1}`, sessionMs: 4000, credentialsFile: this.credentials, ...this.fleetSettings}};
  }
  /** What `fleet status` says; null where the service does not answer. */
  fleetStatus() {
    return new Promise((resolve) => execFile(binary, ['fleet', '-f', this.operator, '--json', 'status'], (error, stdout) => resolve(error ? null : JSON.parse(stdout))));
  }
  /** `moray-router fleet`; its words where it refuses. */
  async fleetDoes(...words) { return execFileSync(binary, ['fleet', '-f', this.operator, ...words], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']}); }
  fleetRefuses(...words) {
    return new Promise((resolve) => execFile(binary, ['fleet', '-f', this.operator, ...words], (error, stdout, stderr) => {
      assert.ok(error, stdout);
      resolve(stderr);
    }));
  }
  /** No change is open, and all routers serve by the ring in force. */
  async together() {
    const status = await this.fleetStatus();
    return status && status.change === null && status.members.length === this.routers.length &&
      status.members.every(({state, ring}) => state === 'serves' && ring.digest === status.ring.digest && ring.generation === status.ring.generation);
  }

  /** A shard's vnodes, by the first router's store. */
  vnodesOf(shard) {
    const words = ['ring', 'get-vnodes', '-b', 'leveldb', '-l', path.join(this.store, 'current'), this.pnodes[shard]];
    return execFileSync(binary, words, {encoding: 'utf8'}).match(/\d+/g).map(Number);
  }

  get router() { return this.routers[0]; }
  storeOf(i) { return path.join(this.directory, i === 0 ? 'rings' : `rings${i}`); }
  socketOf(i) { return path.join(this.routers[i].directory, 'admin.sock'); }

  /** Each worker of each router reaches each shard. */
  async healthy() {
    for (const router of this.routers) {
      const {shards} = JSON.parse((await router.page(router.statusPort, '/status')).text);
      if (!shards.every(({healthyWorkers}) => healthyWorkers === this.workers)) return false;
    }
    return true;
  }

  async startRouter(i = 0) {
    const before = this.routers[i], ring = {location: this.storeOf(i)};
    const as = before ? {listen: {port: before.port}, admin: {socket: this.socketOf(i)}} : {};
    const next = new RouterProcess(this.routerConfig({ring, ...this.memberConfig(i), ...as}));
    if (before) next.directory = before.directory;
    next.environment = this.environment;
    this.routers[i] = await next.start();
    return this.routers[i];
  }

  /** As kill -9, and a new one on the same port. */
  async crashRouter(i = 0) {
    this.routers[i].child.kill('SIGKILL');
    await this.routers[i].exited;
    await this.startRouter(i);
  }

  async connect(port = this.router.port) {
    const client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${port}`, unwrapErrors: true,
      retry: {retries: 1000, minTimeout: 20, maxTimeout: 100}});
    await new Promise((resolve) => client.once('connect', resolve));
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  /** What PostgreSQL answers, or says against it. */
  sqlOrError(shard, statement) { try { return this.sql(shard, statement); } catch (error) { return String(error.stderr); } }
  /** A transaction that has done `statement` and stays open: `end('COMMIT')` ends it. */
  async transaction(shard, statement) {
    const session = spawn('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', this.databases[shard]], {stdio: ['pipe', 'pipe', 'inherit']});
    this.endsWithTest(session);
    const ended = new Promise((resolve) => session.on('close', resolve));
    session.stdin.on('error', () => {});  // a server that ended it
    session.stdin.write(`BEGIN; ${statement}; SELECT 'held';\n`);
    await new Promise((resolve) => session.stdout.once('data', resolve));
    return {end: (word) => { session.stdin.end(`${word};\n`); return ended; }};
  }

  sql(shard, statement) { return this.clusters[shard].query(this.databases[shard], statement); }

  /** Whether a shard has a bucket's table. */
  has(shard, bucket) { return this.sql(shard, `SELECT to_regclass('${bucket}') IS NOT NULL`) === 't'; }

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
    const kept = this.journal ? ['--journal', this.journal] : [];
    if (this.journal && !words.includes('--config')) kept.push('--config', this.config);
    const child = spawn(binary, ['reshard', ...words, ...kept, '--state', this.state], {stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, ...this.environment}});
    const running = {child, out: '', err: ''};
    child.stdout.on('data', (data) => { running.out += data; });
    child.stderr.on('data', (data) => { running.err += data; });
    this.endsWithTest(child);
    running.done = new Promise((resolve) => child.on('close', (code, signal) => resolve({code, signal, out: running.out, err: running.err})));
    return running;
  }
  async reshardTo(code, ...words) {
    const end = await this.ended(this.reshard(...words), 240000);
    assert.strictEqual(end.code, code, end.err + end.out);
    return end;
  }
  /** Short waits, and a block as long as a machine with little time for us may need; unless the test has its own. */
  defaults(words) {
    const routers = this.routers.length > 1 && this.fleet === 0 ? [...this.routers.keys()].flatMap((i) => ['--router', this.socketOf(i)]) : [];
    const all = {'--settle': '100', '--cache': '0', '--max-block': '4000', '--from': PNODES[0], '--to': PNODES[1]};
    return Object.entries(all).filter(([name]) => !words.includes(name)).flat().concat(routers);
  }
  /** What follows is done on another host: nothing of this one's directory of plans is there. */
  moveToHost(name) { this.state = path.join(this.directory, name); }
  /** A plan's number. */
  async plan(...words) {
    const end = await this.reshardTo(0, 'plan', '--config', this.config, ...this.defaults(words), ...words);
    return /plan (\d+) is in/.exec(end.err)[1];
  }
  async status(number) { return JSON.parse((await this.reshardTo(0, 'status', number, '--json')).out); }
  /** Until a plan is at an act, carried out by `running` if that is given, which must not end before. */
  async until(number, act, running = null) {
    const ended = () => running !== null && (running.child.exitCode !== null || running.child.signalCode !== null);
    let status;
    await this.quiet(async () => {
      status = await this.status(number);
      return status.act === act || ended();
    }).catch(() => {});
    if (status.act !== act) assert.fail(`plan ${number} does not come to ${act}: ${JSON.stringify(status)} ${running ? running.err : ''}`);
  }

  /** Until a coordinator that is to stop before an act has. */
  async stands(running, limit = 60000) {
    const file = `/proc/${running.child.pid}/stat`;
    await this.quiet(() => fs.existsSync(file) && / T /.test(fs.readFileSync(file, 'utf8')), limit);
  }

  /** A coordinator that stands still before an act, and goes on by `goOn`. */
  async standing(number, act, command = 'run', ...words) {
    const running = this.reshard(command, number, '--stop-before', act, ...words);
    await this.stands(running).catch(() => assert.fail(`it does not come to ${act}: ${running.err}`));
    return running;
  }
  goOn(running) { running.child.kill('SIGCONT'); }
  /** How a coordinator ended that is to end by itself. */
  async ended(running, limit = 60000) {
    await this.quiet(() => running.child.exitCode !== null || running.child.signalCode !== null, limit).catch(() => assert.fail(`does not end: ${running.err}`));
    return running.done;
  }
  /** As kill -9 of a coordinator. */
  async killed(running) {
    running.child.kill('SIGKILL');
    await running.done;
  }

  /** No router holds or refuses a write. */
  async open() {
    const {gate} = await this.result('status');
    return gate.hold === '' && gate.refuse === '';
  }
  /** Until a plan, which `running` carries out, says that it waits for something that is called like that. */
  async waits(number, what, running) {
    let waitsFor = null;  // as it was seen last: a plan that tries again waits for nothing meanwhile
    await this.quiet(async () => {
      ({waitsFor} = await this.status(number));
      return what.test(waitsFor || '') || running.child.exitCode !== null;
    }).catch(() => {});
    if (!what.test(waitsFor || '')) assert.fail(`plan ${number} waits for ${waitsFor}, not ${what}: ${running.err}`);
  }

  /** Until that is so. What takes long to look at is looked at seldom, since that takes from what is waited for. */
  async quiet(check, limit = 60000) {
    for (const begun = Date.now(); Date.now() - begun < limit;) {
      const asked = Date.now();
      if (await check()) return;
      await pause(Math.min(Math.max(3 * (Date.now() - asked), 20), 500));
    }
    assert.fail('waited in vain for ' + check);
  }

  /** `keep`: the databases of clusters that are not this system's own. */
  async stop({keep = false} = {}) {
    // A test that failed may have left one behind, which would keep this process alive, and others waiting for its lock.
    for (const child of this.children) child.kill('SIGKILL');
    for (const client of this.clients) client.close();
    const ends = [];
    for (const router of this.routers) ends.push([await router.stop(), router.errors]);
    if (this.zookeeper) await this.zookeeper.stop();
    for (const cluster of this.clusters) {
      if (this.own) cluster.stop();
      else if (!keep && cluster.dropDatabase) cluster.dropDatabase(this.database);
    }
    fs.rmSync(this.directory, {recursive: true, force: true});
    for (const [end, errors] of ends) assert.strictEqual(end.code, 0, errors);
  }
}

module.exports = {System, PNODES, pause};
