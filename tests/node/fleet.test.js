'use strict';
// A fleet of routers as its operators and clients meet it.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const {spawn} = require('child_process');
const fs = require('fs');
const path = require('path');

const {adminOf} = require('./admin_client');
const {FleetScene, PNODES, until} = require('./fleet_scene');

let scene, m1, m2, m3, base;

before(async () => {
  scene = await new FleetScene().start(3);
  [m1, m2, m3] = scene.members;
  base = await scene.json('status');
});
after(() => scene.stop());

/** Where a key lies. */
const place = (key) => m1.result('locate', 'b', key);
async function keyOf(pnode) {
  for (let i = 0; ; ++i) {
    const found = await place(`k${i}`);
    if (found.pnode === pnode) return {key: `k${i}`, vnode: String(found.vnode)};
  }
}
const everywhere = (check) => Promise.all(scene.members.filter(({process}) => process).map(check));

test('routers without a ring take the fleet\'s and join; status shows them at a glance', async () => {
  assert.deepStrictEqual(base.members.map(({id, state}) => [id, state]), ['m1', 'm2', 'm3'].map((id) => [id, 'serves']));
  assert.deepStrictEqual(base.members.map(({ring}) => ring), [base.ring, base.ring, base.ring]);
  const table = await scene.fleet('status');
  for (const text of ['fleet f: ring 1 ', 'no change is open', 'MEMBER', 'm1', 'm2', 'm3', 'serves']) assert.ok(table.includes(text), table);
  const {ring, fleet} = await m2.result('status');
  assert.deepStrictEqual([ring.generation, ring.digest], [base.ring.generation, base.ring.digest]);
  assert.deepStrictEqual([fleet.name, fleet.member, fleet.serves, fleet.inRoster, fleet.inTouch, fleet.problem], ['f', 'm2', true, true, true, null]);
  const {text} = await m3.process.page(m3.process.monitorPort, '/metrics');
  for (const line of ['router_fleet_in_touch 1', 'router_fleet_serves 1', 'router_fleet_generation 1', 'router_fleet_doubt_vnodes 0']) assert.ok(text.includes(line), line);
});

test('what one router has put, another gets', async () => {
  await m1.put('x', {n: 1});
  for (const member of scene.members) assert.deepStrictEqual(await member.get('x'), {n: 1});
});

test('set-data is in force at all routers when it returns, and a rollback takes it back', async () => {
  const {key, vnode} = await keyOf(PNODES[0]);
  await m1.put(key, {n: 1});
  const done = await scene.json('set-data', '--vnodes', vnode, 'ro', '--why', 'a test');
  assert.ok(done.done && done.generation > base.ring.generation, JSON.stringify(done));
  await everywhere(async (member) => {
    assert.strictEqual(await member.generation(), done.generation);
    await assert.rejects(member.put(key, {n: 2}), /read-only/i);
    assert.deepStrictEqual(await member.get(key), {n: 1});
  });
  assert.match(await scene.fleet('set-data', '--vnodes', vnode, 'ro'), /nothing to change/);
  const back = await scene.json('rollback');
  assert.strictEqual(back.digest, base.ring.digest);
  assert.ok(back.generation > done.generation, 'a number is never given twice');
  await everywhere((member) => member.put(key, {n: 3}));
  const history = await scene.fleet('history');
  for (const text of ['publish', 'prepare', 'activate', 'committed', '(a test)']) assert.ok(history.includes(text), history);
});

