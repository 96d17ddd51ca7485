'use strict';
// A fleet of which one router is cut off from ZooKeeper in the middle of a change, or killed at one of its writes.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');

const {Kills} = require('./fleet_kills');
const {Ledger, randomOf} = require('./fleet_ledger');
const {FleetScene, PNODES, pause, until} = require('./fleet_scene');
const {CutSystem, membersOf} = require('./fleet_system');
const {Watched} = require('./fleet_watched');
const {rowsNotOwned} = require('./reshard_rows');

// The shorter form leaves out what differs least from the rest.
const LONG = Boolean(process.env.MORAY_ROUTER_LONG);
const LEASE_S = 2;
/** From when nobody serves by a lease of `LEASE_S` any more, with what a busy machine may add to it, in ms. */
const OVER = LEASE_S * 1010 + 500 + 2500;
const results = [];

let scene, m1, m2, m3, cut, watched;
before(async () => {
  scene = await new FleetScene().start(3, {cuts: ['m1', 'm2', 'm3']});
  [m1, m2, m3] = scene.members;
  cut = scene.cuts.m3;
  await scene.fleet('set-data', '--vnodes', '99', '{"note":"so that all have answered once"}');
});
after(async () => {
  await scene.stop();
  const faults = {};
  for (const result of results) for (const [kind, count] of Object.entries(result.kills)) faults[kind] = (faults[kind] || 0) + count;
  const sum = (of) => results.reduce((total, result) => total + of(result), 0);
  console.log(JSON.stringify({fleet_kills: {seeds: results.length, moved: sum(({moved}) => moved), abandoned: sum(({refused}) => refused), writes: sum(({writes}) => writes), reads: sum(({reads}) => reads), faults}}));
});
afterEach(async () => {
  cut.forget();
  cut.mend();
  if (watched) await watched.stop();
  watched = null;
});

/** What m3 says to a stage, in bytes of its request. */
const answer = (stage) => (bytes) => bytes.includes('/acks/m3') && bytes.includes(`"stage":"${stage}"`);
const stateOf = async (id) => (await scene.json('status')).members.find((member) => member.id === id).state;
/** Status knows the rings of all, and each router which vnodes it refuses. */
const together = () => until(async () => {
  const {change, members} = await scene.json('status');
  const refusing = await Promise.all(scene.members.map(async (member) => (await member.fleet()).doubtVnodes));
  return change === null && members.every(({state}) => state === 'serves') && refusing.every((count) => count === 0);
}, 'all are in step');
/** m1 and m2 have agreed to block, or what is open has gone beyond that. What one of them does before is lost: nobody copies it. */
const othersHold = async () => {
  const {change, members} = await scene.json('status');
  if (change === null || change.stage !== 'block') return change === null || change.stage === 'activate';
  return members.every(({id, answer: said}) => id === 'm3' || said === 'agrees');
};
const refused = (member, key) => member.get(key).then(() => false, () => true);

/** Vnodes with two keys, whose rows are at both pnodes, so that who reads an old value has asked the old one. */
async function begin() {
  watched = await new Watched(scene).begin(PNODES[0], PNODES[1]);
  return watched;
}
const remap = (...words) => scene.run('--json', 'remap', '--vnodes', watched.vnodes, '--pnode', watched.to, ...words);

/** At which answer of m3's it is cut off, whether that arrives, and whether the change is committed without it. */
const CASES = [['prepare', false, false], ['block', false, false], ['block', true, true], ['activate', false, true]];
const HOWS = ['swallows all', 'is cut'];
for (const [i, [stage, arrives, commits]] of CASES.entries())
  for (const how of LONG ? HOWS : [HOWS[i % 2]])
    test(`the way to ZooKeeper ${how} as a router agrees to ${stage}, which ${arrives ? 'arrives' : 'is lost'}: the others wait for a lease at most`, async () => {
      const {keys: [one, other], vnodes} = await begin();
      const stopped = cut.stopAt(answer(stage), arrives ? 'after' : 'before');
      const change = remap('--lease', String(LEASE_S), '--timeout', String(LEASE_S));
      assert.ok(await stopped);
      if (how === 'is cut') cut.cut();
      if (stage !== 'prepare') await until(othersHold, 'the others hold what changes hands');
      const held = await Promise.all([watched.write(m1, one, 2), watched.write(m2, other, 2)]);
      for (const ms of held) assert.ok(ms < OVER, `a write waited for ${ms} ms`);
      const {code, stdout, stderr} = await change;
      if (commits) assert.deepStrictEqual([code, JSON.parse(stdout).missing], [0, 'm3'], stderr);
      else assert.match(stdout + stderr, /no answer from m3/);
      assert.strictEqual(code === 0, commits);
      if (stage === 'block') {
        await until(() => refused(m3, one), 'it refuses what it may not serve');
        await assert.rejects(m3.put(one, {n: 9}));
        await assert.rejects(m3.get(other));
        await until(async () => (await m3.fleet()).doubtVnodes === vnodes.split(',').length, 'it says so');
      } else {
        // It has agreed to nothing that the commit needs, or has seen the commit.
        assert.deepStrictEqual(await m3.get(one), {n: 2});
        assert.ok(await watched.write(m3, one, 3) < OVER);
      }
      assert.strictEqual(await m1.generation() === await m3.generation(), stage !== 'block' || !commits);
      cut.mend();
      await together();
      await watched.write(m3, other, 4);
      await watched.settled();
      for (const member of scene.members) assert.strictEqual((await member.result('locate', 'b', one)).pnode, commits ? watched.to : watched.from);
    });

