'use strict';
// Damaged rings and random commands against a serving router: it serves on, whatever they are. MORAY_ROUTER_LONG: as many as
// docs/reliability.md records; MORAY_ROUTER_SEED: from there.
const assert = require('node:assert');
const {afterEach, beforeEach, test} = require('node:test');
const {execFileSync} = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const {lineOf} = require('./admin_client');
const {random} = require('./reshard_ledger');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const LONG = Boolean(process.env.MORAY_ROUTER_LONG), SEED = Number(process.env.MORAY_ROUTER_SEED || 1);
const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
const RINGS = ['plain-100', 'remapped-60', 'ro-64', 'snappy-500', 'plaintables-500'];
let directory, store, router;
const socket = () => path.join(router.directory, 'admin.sock');
const line = lineOf(socket);

beforeEach(async () => {
  directory = temporaryDirectory();
  store = path.join(directory, 'rings');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'store', '-l', store, unpackRing('plain-100', directory)]);
  router = await new RouterProcess({ring: {location: store}, shardDefaults: {fromUrl: true},
    shards: PNODES.map((pnode, i) => ({pnode, backend: 'embedded', path: path.join(directory, `shard-${i}`), sync: false}))}).start();
});
afterEach(async () => {
  const {code} = await router.stop();
  fs.rmSync(directory, {recursive: true, force: true});
  assert.strictEqual(code, 0, router.errors);
});

