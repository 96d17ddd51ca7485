'use strict';
// A fleet whose ZooKeeper is three nodes that vote: their leader is killed at each step of a change, and all of them for a while.
const assert = require('node:assert');
const {after, afterEach, before, describe, test} = require('node:test');

const {Acknowledgers} = require('./fleet_acknowledgers');
const {LEASE_S, Ledger, Mover, randomOf} = require('./fleet_ledger');
const {FleetScene, PNODES, pause, until} = require('./fleet_scene');
const {membersOf} = require('./fleet_system');
const {rowsNotOwned} = require('./reshard_rows');
const {System} = require('./reshard_system');

// The shorter form leaves out what differs least from the rest.
const LONG = Boolean(process.env.MORAY_ROUTER_LONG);
/** From when nobody serves by a lease any more, with what a busy machine may add to it, in ms. */
const over = (leaseMs) => leaseMs * 1.01 + 500 + 5000;

/** As kill -9. The two others go on. */
async function killLeader(zookeeper) {
  const leader = await zookeeper.leader();
  await leader.kill();
  return leader;
}

describe('a fleet over three nodes of ZooKeeper', () => {
  let scene, ledger;
  before(async () => {
    scene = await new FleetScene().start(3, {nodes: 3, cuts: ['operator']});
  });
  after(() => scene.stop());
  afterEach(async () => {
    if (ledger) await ledger.stop();
    ledger = null;
    await scene.zookeeper.launch();
  });

  async function begin(seed) {
    ledger = new Ledger(scene, randomOf(seed));
    for (const of of ledger.keys) {
      of.key = `ensemble${seed}.${of.key}`;
      await scene.members[0].put(of.key, {n: 0});
    }
    ledger.start();
  }
  /** All routers serve one ring, and nothing was lost. */
  async function settled() {
    await until(async () => {
      const {code, stdout} = await scene.run('--json', 'status');
      if (code !== 0) return false;
      const {change, members} = JSON.parse(stdout);
      return change === null && members.length === 3 && members.every(({state}) => state === 'serves');
    }, 'all routers serve the ring in force');
    await ledger.stop();
    await ledger.check();
    assert.ok(ledger.writes > 100 && ledger.reads > 100, `${ledger.writes} writes, ${ledger.reads} reads`);
  }

  /** What a coordinator writes at each step of a publication, and nobody else does. */
  const STEPS = {prepare: /"kind":"publish","stage":"prepare"/, block: /"kind":"publish","stage":"block"/, activate: /"kind":"publish","stage":"activate"/, close: /"change":null,"last":/};
  const all = Object.keys(STEPS).flatMap((step) => [[step, 'before'], [step, 'after']]);
  for (const [i, [step, when]] of (LONG ? all : [['prepare', 'after'], ['block', 'before'], ['activate', 'after']]).entries())
    test(`the leader dies right ${when} the step to ${step} is written: the change is done everywhere, or nowhere`, async () => {
      await begin(i + 1);
      const cut = scene.cuts.operator, mover = new Mover(scene, ledger.random);
      const {vnode, pnode} = await scene.members[0].result('locate', 'b', ledger.keys[i].key), to = PNODES.find((other) => other !== pnode);
      let died = null;
      const ended = await mover.move(String(vnode), pnode, to, () => {
        died = cut.stopAt((bytes) => STEPS[step].test(bytes), when).then(async (stopped) => {
          if (!stopped) return null;
          const leader = await killLeader(scene.zookeeper);
          // What was held reaches a node, if that still stands; or the answer gets lost.
          if (when === 'before') cut.mend();
          else cut.reset();
          return leader;
        });
      });
      cut.forget();
      assert.ok(await died, 'that step was written');
      assert.ok(ended && [0, 1, 3].includes(ended.code), JSON.stringify(ended));
      if (step === 'close' || (step === 'activate' && when === 'after')) assert.strictEqual(ended.code, 0, ended.text);
      assert.ok(scene.zookeeper.nodes.filter(({child}) => child).length === 2, 'two nodes were enough');
      await settled();
      const now = (await scene.json('status')).ring, places = await Promise.all(scene.members.map((member) => member.result('locate', 'b', ledger.keys[i].key)));
      assert.deepStrictEqual(await Promise.all(scene.members.map((member) => member.generation())), Array(3).fill(now.generation));
      if (ended.code !== 3) assert.deepStrictEqual(places.map((place) => place.pnode), Array(3).fill(ended.code === 0 ? to : pnode), ended.text);
      assert.ok(ledger.longest < over(LEASE_S * 1000), `refused for ${ledger.longest} ms: ${ledger.lastRefused}`);
      console.log(JSON.stringify({fleet_leader: {step, when, code: ended.code, writes: ledger.writes, reads: ledger.reads, refused: ledger.refused, longestMs: ledger.longest}}));
    });

  test('all three nodes are dead for a while, and no change is open: nobody notices, and nothing is published anew', async () => {
    await begin(20);
    const published = async (member) => {
      const {text} = await member.process.page(member.process.monitorPort, '/metrics');
      return Number(/^router_publications_total (\d+)/m.exec(text)[1]);
    };
    const first = await Promise.all(scene.members.map(published));
    const touches = () => Promise.all(scene.members.map(async (member) => (await member.fleet()).inTouch));
    assert.deepStrictEqual(await touches(), [true, true, true]);
    const began = {refused: ledger.refused, writes: ledger.writes, reads: ledger.reads};
    await scene.zookeeper.kill();
    await pause(LONG ? 60_000 : 20_000);
    assert.deepStrictEqual(await touches(), [false, false, false]);
    await scene.zookeeper.launch();
    const back = Date.now();
    await until(async () => (await touches()).every(Boolean), 'all are in touch');
    const touched = Date.now() - back;
    assert.strictEqual(ledger.refused, began.refused, ledger.lastRefused);
    assert.ok(ledger.writes > began.writes + 1000 && ledger.reads > began.reads + 1000, `${ledger.writes} writes, ${ledger.reads} reads`);
    await settled();
    assert.deepStrictEqual(await Promise.all(scene.members.map(published)), first);
    console.log(JSON.stringify({fleet_outage: {writes: ledger.writes - began.writes, reads: ledger.reads - began.reads, refused: 0, inTouchMs: touched}}));
  });

  if (LONG)
    test('a hundred members agree: three routers, and 97 sessions that only say so', async () => {
      const others = await new Acknowledgers(scene, 97).start();
      try {
        const {ring} = await scene.json('status');
        const done = await scene.json('set-data', '--vnodes', '5', 'ro');
        assert.ok(done.done && !done.missing && done.generation > ring.generation, JSON.stringify(done));
        assert.deepStrictEqual(others.answered('activate'), Array(97).fill(done.change));
        const {members} = await scene.json('status');
        assert.strictEqual(members.length, 100);
        for (const member of scene.members) assert.strictEqual(await member.generation(), done.generation);
        console.log(JSON.stringify({fleet_hundred: {tookMs: done.tookMs, activationMs: done.activationMs}}));
        // One that is silent is waited for, and named.
        others.silence(50);
        assert.match(await scene.refusal('set-data', '--vnodes', '6', 'ro', '--timeout', '3'), /no answer from .*\ba50\b/);
      } finally {
        await others.stop();
      }
    });
});