test('remap moves vnodes at all routers; writes of a router that holds are not lost', async () => {
  const {key, vnode} = await keyOf(PNODES[1]);
  let writes = 0, wrong = null, stops = false;
  const other = vnode === String((await place('other')).vnode) ? 'another' : 'other';
  const writers = scene.members.map(async (member) => { while (!stops && !wrong) await member.put(other, {n: ++writes}).catch((error) => { wrong = error; }); });
  let done;
  for (const pnode of [PNODES[2], PNODES[1], PNODES[2], PNODES[0], PNODES[2]]) {
    done = await scene.json('remap', '--vnodes', vnode, '--pnode', pnode);
    assert.ok(done.done && done.activationMs > 0, JSON.stringify(done));
  }
  stops = true;
  await Promise.all(writers);
  assert.ifError(wrong);
  assert.ok(writes > 100, `${writes} writes`);
  await everywhere(async (member) => {
    const {text} = await member.process.page(member.process.monitorPort, '/metrics');
    assert.match(text, /router_held_writes_total\{outcome="held"\} 0\n/, 'writes to what does not move never wait');
  });
  await everywhere(async (member) => {
    const there = await member.result('locate', 'b', key);
    assert.strictEqual(there.pnode, PNODES[2]);
  });
  await m1.put(key, {n: 7});
  await everywhere(async (member) => assert.deepStrictEqual(await member.get(key), {n: 7}));
});

test('a pnode that no router has a shard for is refused by name, and nothing changes', async () => {
  const now = (await scene.json('status')).ring;
  const why = await scene.refusal('remap', '--vnodes', '3', '--pnode', 'tcp://9.moray.example.com:2020');
  assert.match(why, /nothing is changed: m\d: .*tcp:\/\/9\.moray/);
  assert.deepStrictEqual((await scene.json('status')).ring, now);
  assert.match(await scene.refusal('remap', '--vnodes', '100', '--pnode', PNODES[0]), /100/);
  assert.match(await scene.refusal('block', '--vnodes', '100'), /vnode 100 is not in the ring/);
  assert.match(await scene.refusal('unblock', 'nobody'), /no such block/);
});

test('a block holds at all routers, over a restart, and is opened by unblock alone', async () => {
  const {key, vnode} = await keyOf(PNODES[0]);
  const done = await scene.json('block', '--vnodes', vnode, '--mode', 'refuse');
  await everywhere((member) => assert.rejects(member.put(key, {n: 1}), /read-only/i));
  await m3.stop();
  await m3.start();
  await assert.rejects(m3.put(key, {n: 1}), /read-only/i);
  await m3.result('unblock', '--all');  // a router's own blocks
  await assert.rejects(m3.put(key, {n: 1}), /read-only/i);
  assert.match(await scene.fleet('status'), new RegExp(`blocked: ${done.change}, writes are refused`));
  await scene.fleet('unblock', done.change);
  await until(async () => (await everywhere((member) => member.put(key, {n: 2}).then(() => true, () => false))).every(Boolean), 'writes go on');
});

test('writes wait at a block that holds, and go on', async () => {
  const {key, vnode} = await keyOf(PNODES[0]);
  await scene.fleet('block', '--vnodes', vnode);
  let answered = false;
  const put = m2.put(key, {n: 5}).then(() => { answered = true; });
  await until(async () => (await m2.result('status')).gate.heldWrites === 1, 'it waits');
  assert.strictEqual(answered, false);
  await scene.fleet('unblock', '--all');
  await put;
  assert.deepStrictEqual(await m1.get(key), {n: 5});
});

/** Writes to a key wait in its shard until what this resolves to is called. */
async function lockedIn(pnode, key) {
  const url = scene.shards[PNODES.indexOf(pnode)].url;
  const session = spawn(path.join(scene.cluster.bin, 'psql'), ['-X', '-q', '-A', '-t', '-d', url], {stdio: ['pipe', 'pipe', 'inherit']});
  session.stdin.write(`BEGIN; SELECT 'locked' FROM b WHERE _key = '${key}' FOR UPDATE;\n`);
  await new Promise((resolve) => session.stdout.once('data', resolve));
  return async () => {
    session.stdin.end('ROLLBACK;\n');
    await new Promise((resolve) => session.on('close', resolve));
  };
}
const stageOf = async () => ((await scene.json('status')).change || {}).stage;
const answersOf = async () => Object.fromEntries((await scene.json('status')).members.map(({id, answer}) => [id, answer]));

