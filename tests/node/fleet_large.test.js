'use strict';
// Plans of `reshard` over a fleet whose ring is too large for ZooKeeper: what goes there is the edit that makes the next ring of the one in force,
// and the plan's coordinator, on a host without a router, has that one from the routers.
const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const {test} = require('node:test');

const {scene} = require('./reshard_scene');
const {ZooKeeperClient} = require('./zookeeper_client');

const EDIT = 'an edit in ZooKeeper';
const own = scene();

const page = async (router) => JSON.parse((await router.page(router.statusPort, '/status')).text);
const lastImages = () => Promise.all(own.system.routers.map(async (router) => (await page(router)).fleet.lastImage));

/** The image of a ring in ZooKeeper's nodes, of one chunk; null: there is none. */
async function imageOf(digest) {
  const {system} = own, service = new ZooKeeperClient(system.zookeeper.nodes[0].port, 'fleet:secret');
  const node = `/moray-router/f/images/${digest}`, header = await service.get(node);
  if (!header) return null;
  const {sha256, chunks} = JSON.parse(header.value);
  assert.strictEqual(chunks, 1);
  return (await service.get(`${node}/${sha256.slice(0, 16)}-0000`)).value;
}

/** Each router is written to, and read from by somebody who judges what it says. */
async function uses(router) {
  const {system, ledger} = own, client = await system.connect(router.port);
  own.clients.push(client);
  ledger.writers.push(ledger.write(client, 2), ledger.judge(client));
}

test('vnodes move through a fleet whose ring never goes through ZooKeeper, a router joins meanwhile, and they move back', async () => {
  await own.begin({routers: 3, fleet: 1, writers: 0, fleetSettings: {imageBytesMax: 0}});
  const {system, ledger} = own;
  Object.assign(own, {clients: []});
  ledger.writers = [];
  for (const router of system.routers) await uses(router);
  await ledger.goesOn(200);
  const {ring: first} = await system.fleetStatus();
  assert.strictEqual(await imageOf(first.digest), null);

  // A host that has no ring.
  const config = JSON.parse(fs.readFileSync(system.config, 'utf8'));
  config.ring.location = path.join(system.directory, 'nothing');
  system.config = path.join(system.directory, 'far.json');
  fs.writeFileSync(system.config, JSON.stringify(config));
  const plan = await system.plan('--vnodes', '0-31');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  await system.quiet(() => system.together());
  const {ring: moved} = await system.fleetStatus();
  assert.deepStrictEqual(await lastImages(), Array(3).fill({digest: moved.digest, from: EDIT}));
  const edit = await imageOf(moved.digest);
  assert.ok(edit.startsWith(`MRE1 ${first.digest}\n`), edit);

  // It lacks the ring of which the edit makes this one.
  system.routers.push(null);
  const joiner = await system.startRouter(3);
  const {digest, from} = (await page(joiner)).fleet.lastImage;
  assert.strictEqual(digest, moved.digest);
  assert.match(from, /^m[123]$/);
  assert.strictEqual((await page(joiner)).fleet.imagesRefused, 0);
  await system.quiet(() => system.healthy());
  await uses(joiner);
  await ledger.goesOn(200);

  const back = await system.reshardTo(0, 'rollback', plan);
  assert.match(back.err, /cut over: writes were held for/);
  await running.done;
  await system.quiet(() => system.together());
  assert.strictEqual((await system.fleetStatus()).ring.digest, first.digest);
  // The others have had this ring all along; a new router makes it.
  assert.deepStrictEqual((await lastImages()).at(-1), {digest: first.digest, from: EDIT});
  assert.ok((await imageOf(first.digest)).startsWith(`MRE1 ${moved.digest}\n`));

  await ledger.goesOn(100);
  await ledger.stop();
  assert.deepStrictEqual(ledger.wrong, []);
  assert.deepStrictEqual(ledger.refused, {});
  assert.strictEqual(ledger.unknown, 0, ledger.lastUnknown);
  for (const client of own.clients) await ledger.check(system, client);
});

test('a plan waits while nobody has the ring in force, and says what each has said', async () => {
  await own.begin({routers: 1, fleet: 1, writers: 0, fleetSettings: {imageBytesMax: 0}});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-7', '--soak', '0');
  assert.strictEqual((await system.ended(system.reshard('run', plan, '--crash-before', 'bind'))).signal, 'SIGKILL');
  system.router.child.kill('SIGKILL');
  await system.router.exited;
  const running = system.reshard('run', plan), {ring} = await system.fleetStatus();
  await system.waits(plan, new RegExp(`fleet "f": the image of ${ring.digest}: no node; m1: no connection`), running);
  await system.startRouter(0);
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  assert.deepStrictEqual(system.vnodesOf(1), [0, 1, 2, 3, 4, 5, 6, 7]);
});