for (const stage of LONG ? ['prepare', 'block'] : ['block'])
  test(`a router whose session expires before its answer to ${stage} gets through gives it in the next one`, async () => {
    const {keys: [one]} = await begin();
    const {sessionsExpired: earlier} = await m3.fleet();
    const stopped = cut.stopAt(answer(stage), 'before');
    let ended = false;
    const change = remap('--lease', '30', '--timeout', '60').then((run) => { ended = true; return run; });
    assert.ok(await stopped);
    await until(async () => await stateOf('m3') === 'no session', 'ZooKeeper has given its session up');
    assert.ok(!ended, 'the change is open');
    for (const member of scene.members) await member.get(one);  // it is served under leases
    cut.mend();
    const {code, stdout, stderr} = await change;
    assert.strictEqual(code, 0, stderr);
    assert.strictEqual(JSON.parse(stdout).missing, undefined);
    assert.ok((await m3.fleet()).sessionsExpired > earlier);
    await together();
    await watched.write(m3, one, 2);
    await watched.settled();
  });

if (LONG)
  test('a router is cut off as it agrees to a stage of a cutover: by the rows, it goes forward or backs out', async () => {
    const system = await new CutSystem().start();
    let ledger = null;
    try {
      const members = await membersOf(system);
      ledger = new Ledger({members}, randomOf(40));
      for (const of of ledger.keys) await members[0].put(of.key, {n: 0});
      ledger.start();
      // Before or after its answer is done, and whether the cutover is tried again.
      const cases = [['prepare', 'before', false], ['block', 'before', true], ['block', 'after', false], ['activate', 'before', false], ['activate', 'after', false]];
      for (const [i, [stage, when, again]] of cases.entries()) {
        const plan = await system.plan('--vnodes', `${4 * i}-${4 * i + 3}`, '--soak', '0', '--max-block', '2000');
        const stopped = system.cut.stopAt(answer(stage), when), running = system.reshard('run', plan);
        assert.ok(await stopped);
        if (i % 2 === 1) system.cut.cut();
        // Beyond a lease, and where it is swallowed beyond a session, too.
        await pause(i % 2 === 1 ? 4000 : 9000);
        system.cut.mend();
        const {code, err} = await system.ended(running);
        assert.strictEqual(code, 0, err);
        assert.strictEqual(/cutover given up/.test(err), again, err);
        await system.quiet(() => system.together());
      }
      await ledger.stop();
      await ledger.check();
      assert.ok(ledger.writes > 100 && ledger.reads > 100, `${ledger.writes} writes, ${ledger.reads} reads`);
      assert.deepStrictEqual(system.vnodesOf(1), Array.from({length: 4 * cases.length}, (_, i) => i));
      assert.deepStrictEqual(rowsNotOwned(system, {buckets: ['b']}), []);
      assert.ok(ledger.longest < 2000 + OVER, `refused for ${ledger.longest} ms: ${ledger.lastRefused}`);
      console.log(JSON.stringify({fleet_cut_off_cutover: {writes: ledger.writes, reads: ledger.reads, refused: ledger.refused, longestMs: ledger.longest}}));
    } finally {
      if (ledger) await ledger.stop();
      await system.stop();
    }
  });

// `1-2`: so many seeds, from the first to the last.
const [FIRST, LAST] = (process.env.MORAY_ROUTER_SEEDS || (LONG ? '1-30' : '1-2')).split('-').map(Number);
for (let seed = FIRST; seed <= LAST; ++seed)
  test(`routers are killed at their writes while vnodes are moved by hand, seed ${seed}: nothing is lost, and no read goes back`, async () => {
    const result = await new Kills(scene, seed).run(3);
    console.log(JSON.stringify({seed, ...result}));
    results.push(result);
    assert.ok(result.writes > 100 && result.reads > 100, JSON.stringify(result));
  });
