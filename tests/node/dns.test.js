'use strict';
// Shards found by SRV and A records that change under load.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const bunyan = require('bunyan');
const fs = require('fs');
const path = require('path');
const moray = require('moray');

const {Dnsmasq} = require('./dnsmasq');
const {FakeMoray} = require('./fake_moray');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const directory = temporaryDirectory();
const routers = [];
const clients = [];
const loads = [];  // stopped at the end, whatever became of their tests
let dns, servers, client;

async function start(config) {
  routers.push(await new RouterProcess(config).start());
  return routers.at(-1);
}

function connect(port) {
  const made = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${port}`, unwrapErrors: true});
  clients.push(made);
  return new Promise((resolve) => made.once('connect', () => resolve(made)));
}

/** SRV records that point to those servers, all of host name a. */
function srv(...targets) {
  return [...targets.map(({port}) => `--srv-host=_moray._tcp.shard.test,a.shard.test,${port}`), '--address=/a.shard.test/127.0.0.1'];
}

function call(method, ...args) {
  return new Promise((resolve, reject) => {
    client[method](...args, (error, result) => error ? reject(error) : resolve(result));
  });
}

/** Puts and gets without a pause until `stop`; counts them and keeps every failure. */
class Load {
  constructor() {
    this.done = 0;
    this.failures = [];
    loads.push(this);
    this.loops = [0, 1, 2, 3].map((i) => this.loop(i));
  }

  async loop(i) {
    for (let n = 0; !this.stopping; ++n) {
      try {
        const key = `k${i}-${n % 50}`;  // of many vnodes, so that every lane has some
        await call('putObject', 'b', key, {n});
        await call('getObject', 'b', key);
        this.done += 2;
      } catch (error) {
        this.failures.push(`${error.name}: ${error.message}`);
      }
    }
  }

  async stop() {
    this.stopping = true;
    await Promise.all(this.loops);
  }
}

async function eventually(what, condition) {
  for (let i = 0; i < 1000; ++i) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`never: ${what}`);
}

before(async () => {
  servers = await Promise.all(['a', 'b', 'c'].map((name) => new FakeMoray(name).listen()));
  for (const server of servers) server.objects = servers[0].objects;  // one database behind all
  dns = await Dnsmasq.start(srv(servers[0]));
  const router = await start({
    ring: {location: unpackRing('plain-100', directory)},
    dns: {resolvers: [`127.0.0.1:${dns.port}`]},
    shards: [1, 2, 3].map((i) => ({pnode: `tcp://${i}.moray.example.com:2020`, srv: 'shard.test'})),
  });
  client = await connect(router.port);
});

after(async () => {
  for (const load of loads) await load.stop();
  for (const made of clients) made.close();
  for (const router of routers) assert.strictEqual((await router.stop()).code, 0, router.errors);
  await dns.stop();
  for (const server of servers) server.close();
  fs.rmSync(directory, {recursive: true, force: true});
});

test('records that change under load: new servers are used, old ones drained, nothing fails', async () => {
  const [a, b, c] = servers;
  const load = new Load();
  await eventually('a is used', () => a.seen.length > 100);
  assert.strictEqual(b.seen.length, 0);

  await dns.serve(srv(b));
  await eventually('b is used', () => b.seen.length > 100);
  await eventually('a has no connection left', () => a.connections() === 0);
  const seen = a.seen.length;

  await dns.serve(srv(b, c));
  await eventually('c is used too', () => c.seen.length > 100);
  const before_b = b.seen.length;
  await eventually('b goes on', () => b.seen.length > before_b + 100);
  assert.strictEqual(a.seen.length, seen);

  await dns.stop();  // no answer is no reason to forget an address
  const done = load.done;
  await eventually('all goes on without DNS', () => load.done > done + 200);
  await load.stop();
  assert.deepStrictEqual(load.failures, []);
});

test('a killed server costs the requests on its connections, and no others', async () => {
  const [, b, c] = servers;
  const load = new Load();
  const before_c = c.seen.length;
  await eventually('b and c are used', () => c.seen.length > before_c + 100);
  b.close();
  b.dropConnections();
  const at_kill = load.done;
  await eventually('the others go on', () => load.done > at_kill + 500);
  await load.stop();
  // Four loops, each with one request outstanding: at most that many were lost; reads were tried again.
  assert.ok(load.failures.length <= 8, load.failures.join('\n'));
  for (const failure of load.failures) assert.match(failure, /unexpected end of transport stream|no connections available/);
});

test('a name without SRV records is looked up as a host, with the port beside it', async () => {
  const [, , c] = servers;
  await dns.serve(['--address=/plain.test/127.0.0.1']);
  const plain = await start({
    ring: {location: path.join(directory, 'plain-100')},
    dns: {resolvers: [`127.0.0.1:${dns.port}`]},
    shards: [1, 2, 3].map((i) => ({pnode: `tcp://${i}.moray.example.com:2020`, srv: `plain.test:${c.port}`})),
  });
  const other = await connect(plain.port);
  await new Promise((resolve, reject) => other.putObject('b', 'plain', {}, (error) => error ? reject(error) : resolve()));
});

test('a name that is not there yet is used as soon as it is', async () => {
  const [, , c] = servers;
  await dns.serve([]);
  const late = await start({
    ring: {location: path.join(directory, 'plain-100')},
    dns: {resolvers: [`127.0.0.1:${dns.port}`]},
    shards: [1, 2, 3].map((i) => ({pnode: `tcp://${i}.moray.example.com:2020`, srv: `late.test:${c.port}`})),
  });
  const other = await connect(late.port);
  const put = () => new Promise((resolve) => other.putObject('b', 'late', {}, (error) => resolve(error)));
  const first = await put();
  assert.strictEqual(first.name, 'NoBackendsError');
  await dns.serve(['--address=/late.test/127.0.0.1']);
  let error = first;
  for (let i = 0; i < 500 && error; ++i) {
    error = await put();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ifError(error);
});
