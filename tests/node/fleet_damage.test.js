'use strict';
// A fleet whose nodes in ZooKeeper somebody deletes or overwrites by hand, and routers whose credentials are not the fleet's: all that serve
// go on, and everybody says what is wrong.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const fs = require('fs');

const {FleetScene, until} = require('./fleet_scene');

const USER = 'fleet:secret', ROOT = '/moray-router/f';
let scene, data = 0;
before(async () => {
  scene = await new FleetScene().start(3, {workers: 1});
  for (const {process: router} of scene.members)
    await until(async () => JSON.parse((await router.page(router.statusPort, '/status')).text).shards.every(({healthyWorkers}) => healthyWorkers === 1), 'it reaches all shards');
});
after(() => scene.stop());

const inZooKeeper = (...lines) => scene.zookeeper.shell(USER, ...lines);
const statusOf = (id) => async () => (await scene.json('status')).members.find((member) => member.id === id).state;
const problems = () => Promise.all(scene.members.map(async (member) => (await member.fleet()).problem || ''));
/** Each router takes a write, and reads it back. */
async function serves() {
  for (const member of scene.members) {
    await member.put(`by ${member.name}`, {n: ++data});
    assert.deepStrictEqual(await member.get(`by ${member.name}`), {n: data});
  }
}
async function together() {
  await until(async () => {
    const {code, stdout} = await scene.run('--json', 'status');
    return code === 0 && JSON.parse(stdout).members.every(({state}) => state === 'serves');
  }, 'all are in step');
  assert.ok((await scene.json('set-data', '--vnodes', '7', JSON.stringify({n: ++data}))).done);
  await serves();
}

for (const node of ['acks/m2', 'live/m2'])
  test(`${node} is deleted: the router writes it anew, and serves all the time`, async () => {
    await inZooKeeper(`delete ${ROOT}/${node}`);
    await serves();
    await together();
    assert.deepStrictEqual(await problems(), ['', '', '']);
  });

test('roster/m2 is deleted: as one that was removed, it serves nothing until it has joined again, and the others serve', async () => {
  const [m1, m2, m3] = scene.members;
  await inZooKeeper(`delete ${ROOT}/roster/m2`);
  for (const member of [m1, m3]) await member.put('others', {n: ++data});
  await until(() => m2.get('others').then(({n}) => n === data, () => false), 'it serves again');
  await together();
});

for (const [what, line] of [['deleted', `delete ${ROOT}/NODE`], ['overwritten', `set ${ROOT}/NODE nonsense`]])
  for (const node of ['blocks', 'state'])
    test(`${node} is ${what}: it is named, nothing is changed by it, and reinit writes it as the routers have it`, async () => {
      const {ring} = await scene.json('status');
      await inZooKeeper(line.replace('NODE', node));
      const named = what === 'deleted' ? new RegExp(`${ROOT}/${node} is missing: .*fleet reinit`) : new RegExp(`${node}: it is not an object in JSON`);
      await until(async () => (await problems()).every((problem) => named.test(problem)), 'all routers say it');
      await serves();
      assert.match(await scene.refusal('set-data', '--vnodes', '8', 'ro'), named);
      const status = await scene.run('status');
      assert.strictEqual(status.code, 3, status.stderr);
      assert.match(status.stdout, /What its routers say of themselves/);
      await scene.fleet('reinit', '--why', `${node} was ${what}`);
      await together();
      const now = (await scene.json('status')).ring;
      assert.strictEqual(now.generation, ring.generation + 1);  // by the change of `together`
      assert.deepStrictEqual(await problems(), ['', '', '']);
    });

test('a member whose credentials are not the fleet\'s any more serves on by its disk, says so, and nothing changes without it', async () => {
  const wrong = `${scene.credentials}.wrong`, [, , m3] = scene.members;
  fs.writeFileSync(wrong, 'fleet:another\n', {mode: 0o600});
  await m3.stop();
  await m3.start({fleet: {credentialsFile: wrong}});
  await until(() => m3.get('by m3').then(() => true, () => false), 'it serves');
  await serves();
  await until(async () => /credentials/.test((await m3.fleet()).problem || ''), 'it says so');
  assert.strictEqual(await statusOf('m3')(), 'no session');
  assert.match(await scene.refusal('set-data', '--vnodes', '9', 'ro', '--timeout', '3'), /no answer from m3/);
  await m3.stop();
  await m3.start();
  await together();
});

test('a new router whose credentials are not the fleet\'s waits, and says for what; without the file it does not start', async () => {
  const wrong = `${scene.credentials}.wrong`;
  fs.writeFileSync(wrong, 'fleet:another\n', {mode: 0o600});
  const joiner = await scene.member('m4').begin({fleet: {credentialsFile: wrong}});
  const ready = () => fetch(`http://127.0.0.1:${joiner.ports.status.port}/ready`).then((answer) => answer.json(), () => ({}));
  await until(async () => /refuses this router's fleet.credentialsFile/.test((await ready()).reason), 'it says why it is not ready');
  assert.strictEqual((await ready()).ready, false);
  await joiner.stop();
  const nothing = await joiner.begin({fleet: {credentialsFile: `${wrong}.none`}});
  await nothing.process.exited;
  assert.match(nothing.process.errors, /fleet\.credentialsFile .*none: No such file/);
  joiner.process = null;
  scene.members.pop();
  assert.deepStrictEqual((await scene.json('status')).members.map(({id}) => id), ['m1', 'm2', 'm3']);
  await together();
});
