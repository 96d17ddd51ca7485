'use strict';
// What controls a router does not stall, die or mislead: rings that take long, rings that are damaged, clients of the admin
// socket and of the pages that stay, a process without descriptors, a log that nobody reads.
const assert = require('node:assert');
const {afterEach, beforeEach, test} = require('node:test');
const bunyan = require('bunyan');
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const net = require('net');
const path = require('path');

const {answersOf, lineOf} = require('./admin_client');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
const ringTool = (...words) => execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', ...words], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']}).trim();
let directory, store, router;
const socket = () => path.join(router.directory, 'admin.sock');
const line = lineOf(socket);

beforeEach(() => {
  directory = temporaryDirectory();
  store = path.join(directory, 'rings');
  router = null;
});
afterEach(async () => {
  if (router && router.child.exitCode === null && router.child.signalCode === null) {
    const {code} = await router.stop();
    assert.strictEqual(code, 0, router.errors);
  }
  fs.rmSync(directory, {recursive: true, force: true});
});

const shards = () => PNODES.map((pnode, i) => ({pnode, backend: 'embedded', path: path.join(directory, `shard-${i}`), sync: false}));
const configured = (location, more = {}) => new RouterProcess({ring: {location}, shards: shards(), ...more});
/** Started by a shell, after that command of its. */
const underShell = (process_, command) => Object.assign(process_, {program: '/bin/sh', args: ['-c', `${command}; exec ${process_.program} ${process_.args.join(' ')}`]});
async function start(location, more) {
  router = await configured(location, more).start();
  return router;
}
function makeStore(vnodes = 100) {
  const plain = path.join(directory, `ring-${vnodes}`);
  ringTool('create', '-b', 'leveldb', '-l', plain, '-v', String(vnodes), '-p', PNODES.join(' '));
  ringTool('store', '-l', store, plain);
  return plain;
}
const {result, refused} = answersOf(line);
const connected = (options) => new Promise((resolve, reject) => {
  const made = net.connect(options, () => resolve(made));
  made.on('error', reject);
});
const closed = (connection) => new Promise((resolve) => connection.once('close', resolve).resume());
async function until(holds) { while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 20)); }

test('blocks, unblocks and a lease go on while rings are read, written and compared', async () => {
  const plain = makeStore(100_000);
  await start(store);
  const vnodes = (await result('ownership', {vnodes: '0-99999', pnode: PNODES[0]})).ownedVnodes;
  await result('remap', {vnodes: '0-9', pnode: PNODES[1]});
  await result('prepare', {holder: 'a', vnodes, pnode: PNODES[1], leaseMs: 60000});
  const order = [], note = (name) => (answer) => order.push(`${name} ${answer.ok ? 'ok' : answer.error.code}`);
  // In the order in which they are asked: each of the first three takes longer than the rest together.
  const slow = [line('diff', {from: '1', to: plain}).then(note('diff')), line('prepare', {holder: 'a', vnodes, pnode: PNODES[1], leaseMs: 60000}).then(note('prepare'))];
  await line('block', {vnodes: '5-8', mode: 'hold'}).then(note('block'));
  await line('renew', {lease: 'a', leaseMs: 60000}).then(note('renew'));
  await line('unblock', {all: true}).then(note('unblock'));
  await Promise.all(slow);
  assert.deepStrictEqual(order.slice(0, 3), ['block ok', 'renew ok', 'unblock ok']);
  assert.deepStrictEqual(order.slice(3).sort(), ['diff ok', 'prepare ok']);
  await result('abandon', {lease: 'a'});
  const reload = line('reload', {}).then(note('reload'));
  await line('block', {vnodes: '5-8', mode: 'hold'}).then(note('block'));
  await line('unblock', {all: true}).then(note('unblock'));
  await reload;
  assert.deepStrictEqual(order.slice(5), ['block ok', 'unblock ok', 'reload ok']);
});

test('changes of the ring take turns, and each says what it changed', async () => {
  makeStore();
  await start(store);
  const edits = Array.from({length: 12}, (_, i) => line('set-data', {vnodes: `${i}`, data: 'ro'}));
  assert.deepStrictEqual((await Promise.all(edits)).map(({ok}) => ok), Array(12).fill(true));
  assert.strictEqual((await result('rings')).length, 13);
  assert.strictEqual((await result('rollback', {generation: 1})).changed, 12);
  assert.strictEqual((await result('reload')).changed, 0);
});

