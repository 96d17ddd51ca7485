'use strict';
// What may happen at each step of a change of a fleet's ring: the operator's command dies, a router joins, or a router has lost its
// databases, or those and ZooKeeper.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');

const {FleetScene, PNODES, until} = require('./fleet_scene');
const {Watched} = require('./fleet_watched');

// The shorter form leaves out what differs least from the rest.
const LONG = Boolean(process.env.MORAY_ROUTER_LONG);
const LEASE_S = 2;
/** `fleet` ends so where a change is done; can't be done; or where it can't tell. */
const DONE = 0, FAILED = 1, UNKNOWN = 3, ENDS = [DONE, FAILED, UNKNOWN];

let scene, direct, watched, moves = 0;
before(async () => {
  scene = await new FleetScene().start(3, {workers: 1, cuts: ['operator', 'm3'], relayed: 'm3'});
  direct = scene.operator('nobody');  // sees what goes on while the operator is cut off
  await scene.fleet('set-data', '--vnodes', '99', '{"note":"so that all have answered once"}');
});
after(() => scene.stop());
afterEach(async () => {
  for (const cut of Object.values(scene.cuts)) {
    cut.forget();
    cut.mend();
  }
  scene.relay.release();
  if (watched) await watched.stop();
  watched = null;
});

/** There and back again, so that no pnode runs out of vnodes. */
async function begin() {
  const [from, to] = moves++ % 2 === 0 ? PNODES : [PNODES[1], PNODES[0]];
  watched = await new Watched(scene).begin(from, to);
}
const remap = () => scene.begin(scene.file, '--json', 'remap', '--vnodes', watched.vnodes, '--pnode', watched.to, '--lease', String(LEASE_S), '--timeout', '10');
const status = async () => JSON.parse((await scene.runAs(direct, '--json', 'status')).stdout);
const together = (count) => until(async () => {
  const {change, members} = await status();
  if (change !== null || members.length !== count || !members.every(({state}) => state === 'serves')) return false;
  const refusing = await Promise.all(scene.members.map(async (member) => (await member.fleet()).doubtVnodes));
  return refusing.every((vnodes) => vnodes === 0);
}, 'all are in step');
/** All routers have one ring, both vnodes at one pnode, take writes, and have never read anything older. Returns whether they moved. */
async function settled() {
  await together(scene.members.length);
  const places = await Promise.all(scene.members.flatMap((member) => watched.keys.map(async (key) => (await member.result('locate', 'b', key)).pnode)));
  assert.strictEqual(new Set(places).size, 1, places.join());
  for (const [i, member] of scene.members.entries()) for (const key of watched.keys) await watched.write(member, key, 100 + i);
  await watched.settled();
  return places[0] === watched.to;
}

const STEPS = {prepare: /"kind":"publish","stage":"prepare"/, block: /"kind":"publish","stage":"block"/, activate: /"kind":"publish","stage":"activate"/, close: /"change":null,"last":/};
const COMMIT = 'activate';
const WAYS = {before: 'before it is sent', late: 'as it is sent, and it arrives afterwards', after: 'when it is done, and has not been told so'};
/** An operator's command that is killed at the nth of its writes: `reached`, whether it wrote so often; `step`, which one that write was. */
async function killedAt(nth, way) {
  const cut = scene.cuts.operator;
  let count = 0, step = null;
  const stopped = cut.stopAt((bytes) => {
    step = Object.keys(STEPS).find((name) => STEPS[name].test(bytes)) || step;
    return ++count === nth;
  }, way === 'after' ? 'after' : 'before'), running = remap();
  if (!await Promise.race([stopped, running.done.then(() => false)])) {
    assert.strictEqual((await running.done).code, DONE);
    return {reached: false, step};
  }
  running.child.kill('SIGKILL');
  await running.done;
  if (way === 'late') cut.mend();
  else cut.reset();
  return {reached: true, step};
}
/** Whether a change is done of which the write that began `step` was the last, and arrived or not. A close may also be its members'. */
const committed = (step, way) => step === 'close' || (step === COMMIT && way !== 'before');

for (const [i, [way, when]] of Object.entries(WAYS).entries())
  test(`an operator's command dies at each of its writes, ${when}: the change is done at all routers, or at none, and the next one is done`, async () => {
    const steps = new Set();
    let moved = 0, writes = 0;
    for (let nth = LONG ? 1 : 1 + i; ; nth += LONG ? 1 : 4) {
      await begin();
      const {reached, step} = await killedAt(nth, way);
      if (!reached) break;
      const done = await settled();
      assert.strictEqual(done, committed(step, way), `write ${nth}, of ${step}`);
      steps.add(step);
      ++writes;
      if (done) ++moved;
      await watched.stop();
    }
    assert.ok(await settled());
    if (LONG) for (const step of Object.keys(STEPS)) assert.ok(steps.has(step), `it did not die at ${step}`);
    console.log(JSON.stringify({fleet_operator_dies: {way, writes, moved}}));
  });

