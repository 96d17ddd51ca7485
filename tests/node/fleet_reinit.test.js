'use strict';
// A fleet whose ZooKeeper is away, has lost everything, or was restored to an earlier day.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const {spawn} = require('child_process');
const fs = require('fs');
const path = require('path');

const {FleetScene, PNODES, until} = require('./fleet_scene');
const {ZooKeeperClient} = require('./zookeeper_client');

let scene, m1, m2;

before(async () => {
  scene = await new FleetScene().start(2);
  [m1, m2] = scene.members;
  await until(() => {
    const file = path.join(m1.store, 'member.roster');
    return fs.existsSync(file) && Object.keys(JSON.parse(fs.readFileSync(file)).members).length === 2;
  }, 'm1 has kept the roster');
});
after(() => scene.stop());

const data = () => path.join(scene.zookeeper.nodes[0].directory, 'data', 'version-2');
/** ZooKeeper comes back with what `change` leaves on its disk. */
async function anew(change) {
  await scene.zookeeper.kill();
  change();
  await scene.zookeeper.launch();
}
const lose = () => fs.rmSync(data(), {recursive: true});
const inTouch = (member) => until(async () => (await member.fleet()).inTouch, `${member.name} is in touch`);
const ceased = (member) => member.process.lines.filter(({msg}) => msg === "the fleet's member serves no clients").length;
/** Both serve, as the service sees it, and neither had to stop for it. */
async function together() {
  await until(async () => (await scene.json('status')).members.every(({state}) => state === 'serves'), 'all serve');
  for (const member of [m1, m2]) {
    await member.put('x', {n: 1});
    assert.strictEqual(ceased(member), 0, member.name);
  }
}

test('where nothing was lost, nothing is written anew', async () => {
  assert.match(await scene.refusal('reinit'), /the service has all that the routers have seen/);
});

test('without ZooKeeper status says what the routers say; also where this host has none', async () => {
  await scene.zookeeper.kill();
  const elsewhere = path.join(scene.directory, 'elsewhere.json');
  fs.writeFileSync(elsewhere, JSON.stringify({...m1.config(), ring: {location: path.join(scene.directory, 'none')}}));
  const [{code, stdout}, unknown, named] = await Promise.all([scene.run('status'), scene.runAs(elsewhere, 'status'),
    scene.runAs(elsewhere, '--json', 'status', '--member', `127.0.0.1:${m2.process.statusPort}`, '--member', '127.0.0.1:1')]);
  assert.strictEqual(code, 3, stdout);
  assert.match(stdout, /ZooKeeper does not say what it has/);
  for (const {name} of [m1, m2]) assert.match(stdout, new RegExp(`^${name} .* 1 [0-9a-f]{12} +serves`, 'm'));
  assert.match(unknown.stdout, /no router is known here.*--member HOST:PORT/);
  const {members} = JSON.parse(named.stdout);
  assert.deepStrictEqual(members.map(({id}) => id).sort(), ['127.0.0.1:1', 'm2']);
  assert.match(members.find(({id}) => id !== 'm2').problem, /no connection/);
  await scene.zookeeper.launch();
  await Promise.all([m1, m2].map(inTouch));
});