test('a rollback goes to the ring that was in force before, never to one that was rolled back from', async () => {
  makeStore();
  await start(store);
  const digests = [(await result('status')).ring.digest];
  for (const vnodes of ['0-1', '2-3']) digests.push((await result('set-data', {vnodes, data: 'ro'})).digest);  // 2, 3
  const back = await result('rollback');
  assert.deepStrictEqual([back.digest, back.generation, back.changed], [digests[1], 2, 2]);
  assert.strictEqual((await result('set-data', {vnodes: '4-6', data: 'ro'})).generation, 4);
  const again = await result('rollback');
  assert.deepStrictEqual([again.digest, again.generation, again.changed], [digests[1], 2, 3]);
  assert.deepStrictEqual([(await result('rollback')).digest, (await result('status')).ring.digest], [digests[0], digests[0]]);
  assert.match(await refused('unknown_generation', 'rollback'), /no generation before 1/);
});

test('idle operators keep nobody out, and brackets without end are refused', async () => {
  makeStore();
  await start(store);
  const idle = [];
  for (let i = 0; i < 64; ++i) idle.push(await connected({path: socket()}));
  const first = closed(idle[0]);
  assert.ok((await result('status')).pid > 0);
  await first;  // the one that has been idle for longest made room
  idle.forEach((connection) => connection.destroy());
  const nested = (open, close, value) => `${open.repeat(100_000)}${value}${close.repeat(100_000)}`;
  for (const text of ['['.repeat(100_000), `{"v":1,"command":"status","arguments":${nested('{"a":', '}', 1)}}`,
    `{"v":1,"command":"set-data","arguments":{"vnodes":"0","data":${nested('[', ']', '')}}}`]) {
    const connection = await connected({path: socket()});
    connection.write(`${text}\n`);
    const answer = await new Promise((resolve) => connection.once('data', (data) => resolve(JSON.parse(data))));
    connection.destroy();
    assert.strictEqual(answer.error.code, 'bad_request');
  }
  assert.match(await refused('refused', 'set-data', {vnodes: '0', data: JSON.parse('['.repeat(600) + ']'.repeat(600))}).catch((error) => error.message), /nested too deep|bad_request/);
  assert.ok((await result('status')).pid > 0);
});

test('pages: clients that stay make room, and what is no request is told so', async () => {
  makeStore();
  await start(store);
  const ask = (connection, text) => new Promise((resolve) => {
    let all = '';
    connection.on('data', (data) => {
      all += data;
      if (all.includes('\r\n\r\n')) resolve(Number(all.split(' ')[1]));
    });
    connection.write(text);
  });
  const port = router.statusPort, ready = 'GET /ready HTTP/1.1\r\nHost: x\r\n\r\n', staying = [];
  for (let i = 0; i < 64; ++i) {
    staying.push(await connected({port}));
    assert.strictEqual(await ask(staying[i], ready), 200);
  }
  const first = closed(staying[0]);
  assert.strictEqual(await ask(await connected({port}), ready), 200);
  await first;
  staying.forEach((connection) => connection.destroy());
  const answers = {'GARBAGE\r\n\r\n': 400, 'PUT /ready HTTP/1.1\r\nHost: x\r\n\r\n': 405, 'GET /none HTTP/1.1\r\nHost: x\r\n\r\n': 404,
    [`GET /ready HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`]: 431, 'POST /ready HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n': 413};
  for (const [text, status] of Object.entries(answers)) {
    const connection = await connected({port});
    assert.strictEqual(await ask(connection, text), status, text.slice(0, 40));
    connection.destroy();
  }
});