const ALL = Object.keys(STEPS).flatMap((step) => [[step, 'before'], [step, 'after']]);
for (const [step, when] of LONG ? ALL : [['block', 'after'], ['activate', 'after']])
  test(`a router joins right ${when} a change's step to ${step} is written`, async () => {
    await begin();
    const cut = scene.cuts.operator, stopped = cut.stopAt((bytes) => STEPS[step].test(bytes), when), running = remap();
    assert.ok(await stopped);
    const joiner = await scene.member(`j-${step}-${when}`).begin();
    await until(async () => (await status()).members.some(({id}) => id === joiner.name), 'it is on the roster');
    cut.mend();
    const {code, stderr} = await running.done;
    try {
      assert.ok(ENDS.includes(code), stderr);
      await joiner.served;
      await joiner.connect();
      watched.running.push(watched.read(joiner));
      const moved = await settled();
      if (code !== UNKNOWN) assert.strictEqual(moved, code === DONE, stderr);
      assert.strictEqual(await joiner.generation(), await scene.members[0].generation());
      await watched.stop();
    } finally {
      await joiner.stop();
      scene.members.pop();
    }
    await scene.fleet('remove', joiner.name, '--gone', joiner.name, '--grace', '0');
    await together(3);
  });

/** What m3 says to a stage, in bytes of its request. */
const answer = (stage) => (bytes) => bytes.includes('/acks/m3') && bytes.includes(`"stage":"${stage}"`);
const shardsOf = async ({process}) => JSON.parse((await process.page(process.statusPort, '/status')).text).shards;
const open = (stage) => until(async () => ((await status()).change || {}).stage === stage, `a change is at ${stage}`);

test('a router whose databases are out of reach has a write under way: nothing changes hands', async () => {
  await begin();
  const [m1, , m3] = scene.members, [one, other] = watched.keys;
  scene.relay.hold();
  const write = watched.write(m3, one, 2);
  // Beside what reads, and writes to a bystander, one at a time each.
  await until(async () => (await shardsOf(m3)).reduce((sum, {inFlight}) => sum + inFlight, 0) >= 3, 'it is sent');
  const running = scene.begin(scene.file, '--json', 'remap', '--vnodes', watched.vnodes, '--pnode', watched.to, '--lease', String(LEASE_S), '--timeout', '3');
  await open('block');
  await watched.write(m1, other, 2);
  const {code, stdout, stderr} = await running.done;
  assert.strictEqual(code, FAILED, stdout);
  assert.match(stdout + stderr, /no answer from m3/);
  scene.relay.release();
  await write;
  assert.strictEqual(await settled(), false);
});

test('a router whose databases are out of reach has no write under way: the change is done, and what it is asked from then on goes to the new owner', async () => {
  await begin();
  const [m1, , m3] = scene.members, [one] = watched.keys;
  scene.relay.hold();
  const {code, stdout, stderr} = await remap().done;
  assert.strictEqual(code, DONE, stdout + stderr);
  await watched.write(m1, one, 2);
  const late = m3.get(one);
  scene.relay.release();
  assert.deepStrictEqual(await late, {n: 2});
  assert.ok(await settled());
});

test('a router has lost its databases and ZooKeeper when it has agreed to a block: the others go on without it, and it serves nothing old', async () => {
  await begin();
  const [m1, m2, m3] = scene.members, [one, other] = watched.keys, cut = scene.cuts.m3;
  const stopped = cut.stopAt(answer('block'), 'after'), running = scene.begin(scene.file, '--json', 'remap', '--vnodes', watched.vnodes, '--pnode', watched.to, '--lease', String(LEASE_S), '--timeout', '3');
  assert.ok(await stopped);
  scene.relay.hold();
  const {code, stdout, stderr} = await running.done;
  assert.strictEqual(code, DONE, stderr);
  assert.strictEqual(JSON.parse(stdout).missing, 'm3');
  await watched.write(m1, one, 2);
  await watched.write(m2, other, 2);
  scene.relay.release();  // what it has asked the old owner is answered now
  await assert.rejects(m3.get(one), {name: 'NoBackendsError'});
  await assert.rejects(m3.put(other, {n: 9}), {name: 'ReadOnlyError'});
  cut.mend();
  assert.ok(await settled());
});
