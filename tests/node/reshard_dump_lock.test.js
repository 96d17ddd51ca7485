'use strict';
// The site's dump lock in ZooKeeper: who has it is in the node, another's is waited for, and whatever becomes of the plan it is given
// back once.
const assert = require('node:assert');
const {after, afterEach, before, test} = require('node:test');
const {spawn} = require('child_process');
const fs = require('fs');
const path = require('path');

const {Relay} = require('./relay');
const {scene} = require('./reshard_scene');
const {ZooKeeper} = require('./zookeeper');
const {ZooKeeperClient} = require('./zookeeper_client');

const LOCK = '/pg_dump_lock', OTHERS = '{"by":"mola"}';
/** In a request of one operation that removes a node: its type, and that no operation follows. */
const REMOVES = Buffer.from([0, 0, 0, 2, 0, 0xff, 0xff, 0xff, 0xff]);

const own = scene(), zookeeper = new ZooKeeper();
let relay, others;

before(async () => {
  await zookeeper.start();
  others = new ZooKeeperClient(zookeeper.nodes[0].port);
  relay = await new Relay(zookeeper.nodes[0].port).start();
});
afterEach(async () => {
  await zookeeper.launch();
  if (await node()) await others.remove(LOCK);
});
after(async () => {
  await relay.stop();
  await zookeeper.stop();
});

const node = () => others.get(LOCK);
const holders = async () => {
  const found = await node();
  if (!found) return [];
  const {others: more = [], ...first} = JSON.parse(found.value);
  return [first, ...more];
};
const metrics = (plan) => fs.readFileSync(path.join(own.system.state, plan, 'metrics.prom'), 'utf8');
const planned = (plan) => JSON.parse(fs.readFileSync(path.join(own.system.state, plan, 'plan.json'), 'utf8'));
const tokens = async () => (await holders()).map(({token}) => token);

/** A system whose configuration has a fleet, for those who plan; the router, which is named to them, is not one of it. */
async function begin(options = {}) {
  await own.begin({writers: 2, ...options});
  const {system} = own, credentials = path.join(system.directory, 'credentials');
  fs.writeFileSync(credentials, 'fleet:secret\n', {mode: 0o600});
  const fleet = {name: 'east', zookeeper: [`127.0.0.1:${relay.listens}`], member: 'operator', sessionMs: 4000, credentialsFile: credentials};
  system.config = path.join(system.directory, 'operator.json');
  fs.writeFileSync(system.config, JSON.stringify(system.routerConfig({admin: {socket: system.socketOf(0)}, fleet})));
  return system;
}
const router = () => ['--router', own.system.socketOf(0)];
const plan = (...words) => own.system.plan('--dump-lock', 'zookeeper', ...router(), ...(words.includes('--vnodes') ? [] : ['--vnodes', '0-31']), ...words);
const card = (code, ...words) => own.system.reshardTo(code, 'plan', '--config', own.system.config, ...own.system.defaults(words), ...router(), '--vnodes', '0-31', ...words);
const refused = async (...words) => (await card(1, ...words)).err;

test('free: taken before the copy, kept by a coordinator that follows a dead one, and given back by the rollback, once', async () => {
  const system = await begin({seed: 611});
  const number = await plan('--soak', '600');
  assert.strictEqual(await node(), null);
  const running = system.reshard('run', number);
  await system.until(number, 'soak', running);
  const taken = await node();
  const {since, ...says} = JSON.parse(taken.value);
  assert.deepStrictEqual(says, {owner: 'moray-router', fleet: 'east', plan: 1, token: planned(number).token, host: planned(number).author});
  assert.match(since, /^20\d\d-\d\d-\d\dT.*Z$/);
  const rights = await others.acl(LOCK);
  assert.strictEqual(rights['world:anyone'], 1);
  assert.deepStrictEqual(Object.entries(rights).map(([who, permitted]) => [who.split(':').slice(0, 2).join(':'), permitted]).sort(), [['digest:fleet', 31], ['world:anyone', 1]]);
  assert.match((await system.status(number)).lock, /^held since 20.*, \/pg_dump_lock in ZooKeeper$/);
  await system.quiet(() => /^reshard_lock_held\{plan="1"\} 1$/m.test(metrics(number)) && /^reshard_lock_since_timestamp_seconds\{plan="1"\} \d{10}$/m.test(metrics(number)));
  assert.match(metrics(number), /^reshard_lock_alarm_seconds\{plan="1"\} 3600$/m);

  await system.killed(running);
  assert.deepStrictEqual(await node(), taken);
  const back = await system.standing(number, 'verify', 'rollback');
  assert.deepStrictEqual(await node(), taken);  // known again by its token
  system.goOn(back);
  const end = await system.ended(back);
  assert.strictEqual(end.code, 0, end.err);
  assert.doesNotMatch(end.err, /ALARM/);
  assert.strictEqual(await node(), null);
  for (const each of [number, '2']) {
    assert.match(metrics(each), new RegExp(`^reshard_lock_held\\{plan="${each}"\\} 0$`, 'm'));
    assert.strictEqual((await system.status(each)).lock, null);
  }
  await own.settled();
});