test('a block returns when earlier writes have ended at all routers, and not before', async () => {
  const {key, vnode} = await keyOf(PNODES[0]);
  await m1.put(key, {n: 1});
  const release = await lockedIn(PNODES[0], key);
  let answered = false, returned = false;
  const put = m2.put(key, {n: 2}).then(() => { answered = true; });
  await until(async () => (await m2.result('status')).gate.writesInFlight === 1, 'the write is at its shard');
  const block = scene.json('block', '--vnodes', vnode, '--lease', '60').then((done) => { returned = true; return done; });
  await until(async () => (await stageOf()) === 'block' && (await answersOf()).m1 === 'agrees' && (await answersOf()).m3 === 'agrees', 'the others have agreed');
  assert.deepStrictEqual([answered, returned, (await answersOf()).m2], [false, false, 'no answer']);
  await release();
  await Promise.all([put, block]);
  await scene.fleet('unblock', '--all');
});

test('a router that slept from its agreement to after the commit serves nothing of the old ring when it wakes', async () => {
  const {key, vnode} = await keyOf(PNODES[0]);
  await m1.put(key, {n: 1});
  const release = await lockedIn(PNODES[0], key);
  const put = m2.put(key, {n: 2});
  await until(async () => (await m2.result('status')).gate.writesInFlight === 1, 'the write is at its shard');
  const remap = scene.json('remap', '--vnodes', vnode, '--pnode', PNODES[2], '--lease', '5');
  await until(async () => (await stageOf()) === 'block' && (await answersOf()).m1 === 'agrees', 'm1 has agreed to all that the commit needs');
  m1.process.child.kill('SIGSTOP');
  await release();
  await put;
  const done = await remap;
  assert.deepStrictEqual([done.done, done.missing], [true, 'm1']);
  await m2.put(key, {n: 3});  // in its new shard
  // They are in the socket when it wakes.
  const reads = Array.from({length: 50}, () => m1.get(key).then(({n}) => n, (error) => error.name));
  const write = m1.put(key, {n: 4}).then(() => 4, (error) => error.name);
  await new Promise((resolve) => setTimeout(resolve, 100));
  m1.process.child.kill('SIGCONT');
  const seen = await Promise.all(reads);
  for (const n of seen) assert.ok(n === 3 || n === 4 || typeof n === 'string', `a read of ${n}: ${seen}`);
  const written = await write;
  await until(async () => (await scene.json('status')).members.every(({state}) => state === 'serves'), 'm1 is in step');
  await until(async () => m1.put(key, {n: 5}).then(() => true, () => false), 'm1 serves');
  await everywhere(async (member) => assert.deepStrictEqual(await member.get(key), {n: 5}, `written: ${written}`));
});

test('a member refuses to change its ring alone, and says how it is done', async () => {
  for (const words of [['remap', '--vnodes', '1', '--pnode', PNODES[0]], ['set-data', '--vnodes', '1', 'ro'], ['rollback'],
    ['prepare', '--vnodes', '1', '--pnode', PNODES[0]]])
    assert.match(await m1.refusal(...words), /member of fleet "f".*moray-router fleet/);
  assert.match(await m1.refusal('reload', scene.rings), /fleet "f"/);
  await m1.result('reload');  // its configuration
});

test('a member whose store is gone takes the ring again, and its place', async () => {
  await m2.stop();
  fs.rmSync(m2.store, {recursive: true});
  await m2.start({ring: {location: `${m2.store}/`}});  // as somebody may write it
  assert.deepStrictEqual((await scene.json('status')).members.map(({id, state}) => [id, state]), ['m1', 'm2', 'm3'].map((id) => [id, 'serves']));
});