test('without descriptors operators and pages are answered, and clients when there are some again', async () => {
  makeStore();
  router = underShell(configured(store), 'ulimit -n 96');
  await router.start();
  const clients = [];
  const starved = () => router.lines.some(({msg, of}) => /can't be accepted/.test(msg) && of === 'clients');
  while (!starved()) {
    clients.push(await connected({port: router.port}));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok((await result('status')).pid > 0);
  assert.strictEqual((await router.page(router.statusPort, '/ready')).status, 200);
  assert.ok((await result('status')).pid > 0);
  clients.forEach((connection) => connection.destroy());
  await until(() => router.lines.some(({msg, of}) => msg === 'connections are accepted again' && of === 'clients'));
  const made = await client();
  await call(made, 'ping', {});
  made.close();
});

async function client() {
  const made = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => made.once('connect', resolve));
  return made;
}
const call = (made, method, ...args) => new Promise((resolve, reject) => made[method](...args, (error, value) => error ? reject(error) : resolve(value)));

test('totals count clients that have left; times of what the router answers itself; bounds as documented', async () => {
  makeStore();
  await start(store);
  const kang = async () => JSON.parse((await router.page(router.monitorPort, '/kang/snapshot')).text).stats;
  const first = await client();
  for (let i = 0; i < 5; ++i) await call(first, 'ping', {});
  first.close();
  await until(async () => (await kang()).nConnectionsActive === 0);
  const {nRequestsStarted, nRequestsCompleted} = await kang();
  assert.ok(nRequestsStarted >= 5 && nRequestsCompleted >= 5, `${nRequestsStarted} ${nRequestsCompleted}`);
  const {text} = await router.page(router.monitorPort, '/metrics');
  assert.ok(Number(/^fast_server_request_time_seconds_sum\{rpcMethod="ping"\} (.*)$/m.exec(text)[1]) > 0);
  const bounds = [...text.matchAll(/^fast_server_request_time_seconds_bucket\{rpcMethod="ping",le="([^"]+)"\}/gm)].map(([, bound]) => bound);
  assert.deepStrictEqual(bounds.slice(0, 12), ['0.0002', '0.0004', '0.0006', '0.0008', '0.001', '0.002', '0.004', '0.006', '0.008', '0.01', '0.02', '0.04']);
});

test('signals: a reload that is asked for at once is done; two mean nothing; the ring of the command line stays', async () => {
  makeStore();
  const other = path.join(directory, 'other');
  ringTool('create', '-b', 'leveldb', '-l', other, '-v', '50', '-p', PNODES.join(' '));
  router = configured(store);
  router.args.push('-r', other);
  const started = router.start();
  // As soon as the process has begun to see to its signals.
  await until(() => {
    try {
      const masks = fs.readFileSync(`/proc/${router.child.pid}/status`, 'utf8').matchAll(/^Sig(?:Blk|Cgt):\s*([0-9a-f]+)$/mg);
      const [program] = fs.readFileSync(`/proc/${router.child.pid}/cmdline`, 'utf8').split('\0');  // before that it is a copy of ours
      return program === process.env.MORAY_ROUTER_BIN && [...masks].some(([, mask]) => (BigInt(`0x${mask}`) & 1n) === 1n);
    } catch (error) {
      return false;
    }
  });
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2']) router.child.kill(signal);
  await started;
  await until(async () => (await result('status')).reloads === 1);
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP']) router.child.kill(signal);
  await until(async () => (await result('status')).reloads === 2);
  const {ring, lastReload} = await result('status');
  assert.deepStrictEqual([lastReload, ring.vnodes, ring.location], ['ok', 50, other]);
});

test('a log that nobody reads does not keep the process from its end', async () => {
  makeStore();
  const pipe = path.join(directory, 'log');
  execFileSync('mkfifo', [pipe]);
  const reader = fs.openSync(pipe, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK), writer = fs.openSync(pipe, fs.constants.O_WRONLY);
  router = configured(store);
  router.child = spawn(process.env.MORAY_ROUTER_BIN, router.args, {stdio: ['ignore', writer, 'ignore']});
  router.exited = new Promise((resolve) => router.child.on('exit', (code, signal) => resolve({code, signal})));
  fs.closeSync(writer);
  await until(() => fs.existsSync(socket()));
  await until(() => line('status').then(({ok}) => ok, () => false));
  for (let i = 0; i < 250; ++i) {  // each two lines of more than a hundred bytes: more than a pipe holds
    await result('block', {vnodes: '1'});
    await result('unblock', {all: true});
  }
  assert.deepStrictEqual(await router.stop(), {code: 0, signal: null});
  fs.closeSync(reader);
});

test('one embedded shard on a full disk: the others are served, and it is when there is room', {skip: !process.env.MORAY_ROUTER_FULL_DISK}, async () => {
  makeStore();
  const flag = path.join(directory, 'full');
  fs.writeFileSync(flag, '');
  router = configured(store);
  router.environment = {LD_PRELOAD: process.env.MORAY_ROUTER_FULL_DISK, FULL_DISK_FLAG: flag, FULL_DISK_PATH: '/shard-1/'};
  await router.start();
  assert.ok(router.lines.some(({msg}) => /embedded shard can't be opened/.test(msg)), JSON.stringify(router.lines));
  const made = await client();
  const keys = await Promise.all(Array.from({length: 60}, async (_, i) => [`/k${i}`, (await result('locate', {bucket: 'b', key: `/k${i}`})).pnode]));
  const key = (pnode) => keys.find(([, owner]) => owner === pnode)[0];
  // A bucket is made on all shards or told as failed; the shard that works answers for itself.
  await assert.rejects(call(made, 'createBucket', 'b', {index: {n: {type: 'number'}}}));
  await assert.rejects(call(made, 'getObject', 'b', key(PNODES[1])), /could not be opened/);
  await assert.rejects(call(made, 'getObject', 'b', key(PNODES[0])), (error) => !/could not be opened/.test(error.message));
  fs.rmSync(flag);
  await until(() => call(made, 'putBucket', 'b', {index: {n: {type: 'number'}}}).then(() => true, () => false));
  for (const pnode of PNODES) await call(made, 'putObject', 'b', key(pnode), {n: 1});
  made.close();
});

test('the soft limit of descriptors is what the configuration needs', async () => {
  makeStore();
  router = underShell(configured(store, {limits: {sessionsMax: 3000}}), 'ulimit -Sn 256');
  await router.start();
  const [, soft] = /^Max open files\s+(\d+)/m.exec(fs.readFileSync(`/proc/${router.child.pid}/limits`, 'utf8'));
  assert.ok(Number(soft) >= 3000, soft);
});

test('peers that speak no Fast are told of 20 times a second, and how often besides', async () => {
  makeStore();
  await start(store);
  let sent = 0;
  const speakNoFast = async () => {
    const connection = await connected({port: router.port});
    ++sent;
    connection.on('error', () => {}).write('x'.repeat(64));
    await closed(connection);
  };
  for (let i = 0; i < 20; ++i) await Promise.all(Array.from({length: 10}, speakNoFast));
  const told = () => router.lines.filter(({msg}) => msg === 'protocol error');
  const [first, last] = [told()[0], told().at(-1)].map(({time}) => Date.parse(time));
  assert.ok(told().length <= 20 * ((last - first) / 1000 + 1), `${told().length} lines in ${last - first} ms`);
  await until(async () => {
    if (told().length + told().reduce((sum, {suppressed = 0}) => sum + suppressed, 0) === sent) return true;
    await speakNoFast();
    return false;
  });
});

test('clients beyond the bound on sessions wait, and the log says so', async () => {
  makeStore();
  await start(store, {limits: {sessionsMax: 2}});
  const clients = [];
  const says = (text) => router.lines.some(({msg, of}) => of === 'clients' && msg.startsWith(text));
  for (let i = 0; i < 3; ++i) clients.push(await connected({port: router.port}));
  await until(() => says('the bound on connections is reached'));
  clients.forEach((connection) => connection.destroy());
  await until(() => says('connections are accepted again'));
});

test('a ring that never ends does not keep the process from its end', async () => {
  makeStore();
  await start(store);
  const trap = path.join(directory, 'trap');
  fs.mkdirSync(trap);
  execFileSync('mkfifo', [path.join(trap, 'CURRENT')]);
  for (const [command, args] of [['diff', {from: trap, to: ''}], ['reload', {ring: trap}]]) line(command, args).catch(() => {});
  const children = () => execFileSync('pgrep', ['-c', '-f', `ring-image ${trap}`]).toString().trim() === '2';
  await until(() => { try { return children(); } catch (error) { return false; } });
  assert.deepStrictEqual(await router.stop(), {code: 0, signal: null});
});

test('damaged rings: each reload is refused with the place, and the old ring goes on serving', async () => {
  makeStore();
  await start(store);
  const {ring} = await result('status');
  const bad = fs.readdirSync(path.join(__dirname, '..', 'data', 'ring', 'rings')).filter((name) => /^bad-.*\.leveldb/.test(name));
  for (const name of bad) {
    const damaged = unpackRing(name.replace('.leveldb.tar.gz', ''), directory);
    assert.match(await refused('refused', 'reload', {ring: damaged}), /ring |\/PNODE|key /);
  }
  assert.strictEqual((await result('status')).ring.digest, ring.digest);
});

test('a log that holds its records twice: LevelDB ends the process that reads it, which is not the router', async () => {
  makeStore();
  await start(store);
  const {ring} = await result('status');
  for (const name of ['plain-100', 'remapped-60', 'ro-64', 'history-300']) {
    const damaged = unpackRing(name, directory);
    const [log] = fs.readdirSync(damaged).filter((file) => file.endsWith('.log'));
    fs.appendFileSync(path.join(damaged, log), fs.readFileSync(path.join(damaged, log)));
    assert.match(await refused('refused', 'reload', {ring: damaged}), /LevelDB has ended the process/);
    assert.match(await refused('refused', 'diff', {from: damaged, to: ''}), /LevelDB has ended the process/);
  }
  assert.strictEqual((await result('status')).ring.digest, ring.digest);
});