const megabytes = () => Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${router.child.pid}/status`, 'utf8'))[1]) / 1024;

/** Changes one thing of a ring's files: bytes, a piece, the length, a whole file. Says of which. */
function damage(ring, any) {
  const file = changed(ring, any);
  return path.basename(file);
}
function changed(ring, any) {
  const files = fs.readdirSync(ring).filter((name) => name !== 'LOCK' && !name.startsWith('LOG'));
  const file = path.join(ring, files[any(files.length)]), data = fs.readFileSync(file), at = any(Math.max(1, data.length));
  switch (any(8)) {
    case 0: fs.rmSync(file); break;
    case 1: fs.truncateSync(file, at); break;
    case 2: fs.appendFileSync(file, data.subarray(any(data.length + 1))); break;
    case 3: fs.writeFileSync(file, Buffer.concat([data.subarray(0, at), Buffer.from(Array.from({length: 1 + any(40)}, () => any(256))), data.subarray(at)])); break;
    case 4: fs.writeFileSync(file, Buffer.concat([data.subarray(0, at), data.subarray(at + 1 + any(200))])); break;
    case 5: fs.appendFileSync(file, data); break;  // to a log's records LevelDB has an assertion
    case 6: fs.writeFileSync(file, data.fill(any(2) * 255, Math.min(at, data.length), Math.min(at + 1 + any(4000), data.length))); break;
    default:
      for (let n = 1 + any(4); n > 0; --n) data[any(Math.max(1, data.length))] = any(256);
      fs.writeFileSync(file, data);
  }
  return file;
}

test('damaged rings: each is refused by name, or is the ring that it was; the router serves on', async () => {
  const {result: {ring: serving}} = await line('status');
  const digests = {}, ends = {ok: 0, refused: 0, ended: 0}, count = LONG ? 10_000 : 200;
  let before = 0;
  for (let seed = SEED; seed < SEED + count; ++seed) {
    const any = random(seed * 7919), name = RINGS[any(RINGS.length)], place = path.join(directory, 'damaged');
    fs.mkdirSync(place);
    const ring = unpackRing(name, place);
    digests[name] = digests[name] || execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'digest', '-b', 'leveldb', '-l', ring], {encoding: 'utf8'}).trim();
    const damaged = damage(ring, any);
    const {ok, result, error} = await line('reload', {ring});
    // To LevelDB a log that is torn is a crash's, and what comes after the tear was never written. A store knows better: by digest.
    if (ok && !damaged.endsWith('.log')) assert.strictEqual(result.digest, digests[name], `seed ${seed}: ${damaged}`);
    else if (!ok) assert.ok(error.code === 'refused' && (error.message.includes(ring) || /has no shard/.test(error.message)), `seed ${seed}: ${JSON.stringify(error)}`);
    ++ends[ok ? 'ok' : /LevelDB has ended the process/.test(error.message) ? 'ended' : 'refused'];
    fs.rmSync(place, {recursive: true});
    if (seed === SEED + Math.floor(count / 5)) before = megabytes();
  }
  assert.ok((await line('reload', {ring: path.join(directory, 'plain-100')})).ok);
  assert.strictEqual((await line('status')).result.ring.digest, serving.digest);
  const after = megabytes();
  console.log(JSON.stringify({damaged: count, ...ends, megabytes: [Math.round(before), Math.round(after)]}));
  if (!process.env.MORAY_ROUTER_SANITIZED) assert.ok(after < before + 20, `${before} MB, then ${after}`);
});

/** Sends lines over one connection, the next when the one before is answered. */
class Operator {
  async connect() {
    this.socket = await new Promise((resolve, reject) => {
      const made = net.connect(socket(), () => resolve(made));
      made.on('error', reject);
    });
    this.text = '';
    this.socket.on('data', (data) => {
      this.text += data;
      const end = this.text.indexOf('\n');
      if (end < 0) return;
      const answer = this.text.slice(0, end);
      this.text = this.text.slice(end + 1);
      this.take(JSON.parse(answer));
    });
    this.socket.on('close', () => this.fail && this.fail(new Error('the connection has ended')));
    return this;
  }
  say(text) {
    return new Promise((resolve, reject) => {
      Object.assign(this, {take: resolve, fail: reject});
      this.socket.write(`${text}\n`);
    });
  }
}

/** A command, sensible for the most part. */
function command(any) {
  const first = any(100), vnodes = `${first}-${first + any(100 - first)}`, holder = ['a/1', 'a/2', 'b/1', 'c'][any(4)], pnode = PNODES[any(3)];
  const all = [
    () => ['block', {vnodes, mode: ['hold', 'refuse'][any(2)], wait: any(2) === 0, timeoutMs: any(50), ...any(2) ? {lease: holder} : {}}],
    () => ['unblock', any(2) ? {all: true} : {vnodes}],
    () => ['prepare', {vnodes, pnode, holder, leaseMs: 1 + any(200), rehearse: any(4) === 0}],
    () => ['renew', {lease: holder, leaseMs: 1 + any(300)}],
    () => ['activate', {lease: holder}], () => ['abandon', {lease: holder}],
    () => ['remap', {vnodes, pnode}], () => ['set-data', {vnodes, data: ['ro', 1, {a: [1]}][any(3)]}],
    () => ['rollback', any(2) ? {} : {generation: 1 + any(30)}], () => ['reload', {}], () => ['rings', {}],
    () => ['diff', {from: String(1 + any(30)), to: ''}], () => ['status', {}], () => ['ownership', {vnodes, pnode}],
    () => ['locate', {bucket: 'b', key: `/${any(1000)}`, get: any(2) === 0}], () => ['heat', {on: any(2) === 0}],
    () => [['nonsense', 'block', 'renew'][any(3)], [{}, {vnodes: '9-1'}, {lease: 7}, {vnodes: '500'}][any(4)]],
  ];
  const [name, args] = all[any(all.length)]();
  return JSON.stringify({v: any(200) === 0 ? 2 : 1, command: name, arguments: args});
}

test('random commands of two operators at once: each is answered, and afterwards all is as it can be', async () => {
  const count = LONG ? 100_000 : 1_500, codes = {};
  const [before] = await Promise.all([0, 1].map(async (which) => {
    const operator = await new Operator().connect(), any = random(SEED * 31 + which);
    let memory = 0;
    for (let i = 0; i < count / 2; ++i) {
      const text = any(300) === 0 ? '{'.repeat(any(2000)) : command(any);
      const {v, ok, error} = await operator.say(text);
      assert.strictEqual(v, 1, text);
      assert.ok(ok || (error.code && error.message), text);
      codes[ok ? 'ok' : error.code] = (codes[ok ? 'ok' : error.code] || 0) + 1;
      if (i === Math.floor(count / 10)) memory = megabytes();
    }
    operator.socket.destroy();
    return memory;
  }));
  console.log(JSON.stringify({commands: count, codes, megabytes: [Math.round(before), Math.round(megabytes())]}));
  assert.ok(!('failed' in codes) && !('not_acknowledged' in codes), JSON.stringify(codes));
  for (const lease of ['a/9', 'b/9', 'c']) await line('abandon', {lease});
  assert.ok((await line('unblock', {all: true})).ok);
  const {result: {gate, prepared}} = await line('status');
  assert.deepStrictEqual([gate.hold, gate.refuse, prepared], ['', '', null]);
  assert.ok((await line('rollback', {generation: (await line('rings')).result[0].generation})).ok);
  if (!process.env.MORAY_ROUTER_SANITIZED) assert.ok(megabytes() < before + 30, `${before} MB, then ${megabytes()}`);
});