test('the leader dies at each act of a cutover of a plan of resharding: it is done, or backs out and is done later', async () => {
  const system = await new System({routers: 3, fleet: 3}).start();
  let ledger = null;
  try {
    const members = await membersOf(system);
    ledger = new Ledger({members}, randomOf(30));
    for (const of of ledger.keys) await members[0].put(of.key, {n: 0});
    ledger.start();
    const acts = LONG ? ['prepare', 'block', 'fence', 'commit', 'wait_commit_flushed', 'activate', 'commit_target', 'unblock', 'soak'] : ['block', 'commit', 'unblock'];
    const gaveUp = [];
    for (const [i, act] of acts.entries()) {
      const plan = await system.plan('--vnodes', `${6 * i}-${6 * i + 5}`, '--soak', '0', '--max-block', '2000');
      const running = await system.standing(plan, act);
      const leader = await killLeader(system.zookeeper);
      system.goOn(running);
      const {code, err} = await system.ended(running);
      assert.strictEqual(code, 0, err);
      if (/cutover given up/.test(err)) gaveUp.push(act);
      assert.strictEqual(leader.child, null, 'two nodes were enough');
      await system.quiet(() => system.together());
      await system.zookeeper.launch();
    }
    await ledger.stop();
    await ledger.check();
    assert.ok(ledger.writes > 100 && ledger.reads > 100, `${ledger.writes} writes, ${ledger.reads} reads`);
    assert.deepStrictEqual(system.vnodesOf(1), Array.from({length: 6 * acts.length}, (_, i) => i));
    assert.deepStrictEqual(rowsNotOwned(system, {buckets: ['b']}), []);
    assert.ok(ledger.longest < over(2200), `refused for ${ledger.longest} ms: ${ledger.lastRefused}`);
    console.log(JSON.stringify({fleet_leader_cutover: {acts: acts.length, gaveUp, writes: ledger.writes, reads: ledger.reads, refused: ledger.refused, longestMs: ledger.longest}}));
  } finally {
    if (ledger) await ledger.stop();
    await system.stop();
  }
});