test('a member that slept through a change catches up before it serves', async () => {
  await m3.kill();
  const {key, vnode} = await keyOf(PNODES[0]);
  const why = await scene.refusal('set-data', '--vnodes', vnode, 'ro', '--timeout', '1');
  assert.match(why, /no answer from m3/);
  assert.match(await scene.refusal('remove', 'm3'), /--gone m3/);
  await until(async () => (await scene.json('status')).members.find(({id}) => id === 'm3').state === 'no session', 'its session ends');
  await scene.fleet('remove', 'm3', '--gone', 'm3', '--grace', '0');
  const done = await scene.json('set-data', '--vnodes', vnode, 'ro');
  assert.deepStrictEqual((await scene.json('status')).members.map(({id}) => id), ['m1', 'm2']);
  await m3.start();
  assert.strictEqual(await m3.generation(), done.generation);
  await assert.rejects(m3.put(key, {n: 9}), /read-only/i);
  // What the process before was about to write, when it was killed, nobody knows for half a minute.
  assert.match(await scene.refusal('set-data', '--vnodes', vnode), /m3: 1 writes may be done yet/);
  await scene.fleet('set-data', '--vnodes', vnode, '--indeterminate-is-fine');
  await m3.put(key, {n: 9});
});

test('a second process under the same id does not join', async () => {
  const twin = scene.member('m1');
  twin.store = path.join(scene.directory, 'twin');
  await twin.begin();
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${twin.process.statusPort}/ready`).then((response) => response.text(), () => '');
    return answer.includes('another router lives under the id');
  }, 'it says why');
  await twin.kill();
  scene.members.pop();
  assert.deepStrictEqual(await m1.get('x'), {n: 1});
});

test('a member leaves, and nobody waits for it', async () => {
  const {code} = await m3.end(async (process) => {
    await adminOf(() => path.join(process.directory, 'admin.sock')).result('drain', '--leave');
    const ended = await process.exited;
    fs.rmSync(process.directory, {recursive: true, force: true});
    return ended;
  });
  assert.strictEqual(code, 0);
  assert.deepStrictEqual((await scene.json('status')).members.map(({id}) => id), ['m1', 'm2']);
  await scene.fleet('set-data', '--vnodes', '7', 'ro');
  await m3.start();
  assert.strictEqual((await scene.json('status')).members.length, 3);
});

test('without ZooKeeper the routers serve, restarts too, and changes say what is missing', async () => {
  await scene.zookeeper.kill();
  await m1.put('y', {n: 1});
  assert.match(await scene.refusal('set-data', '--vnodes', '7'), /has not answered within/);
  await m2.stop();
  await m2.start();
  assert.deepStrictEqual(await m2.get('y'), {n: 1});
  await until(async () => !(await m1.fleet()).inTouch, 'm1 says that it is out of touch');
  const fresh = await scene.member('m4').begin();  // it has no ring, and can't know one
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${fresh.process.statusPort}/ready`).catch(() => null);
    return answer && answer.status === 503 && (await answer.text()).includes('ZooKeeper');
  }, 'it says what it waits for');
  const {generation} = (await m1.result('status')).ring;
  const {publication} = (await m1.result('status')).ring;
  await scene.zookeeper.launch();
  await until(async () => (await m1.fleet()).inTouch, 'm1 is in touch');
  await fresh.served;
  assert.deepStrictEqual([(await m1.result('status')).ring.generation, (await m1.result('status')).ring.publication], [generation, publication], 'nothing is put in force anew');
  await until(async () => (await scene.json('status')).members.filter(({state}) => state === 'serves').length === 4, 'all four');
  await scene.fleet('set-data', '--vnodes', '7', '--indeterminate-is-fine');
  assert.strictEqual((await fresh.stop()).code, 0);
});

test('wrong credentials are named', async () => {
  const other = path.join(scene.directory, 'other');
  fs.writeFileSync(other, 'fleet:wrong\n', {mode: 0o600});
  const file = path.join(scene.directory, 'other.json');
  fs.writeFileSync(file, fs.readFileSync(scene.file, 'utf8').replace(scene.credentials, other));
  const before = scene.file;
  scene.file = file;
  assert.match(await scene.refusal('status'), /credentials/);
  fs.chmodSync(other, 0o644);
  assert.match(await scene.refusal('status'), /0600/);
  scene.file = before;
});
