'use strict';
// How a fleet's routers get rings: by ZooKeeper's nodes, from each other, and from a URL; and what they do with bytes that are not the ring's.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const {execFileSync} = require('child_process');
const fs = require('fs');
const http = require('http');
const path = require('path');

const {FleetScene, PNODES, until} = require('./fleet_scene');

const BIN = process.env.MORAY_ROUTER_BIN;
const USER = 'fleet:secret';
const EDIT = 'an edit in ZooKeeper';

/** What `fleet.imageUrl` asks: `images` by digest; `instead`, where it is set, for all. */
class Site {
  async start() {
    Object.assign(this, {images: {}, instead: null, asked: []});
    this.server = http.createServer((request, response) => {
      const digest = request.url.split('/').pop();
      this.asked.push(digest);
      const body = this.instead ? this.instead(digest) : this.images[digest];
      response.writeHead(body === undefined ? 404 : 200, {'content-type': 'application/octet-stream'}).end(body);
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}/rings/{digest}`;
    return this;
  }
  stop() { this.server.close(); }
}

let scene, site, members, far, near;

/** A configuration of operators' with other settings of `fleet`. `location`: of its rings. */
function configured(name, location, settings) {
  const config = JSON.parse(fs.readFileSync(scene.file, 'utf8'));
  config.ring.location = location;
  config.fleet = {...config.fleet, ...settings};
  const file = path.join(scene.directory, name);
  fs.writeFileSync(file, JSON.stringify(config));
  return file;
}
const json = async (file, ...words) => {
  const {code, stdout, stderr} = await scene.runAs(file, '--json', ...words);
  assert.strictEqual(code, 0, stderr);
  return {...JSON.parse(stdout), stderr};
};
const imageOf = (digest) => `/moray-router/f/images/${digest}`;
const get = (member, digest, method = 'GET') => fetch(`http://127.0.0.1:${member.process.statusPort}/ring/${digest}`, {method});
/** On a busy machine a router that has just started may not have its connections yet. */
const puts = (member, key) => until(() => member.put(key, {n: 1}).then(() => true, () => false), `${member.name} serves`);
const lastImage = async (member) => (await member.fleet()).lastImage;

/** A ring that no router has: its directory. */
function anotherRing(name, vnode) {
  const directory = path.join(scene.directory, name);
  fs.cpSync(path.join(scene.directory, 'plain-100'), directory, {recursive: true});
  execFileSync(BIN, ['ring', 'add-data', '-b', 'leveldb', '-l', directory, '-v', String(vnode), '-d', 'ro'], {stdio: 'ignore'});
  return directory;
}
/** One whose image is at the site. */
async function newRing(name, vnode) {
  const directory = anotherRing(name, vnode), file = path.join(scene.directory, `${name}.image`);
  const {digest} = await scene.json('image', directory, file);
  site.images[digest] = fs.readFileSync(file);
  return {directory, digest};
}

before(async () => {
  site = await new Site().start();
  scene = await new FleetScene().start(3, {workers: 1, connections: 1, settings: {imageUrl: site.url}});
  members = scene.members.slice();
  // Operators far from any router's rings, and beside m1's; whose images never go through ZooKeeper.
  far = configured('far.json', path.join(scene.directory, 'nothing'), {imageBytesMax: 0, imageUrl: undefined});
  near = configured('near.json', members[0].store, {imageBytesMax: 0, imageUrl: undefined});
});
after(async () => {
  site.stop();
  await scene.stop();
});

test('the first ring comes by ZooKeeper\'s nodes, and members have its image for others', async () => {
  const {ring} = await scene.json('status');
  for (const member of members) {
    assert.deepStrictEqual(await lastImage(member), {digest: ring.digest, from: 'ZooKeeper'});
    const answer = await get(member, ring.digest);
    assert.deepStrictEqual([answer.status, answer.headers.get('content-type'), answer.headers.get('ring-digest')], [200, 'application/octet-stream', ring.digest]);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const head = await get(member, ring.digest, 'HEAD');
    assert.deepStrictEqual([head.status, Number(head.headers.get('content-length')), (await head.text()).length], [200, bytes.length, 0]);
  }
  for (const name of ['0'.repeat(64), '', 'x', `${ring.digest}/more`]) assert.strictEqual((await get(members[0], name)).status, 404, name);
  const {text} = await members[0].process.page(members[0].process.monitorPort, '/metrics');
  assert.match(text, /router_fleet_images_refused_total 0\n/);
});

test('whose chunks somebody has deleted, a new router has the ring from a member', async () => {
  const {ring} = await scene.json('status');
  await scene.zookeeper.shell(USER, `deleteall ${imageOf(ring.digest)}`);
  const fresh = await scene.member('m4').start();
  const {from} = await lastImage(fresh);
  assert.ok(['m1', 'm2', 'm3'].includes(from), from);
  await puts(fresh, 'z');
  assert.deepStrictEqual(await members[0].get('z'), {n: 1});
  assert.deepStrictEqual(site.asked, [], 'the URL comes last');
  members.push(fresh);
});

test('of a ring that does not go through ZooKeeper an edit does, from any host, and each router makes it by itself', async () => {
  for (const words of [['remap', '--vnodes', '3', '--pnode', PNODES[2]], ['set-data', '--vnodes', '3-4', 'ro'], ['set-data', '--vnodes', '90', 'ro']]) {
    const done = await json(far, ...words);
    assert.match(done.stderr, /more than fleet\.imageBytesMax, and does not go through ZooKeeper: routers make it of the ring in force, by an edit of \d+ bytes\n/);
    for (const member of members) {
      assert.strictEqual(await member.generation(), done.generation);
      assert.deepStrictEqual(await lastImage(member), {digest: done.digest, from: EDIT});
    }
  }
  const {text} = await members[0].process.page(members[0].process.monitorPort, '/metrics');
  assert.match(text, /router_fleet_images_total\{.*source="edit".*\} 3\n/);
});

test('a whole ring that does not go through ZooKeeper is handed on by the router on whose host it is made', async () => {
  const directory = anotherRing('near', 3);
  const done = await json(near, 'publish', directory);
  assert.ok(done.done);
  assert.match(done.stderr, /more than fleet\.imageBytesMax \(0\), and does not go through ZooKeeper: routers that lack it get it from m1\n/);
  for (const member of members) assert.strictEqual(await member.generation(), done.generation);
  for (const member of members.slice(1)) {
    const {digest, from} = await lastImage(member);
    assert.deepStrictEqual([digest, /^m[1-4]$/.test(from)], [done.digest, true], from);
  }
  assert.match(await scene.zookeeper.shell(USER, `ls ${imageOf(done.digest)}`), /Node does not exist/);
  const staged = (await members[0].result('rings')).map(({generation}) => generation);
  assert.deepStrictEqual(staged, [...new Set(staged)]);
});

test('what nobody has is refused before anything is changed, and says what would help', async () => {
  const before = await scene.json('status'), directory = anotherRing('nobody', 4);
  const {code, stderr} = await scene.runAs(far, 'publish', directory);
  assert.strictEqual(code, 1);
  assert.match(stderr, /nothing is changed: the ring's image has \d+ bytes, more than fleet\.imageBytesMax.*no router of the fleet has it, fleet\.imageUrl is not set, and this host has no store of rings at .*; run this on the host of a router/);
  const now = await scene.json('status');
  assert.deepStrictEqual([now.seq, now.ring], [before.seq, before.ring]);
  // A store that no router serves: what was staged in it is gone again.
  const store = path.join(scene.directory, 'copy');
  fs.cpSync(members[0].store, store, {recursive: true, verbatimSymlinks: true});
  const there = fs.readdirSync(store);
  const other = await scene.runAs(configured('copy.json', store, {imageBytesMax: 0, imageUrl: undefined}), 'publish', directory);
  assert.deepStrictEqual([other.code, fs.readdirSync(store).sort()], [1, there.sort()]);
  assert.match(other.stderr, /no router serves the store/);
});

test('a rollback needs nobody where routers have the ring', async () => {
  const before = members.map((member) => lastImage(member));
  const done = await json(near, 'rollback');
  assert.match(done.stderr, /get it from m1, m2, m3, m4\n/);
  for (const [i, member] of members.entries()) {
    assert.strictEqual(await member.generation(), done.generation);
    assert.deepStrictEqual(await lastImage(member), await before[i]);
  }
});

test('a ring that the URL alone has is published without chunks', async () => {
  const {directory, digest} = await newRing('at-url', 5);
  const file = configured('url.json', path.join(scene.directory, 'nothing'), {imageBytesMax: 0});
  site.asked = [];
  const done = await json(file, 'publish', directory);
  assert.deepStrictEqual([done.done, done.digest], [true, digest]);
  assert.ok(done.stderr.includes(`get it from ${site.url}`), done.stderr);
  assert.ok(site.asked.length >= 2, 'the command has looked, and a router has fetched');
  const sources = await Promise.all(members.map(async (member) => (await lastImage(member)).from));
  assert.ok(sources.includes('127.0.0.1'), String(sources));
  // The URL is taken at its word only if it has the ring.
  const {directory: missing, digest: other} = await newRing('missing', 6);
  delete site.images[other];
  const {code, stderr} = await scene.runAs(file, 'publish', missing);
  assert.strictEqual(code, 1);
  assert.match(stderr, /nothing is changed: .*fleet\.imageUrl does not either \(127\.0\.0\.1: it does not have it \(404\)\)/);
});

test('where all that comes is wrong, the change is abandoned by name, and the routers serve on', async () => {
  const {directory, digest} = await newRing('wrong', 7);
  const file = configured('url.json', path.join(scene.directory, 'nothing'), {imageBytesMax: 0});
  const right = site.images[digest];
  let first = true;
  site.instead = () => {  // the command gets it, routers don't
    if (!first) return Buffer.from('not an image');
    first = false;
    return right;
  };
  const {ring} = await scene.json('status');
  const {code, stderr} = await scene.runAs(file, 'publish', directory);
  assert.strictEqual(code, 1, stderr);
  assert.match(stderr, /nothing is changed: m\d: ring [0-9a-f]{64}: ZooKeeper: it has no image of it; .*127\.0\.0\.1: an image is damaged/);
  assert.deepStrictEqual((await scene.json('status')).ring, ring);
  for (const member of members) {
    await puts(member, 'after');
    assert.deepStrictEqual((await member.result('status')).ring.digest, ring.digest);
  }
  const refused = await Promise.all(members.map(async (member) => (await member.fleet()).imagesRefused));
  assert.ok(refused.some((count) => count > 0), String(refused));
  const logged = members.flatMap(({process}) => process.lines).filter(({msg}) => msg === 'what should be the image of a ring is refused');
  assert.ok(logged.some(({from, ringDigest}) => from === '127.0.0.1' && ringDigest === digest), JSON.stringify(logged));
  site.instead = null;
  assert.ok((await json(file, 'publish', directory)).done, 'once it is right, it is published');
});

test('wrong chunks, and a member that lies, are passed over for the URL', async () => {
  const {ring} = await scene.json('status');
  const liar = await new Site().start();
  liar.instead = () => Buffer.from('a lie');
  const entry = {v: 1, incarnation: 'l', ring, address: '127.0.0.1:1', httpPort: liar.server.address().port, version: 'x'};
  await Promise.all(members.map((member) => member.stop()));
  await scene.zookeeper.shell(USER, `deleteall ${imageOf(ring.digest)}`, `create ${imageOf(ring.digest)} {"v":1}`, `create /moray-router/f/roster/liar ${JSON.stringify(entry)}`);
  site.asked = [];
  const fresh = await scene.member('m5').start();
  assert.deepStrictEqual(await lastImage(fresh), {digest: ring.digest, from: '127.0.0.1'});
  assert.ok((await fresh.fleet()).imagesRefused >= 1);
  assert.ok(liar.asked.includes(ring.digest) && site.asked.includes(ring.digest));
  await scene.zookeeper.shell(USER, 'delete /moray-router/f/roster/liar');
  await until(async () => !(await scene.json('status')).members.some(({id}) => id === 'liar'), 'it is gone');
  await Promise.all(members.map((member) => member.start()));
  members.push(fresh);
  liar.stop();
});

test('a ring of 210 KB goes through ZooKeeper in chunks; where that is too much, an edit does, and a new router has it from another one', async () => {
  const vnodes = 250000, pnodes = 100;  // of a million it has 840 KB, and takes minutes on a busy machine
  // All but three have no shard that answers: nothing is asked of them.
  const names = Array.from({length: pnodes}, (_, i) => `tcp://${i + 1}.moray.example.com:2020`);
  const shards = names.slice(PNODES.length).map((pnode) => ({pnode, backend: 'moray', address: '127.0.0.1:1'}));
  const large = await new FleetScene().start(3, {vnodes, workers: 1, connections: 1, shards});
  try {
    const plain = JSON.parse(execFileSync(BIN, ['ring', 'print-hash', '-b', 'leveldb', '-l', path.join(large.directory, 'plain')], {maxBuffer: 256 << 20}));
    const owned = names.map(() => ({}));
    for (let i = 0, random = 1; i < vnodes; ++i) {
      random = random * 48271 % 2147483647;
      owned[random % pnodes][i] = 1;
    }
    plain.pnodeToVnodeMap = Object.fromEntries(names.map((name, i) => [name, owned[i]]));
    const topology = path.join(large.directory, 'topology.json'), directory = path.join(large.directory, 'random');
    fs.writeFileSync(topology, JSON.stringify(plain));
    execFileSync(BIN, ['ring', 'deserialize-ring', '-l', directory, '-f', topology], {stdio: 'ignore'});
    const {bytes, digest} = await large.json('image', directory, path.join(large.directory, 'image'));
    assert.ok(bytes > 200000 && bytes < 230000, `${bytes} bytes`);

    const first = await large.json('publish', directory, '--timeout', '600');
    assert.strictEqual(first.digest, digest);
    for (const member of large.members) assert.deepStrictEqual(await lastImage(member), {digest, from: 'ZooKeeper'});

    const config = JSON.parse(fs.readFileSync(large.file, 'utf8'));
    config.fleet.imageBytesMax = 100000;
    fs.writeFileSync(large.file, JSON.stringify(config));
    const second = await large.json('remap', '--vnodes', '5', '--pnode', PNODES[0], '--timeout', '600');
    for (const member of large.members) assert.deepStrictEqual(await lastImage(member), {digest: second.digest, from: EDIT});
    const fresh = await large.member('m4').start();
    assert.match((await lastImage(fresh)).from, /^m[123]$/);
    assert.strictEqual((await fresh.result('status')).ring.digest, second.digest);
    const keys = Array.from({length: 1000}, (_, i) => `k${i}`);
    const places = await Promise.all(keys.map((key) => large.members[0].result('locate', 'b', key)));
    const key = keys.find((_, i) => PNODES.includes(places[i].pnode));
    await puts(large.members[0], key);
    assert.deepStrictEqual(await large.members[2].get(key), {n: 1});
  } finally {
    await large.stop();
  }
});