test('a service that has lost everything: the state is written as the routers have it, and none of them stops', async () => {
  const made = await scene.json('set-data', '--vnodes', '3', 'ro');
  const {token} = (await scene.json('block', '--vnodes', '4'), (await scene.json('status')).blocks[0]);
  const seq = (await scene.json('status')).seq;
  await anew(lose);
  const lost = await scene.run('status');
  assert.deepStrictEqual([lost.code, /there is no fleet.*`fleet reinit` where it was lost/.test(lost.stdout), /^m2 .*serves/m.test(lost.stdout)], [3, true, true], lost.stdout);
  const ofM1 = path.join(scene.directory, 'm1.json');
  fs.writeFileSync(ofM1, JSON.stringify(m1.config()));
  assert.match((await scene.runAs(ofM1, 'init')).stderr, /has been a member of that fleet, beside m1, m2/);
  await m1.put('x', {n: 1});
  assert.match(await scene.refusal('reinit'), /lost which vnodes are blocked.*--unblock/);
  await m2.process.child.kill('SIGSTOP');
  assert.match(await scene.refusal('reinit', '--unblock'), /do not say which ring they have: m2/);
  await m2.process.child.kill('SIGCONT');
  assert.match(await scene.refusal('reinit', '--unblock', '--without', 'm2'), /--without m2: it answers/);
  await scene.fleet('reinit', '--unblock', '--why', 'the disk is gone');
  const status = await scene.json('status');
  assert.deepStrictEqual(status.ring, {generation: made.generation, digest: made.digest});
  assert.ok(status.seq >= seq + 1000, `${status.seq}`);
  assert.deepStrictEqual(status.blocks, []);
  assert.match(await scene.fleet('history'), /written anew, by .*\(the disk is gone\)/);
  await together();
  assert.match(await scene.refusal('unblock', token), /no such block/);
  assert.ok((await scene.json('remap', '--vnodes', '5', '--pnode', PNODES[1])).done);
  assert.match(await scene.refusal('reinit'), /the service has all/);
});

test('a service that was restored to an earlier day: what the routers have stays in force', async () => {
  const copy = path.join(scene.directory, 'yesterday');
  await anew(() => fs.cpSync(data(), copy, {recursive: true}));
  await Promise.all([m1, m2].map(inTouch));
  // A day's transactions: a server that knows none of them refuses clients that do, and says nothing to them.
  const others = new ZooKeeperClient(scene.zookeeper.nodes[0].port);
  for (let i = 0; i < 300; ++i) await others.get('/none');
  const made = await scene.json('remap', '--vnodes', '5', '--pnode', PNODES[2]);
  await anew(() => { lose(); fs.cpSync(copy, data(), {recursive: true}); });
  await until(async () => (await scene.run('status')).code === 0, 'it is back');
  assert.notStrictEqual((await scene.json('status')).ring.digest, made.digest);
  assert.strictEqual(await m1.generation(), made.generation);
  // What they have seen is on their disks: a power cut has restarted them, too.
  for (const member of [m1, m2]) {
    await member.stop();
    await member.start();
  }
  await scene.fleet('reinit');
  assert.strictEqual((await scene.json('status')).ring.digest, made.digest);
  await together();
  await m2.stop();  // and it keeps its place
  await m2.start();
  await together();
  const next = await scene.json('remap', '--vnodes', '5', '--pnode', PNODES[1]);
  assert.ok(next.generation > made.generation, 'a number is never given twice');
});

test('a change that was open when the service was lost is decided by what the routers know of it', async () => {
  const {ring} = await scene.json('status');
  m2.process.child.kill('SIGSTOP');
  const remap = spawn(process.env.MORAY_ROUTER_BIN, ['fleet', '-f', scene.file, 'remap', '--vnodes', '5', '--pnode', PNODES[2]], {stdio: 'ignore'});
  const ended = new Promise((resolve) => remap.on('close', resolve));
  await until(async () => (await m1.fleet()).agreedTo, 'm1 has agreed');
  remap.kill('SIGKILL');
  await ended;
  await scene.zookeeper.kill();
  m2.process.child.kill('SIGCONT');
  lose();
  await scene.zookeeper.launch();
  await until(async () => (await scene.run('history')).stderr.includes('there is no fleet'), 'the service is there, and empty');
  assert.match(await scene.refusal('reinit', '--committed'), /has not agreed to the change/);
  await scene.fleet('reinit');  // which needs no person's word: m2 never agreed
  assert.strictEqual((await scene.json('status')).ring.digest, ring.digest);
  await until(async () => !(await m1.fleet()).agreedTo, 'm1 has heard of it');
  await together();
  assert.ok((await scene.json('remap', '--vnodes', '5', '--pnode', PNODES[2])).done);
});
