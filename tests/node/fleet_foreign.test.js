'use strict';
// Routers of a fleet that are not as the others are: old ones that know nothing of fleets, and programs of another version.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const {execFile} = require('child_process');
const http = require('http');

const {FleetScene, PNODES, pause, until} = require('./fleet_scene');
const {ZooKeeperClient} = require('./zookeeper_client');

const ROOT = '/moray-router/f';
let scene, service;

before(async () => {
  scene = await new FleetScene().start(2);
  service = new ZooKeeperClient(scene.zookeeper.nodes[0].port, 'fleet:secret');
});
after(() => scene.stop());

/** A page that answers as long as its process runs. */
async function page() {
  const server = http.createServer((request, response) => response.end('up\n'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${server.address().port}/status`, stop: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); })};
}
const digest = async () => (await scene.json('status')).ring.digest;

test('while an old router runs no vnode changes hands; stopped, it stands against nothing', async () => {
  const old = await page();
  const [m1] = scene.members;
  const base = await digest();
  assert.match(await scene.refusal('add-foreign', 'm1', '--status', old.url), /"m1" is a member already/);
  assert.match(await scene.refusal('add-foreign', 'old/1', '--status', old.url), /can't be a router's id/);
  assert.match(await scene.refusal('add-foreign', 'old-1', '--status', 'https://x/'), /must begin with http/);
  await scene.fleet('add-foreign', 'old-1', '--status', old.url);
  assert.match(await scene.fleet('status'), /old-1 .*foreign, serves another ring/);

  const refusal = await scene.refusal('remap', '--vnodes', '7', '--pnode', PNODES[2]);
  assert.match(refusal, /nothing is changed: old-1: it is no router of ours/);
  assert.match(refusal, /fleet acknowledge/);
  assert.match(await scene.refusal('block', '--vnodes', '7'), /old-1: it is no router of ours/);
  assert.strictEqual(await digest(), base);
  assert.deepStrictEqual((await scene.json('status')).blocks, []);
  await m1.put('x', {n: 1});

  assert.match(await scene.refusal('acknowledge', 'old-1', '--stopped'), /old-1.* is not stopped: .*answers yet/);
  assert.match(await scene.refusal('acknowledge', 'm1', '--stopped'), /answers for itself/);
  assert.match(await scene.refusal('acknowledge', 'nobody', '--stopped'), /has no router "nobody"/);
  assert.match(await scene.refusal('acknowledge', 'old-1'), /--stopped, or --serves/);
  await old.stop();
  await scene.fleet('acknowledge', 'old-1', '--stopped');
  assert.ok((await scene.json('remap', '--vnodes', '7', '--pnode', PNODES[2])).done);
  const {token} = (await scene.json('block', '--vnodes', '8'), (await scene.json('status')).blocks[0]);
  await scene.fleet('unblock', token);
  const history = await scene.fleet('history');
  for (const text of ['old-1 serves by a ring of its own, says', 'old-1 is stopped, says']) assert.ok(history.includes(text), history);
});

test('data is given where it has the ring first', async () => {
  await scene.fleet('acknowledge', 'old-1', '--serves', await digest());
  assert.match(await scene.fleet('status'), /old-1 .*foreign, serves\b/);
  const refusal = await scene.refusal('set-data', '--vnodes', '9', 'ro');
  const [, next] = /serve ring ([0-9a-f]+) first/.exec(refusal);
  await scene.fleet('acknowledge', 'old-1', '--serves', next);
  assert.strictEqual((await scene.json('set-data', '--vnodes', '9', 'ro')).digest, next);
  await until(async () => {
    const {process} = scene.members[1];
    return (await process.page(process.monitorPort, '/metrics')).text.includes('router_fleet_foreign_members 1');
  }, 'the metric counts it');
  await scene.fleet('remove', 'old-1', '--gone', 'old-1', '--grace', '0');
  assert.ok((await scene.json('set-data', '--vnodes', '9')).done);
});

test('a state of a later version: who serves goes on, and who starts does not begin', async () => {
  const [m1, m2] = scene.members;
  const {value: now} = await service.get(ROOT + '/state');
  const {generation} = (await scene.json('status')).ring;
  await m2.stop();
  await service.set(ROOT + '/state', JSON.stringify({...JSON.parse(now), v: 9}));
  await until(async () => /version 9/.test((await m1.fleet()).problem || ''), 'm1 names it');
  await m1.put('x', {n: 2});
  assert.strictEqual(await m1.generation(), generation);
  const status = await scene.run('status');
  assert.deepStrictEqual([status.code, /state: it has version 9/.test(status.stdout), /^m1 .*serves: .*version 9/m.test(status.stdout)], [3, true, true], status.stdout);
  await m2.begin();
  await until(async () => {
    const ready = await m2.process.page(m2.process.statusPort, '/ready').catch(() => null);
    return ready && ready.status === 503 && /version 9/.test(ready.text);
  }, 'm2 says why it does not serve');
  // Beyond the time after which it serves by its own ring where it hears nothing.
  for (const began = Date.now(); Date.now() - began < 4000; await pause(200))
    assert.strictEqual(JSON.parse((await m2.process.page(m2.process.statusPort, '/status')).text).fleet.serves, false);
  await service.set(ROOT + '/state', now);
  await m2.served;
  await until(async () => (await scene.json('status')).members.every(({state}) => state === 'serves'), 'both serve');
});

test('a member whose program does not speak of cutovers is named by a plan, and takes part in the rest', async () => {
  const entry = JSON.parse((await service.get(ROOT + '/roster/m2')).value);
  assert.deepStrictEqual(entry.protocol, [1, 2]);
  delete entry.protocol;  // as a program of before would be in the roster
  await service.set(ROOT + '/roster/m2', JSON.stringify(entry));
  const plan = () => new Promise((resolve) => execFile(process.env.MORAY_ROUTER_BIN,
    ['reshard', 'plan', '--config', scene.file, '--from', PNODES[0], '--to', PNODES[1], '--vnodes', '0,3'], (error, stdout, stderr) => resolve({code: error ? error.code : 0, text: stdout + stderr})));
  const refused = await plan();
  assert.notStrictEqual(refused.code, 0, refused.text);
  assert.match(refused.text, /m2.*speaks version 1 of the fleet's protocol, and this needs 2/s);
  assert.ok((await scene.json('set-data', '--vnodes', '11', 'ro')).done);
  await scene.members[1].stop();
  await scene.members[1].start();  // it says anew what it speaks
  assert.deepStrictEqual(JSON.parse((await service.get(ROOT + '/roster/m2')).value).protocol, [1, 2]);
  const after = await plan();
  assert.ok(!/speaks version/.test(after.text), after.text);
});