test('another\'s is told with its age, waited for and taken when it is gone; it is never deleted', async () => {
  const system = await begin({seed: 612});
  await others.create(LOCK, OTHERS);
  const stops = await plan('--dump-lock-wait', '0');
  assert.match((await system.reshardTo(5, 'run', stops)).err, /stopped: the site's lock: \/pg_dump_lock is there since 20.* and says {"by":"mola"}; --dump-lock-wait is 0 s/);
  await system.reshardTo(7, 'abort', stops);
  assert.strictEqual((await node()).value, OTHERS);

  const number = await plan('--soak', '0', '--dump-lock-alarm', '1');
  const running = system.reshard('run', number);
  await system.waits(number, /the site's lock: \/pg_dump_lock is there since 20.* and says {"by":"mola"}/, running);
  await system.quiet(() => /ALARM: \/pg_dump_lock is there since .* and says {"by":"mola"}, for \d+ s/.test(running.err));
  assert.strictEqual((await system.status(number)).lock, null);
  assert.strictEqual((await node()).value, OTHERS);
  await others.remove(LOCK);
  const end = await system.ended(running);
  assert.strictEqual(end.code, 0, end.err);
  assert.match(end.err, /the site's lock \/pg_dump_lock is given back/);
  assert.strictEqual(await node(), null);
  await own.settled();
});

test('two plans of a fleet have it together: the first creates it, and the last removes it', async () => {
  const system = await begin({seed: 613});
  const first = await plan('--soak', '600'), second = await plan('--vnodes', '32-40');
  const running = system.reshard('run', first);
  await system.until(first, 'soak', running);
  const copying = await system.standing(second, 'verify');
  assert.deepStrictEqual(await tokens(), [planned(first).token, planned(second).token]);
  await system.reshardTo(0, 'finalize', first);
  assert.strictEqual((await system.ended(running)).code, 0);
  assert.deepStrictEqual(await tokens(), [planned(second).token]);
  await system.killed(copying);
  await system.reshardTo(7, 'abort', second);
  assert.strictEqual(await node(), null);
  await own.settled();
});

test('a lost answer: what was done is found, what was not is done again, and a dead coordinator\'s lock is its plan\'s', async () => {
  const system = await begin({seed: 614});
  const before = relay.lost;
  for (const what of ['answer', 'request']) {
    const number = await plan();
    relay.lose('"owner":"moray-router"', what);
    const running = await system.standing(number, 'verify');
    assert.deepStrictEqual(await tokens(), [planned(number).token]);
    assert.strictEqual((await node()).version, 0);
    assert.doesNotMatch(running.err, /ALARM/);
    await system.killed(running);
    relay.lose(REMOVES, what);
    assert.doesNotMatch((await system.reshardTo(7, 'abort', number)).err, /ALARM/);
    assert.strictEqual(await node(), null);
  }

  const number = await plan();
  relay.lose('"owner":"moray-router"', 'silence');
  const dies = system.reshard('run', number);
  await system.quiet(node);
  await system.killed(dies);
  const taken = await node();
  assert.match((await system.status(number)).lock, /^taken since/);
  assert.strictEqual(relay.lost, before + 5);
  const next = await system.standing(number, 'verify');
  assert.deepStrictEqual(await node(), taken);
  assert.match((await system.status(number)).lock, /^held since/);
  await system.killed(next);
  await system.reshardTo(7, 'abort', number);
  assert.strictEqual(await node(), null);
  await own.settled();
});

test('ZooKeeper is away: a plan goes on by its journal, its end is not stopped, and the lock is given back by retry', async () => {
  const system = await begin({seed: 615});
  const number = await plan();
  await system.killed(await system.standing(number, 'verify'));
  await zookeeper.kill();
  const running = await system.standing(number, 'verify');
  assert.match(running.err, /ALARM: the site's lock: ZooKeeper .* does not answer; by the journal this plan has it/);
  await system.killed(running);
  assert.match((await system.reshardTo(7, 'abort', number)).err, /ALARM: the site's lock: ZooKeeper \(127.0.0.1:\d+\) does not answer; it is held since 20/);
  assert.match((await system.status(number)).lock, /^held/);
  assert.match(await refused('--dump-lock', 'zookeeper'), /1 obstacles/);
  await zookeeper.launch();
  assert.deepStrictEqual(await tokens(), [planned(number).token]);
  await system.reshardTo(0, 'retry', number);
  assert.strictEqual(await node(), null);
  assert.strictEqual((await system.status(number)).lock, null);

  const removed = await plan();
  await system.killed(await system.standing(removed, 'verify'));
  await others.remove(LOCK);
  const again = await system.standing(removed, 'verify');
  assert.match(again.err, /ALARM: the site's lock \/pg_dump_lock does not name this plan any more: somebody has removed it; it is taken anew/);
  assert.deepStrictEqual(await tokens(), [planned(removed).token]);
  await system.killed(again);
  await system.reshardTo(7, 'abort', removed);
  await own.settled();
});

test('dumps that run are named by plan, and a plan that has the lock waits for their end', async () => {
  const system = await begin({seed: 616});
  const dump = spawn('psql', ['-X', '-q', '-d', system.databases[0]], {stdio: ['pipe', 'pipe', 'inherit'], env: {...process.env, PGAPPNAME: 'pg_dump'}});
  system.endsWithTest(dump);
  dump.stdin.write('SELECT 1;\n');
  await new Promise((resolve) => dump.stdout.once('data', resolve));
  const shown = await card(0, '--dump-lock', 'zookeeper', '--soak', '0');
  assert.match(shown.out, /warning: source .*: pg_dump runs: process \d+ \(user .*\): the plan waits for its end before it copies; what is dumped from a standby does not show/);
  const running = system.reshard('run', '1');
  await system.waits('1', /source .*: pg_dump runs: .*, which began before this plan had the site's lock/, running);
  assert.deepStrictEqual(await tokens(), [planned('1').token]);
  dump.stdin.end();
  const end = await system.ended(running);
  assert.strictEqual(end.code, 0, end.err);
  assert.strictEqual(await node(), null);
  await own.settled();
});

test('what can\'t be is refused by its name', async () => {
  const system = await begin({seed: 617, writers: 0});
  for (const hook of ['pre_lock', 'post_finalize', 'on_abort'])
    assert.match(await refused('--dump-lock', 'zookeeper', '--hook', `${hook}=true`), new RegExp(`--hook ${hook} takes the site's lock, or gives it back`));
  assert.match(await refused('--dump-lock', 'zookeeper', '--dump-lock-path', 'pg_dump_lock'), /--dump-lock-path pg_dump_lock: an absolute path/);
  assert.match(await refused('--dump-lock', 'zookeeper', '--dump-lock-alarm', '0'), /--dump-lock-alarm must be at least a second/);
  fs.chmodSync(path.join(system.directory, 'credentials'), 0o644);
  assert.match(await refused('--dump-lock', 'zookeeper'), /1 obstacles/);
  system.config = system.router.file;
  assert.match(await refused('--dump-lock', 'zookeeper'), /--dump-lock zookeeper: the configuration has no fleet/);
  assert.strictEqual(await node(), null);
});
