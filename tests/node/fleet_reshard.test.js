'use strict';
// `moray-router reshard` over a fleet: real routers, databases and ZooKeeper, and clients that write and read through all routers.
const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const {test} = require('node:test');

const {scene} = require('./reshard_scene');

// The shorter form leaves out what differs least from the rest.
const LONG = Boolean(process.env.MORAY_ROUTER_LONG);
const own = scene();

/** Three routers of a fleet; each is written through, and each is read through by somebody who judges what it says. */
async function begin(options = {}) {
  await own.begin({routers: 3, fleet: 1, writers: 0, ...options});
  const {system, ledger} = own;
  own.clients = await Promise.all(system.routers.map(({port}) => system.connect(port)));
  ledger.writers = own.clients.flatMap((client) => [ledger.write(client, 2), ledger.write(client, 2), ledger.judge(client)]);
  await ledger.goesOn(200);
}

/** Nothing was lost, no read went back, and all routers are on one ring, with all doors open. `unknown`: a router was killed with writes. */
async function settled(refused = {}, unknown = false) {
  const {system, ledger} = own;
  await ledger.goesOn();
  await ledger.stop();
  assert.deepStrictEqual(ledger.wrong, []);
  assert.ok(ledger.reads > 100, `${ledger.reads} reads`);
  assert.deepStrictEqual(ledger.refused, refused);
  if (!unknown) assert.strictEqual(ledger.unknown, 0, ledger.lastUnknown);
  for (const client of own.clients) await ledger.check(system, client);
  await system.quiet(() => system.together());
}

test('vnodes move through a fleet while all of its routers are written to and read from, and back', async () => {
  await begin();
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-31');
  const running = system.reshard('run', plan);
  await system.until(plan, 'soak', running);
  await own.ledger.goesOn();
  const back = await system.reshardTo(0, 'rollback', plan);
  assert.match(back.err, /cut over: writes were held for/);
  await running.done;
  assert.match(running.err, /cut over: writes were held for/);
  await settled();
});

/** Writes that wait for longer than a lease are refused, and reads with them. */
const LATE = new Set(['ReadOnlyError', 'NoBackendsError']);

/** As `settled`, where a fault may have kept vnodes from being served for a while. */
async function recovered(unknown = false) {
  const {system, ledger} = own;
  await system.quiet(() => system.together());
  await ledger.goesOn(100);
  const {refused} = ledger;
  for (const name of Object.keys(refused)) assert.ok(LATE.has(name), JSON.stringify(refused));
  await settled(refused, unknown);
}

test('a coordinator dies before each act of a cutover, and the next one goes on', async () => {
  await begin({seed: 2});
  const {system} = own;
  const acts = LONG ? ['prepare', 'block', 'fence', 'commit', 'wait_commit_flushed', 'activate', 'commit_target', 'unblock', 'soak'] : ['block', 'commit', 'activate', 'unblock'];
  for (const [i, act] of acts.entries()) {
    const plan = await system.plan('--vnodes', `${4 * i}-${4 * i + 3}`, '--soak', '0', '--max-block', '2000');
    const killed = await system.ended(system.reshard('run', plan, '--crash-before', act));
    assert.strictEqual(killed.signal, 'SIGKILL', `${act}: ${killed.err}`);
    await system.reshardTo(0, 'run', plan);
    await own.ledger.goesOn(20);
  }
  await recovered();
});

test('the service goes at each stage of a cutover: before the commit it backs out, after it goes forward', async () => {
  await begin({seed: 3});
  const {system} = own;
  const cases = [['block', true], ['commit', false], ...(LONG ? [['activate', false]] : []), ['unblock', false]];
  for (const [i, [act, backs]] of cases.entries()) {
    const plan = await system.plan('--vnodes', `${4 * i}-${4 * i + 3}`, '--max-block', '2000');
    const running = await system.standing(plan, act);
    await system.zookeeper.kill();
    system.goOn(running);
    if (backs) await system.quiet(() => /ALARM: block: fleet "f", block: /.test(running.err) && /cutover given up/.test(running.err));
    else await system.until(plan, 'soak', running);
    // The vnodes are served by the databases' word, without the service.
    await own.ledger.goesOn(300);
    await system.zookeeper.launch();
    await system.until(plan, 'soak', running);
    await system.quiet(() => system.together());
    await system.reshardTo(0, 'finalize', plan);
    assert.strictEqual((await system.ended(running)).code, 0, running.err);
  }
  await recovered();
});

test('what a coordinator could not tell the fleet, since the service was away, the next one tells it', async () => {
  await begin({seed: 5});
  const {system} = own, short = ['--max-block', '2000'];
  // It backs out, or would, and nobody hears of it.
  const plan = await system.plan('--vnodes', '0-3', ...short, '--soak', '0'), first = await system.standing(plan, 'fence');
  await system.zookeeper.kill();
  await system.killed(first);
  const second = system.reshard('run', plan);
  await system.waits(plan, /fleet "f"/, second);
  await system.killed(second);
  await system.zookeeper.launch();
  assert.notStrictEqual((await system.fleetStatus()).change, null);
  await system.reshardTo(0, 'run', plan);
  await system.quiet(() => system.together());

  // An abort ends without the service; what is left open there it closes when it is asked again.
  const other = await system.plan('--vnodes', '4-7', ...short), third = await system.standing(other, 'fence');
  await system.zookeeper.kill();
  await system.killed(third);
  assert.match((await system.reshardTo(7, 'abort', other)).err, /left at the target/);
  await system.zookeeper.launch();
  await system.reshardTo(7, 'abort', other);
  await system.quiet(() => system.together());
  await recovered();
});

test('any host goes on with a plan: its journal is in the databases, its routers are the fleet\'s, and nothing else is needed', async () => {
  await begin({seed: 8});
  const {system} = own, words = ['--config', system.config, '--journal', 'database'];
  const plan = await system.plan('--vnodes', '0-7', '--max-block', '2000', '--soak', '0', '--journal', 'database');
  const killed = await system.ended(system.reshard('run', plan, ...words, '--crash-behind', 'commit'));
  assert.strictEqual(killed.signal, 'SIGKILL', killed.err);
  fs.rmSync(system.state, {recursive: true, force: true, maxRetries: 100});
  system.state = path.join(system.directory, 'another-host');
  const running = [system.reshard('run', plan, ...words), system.reshard('run', plan, ...words)];
  const codes = (await Promise.all(running.map((each) => system.ended(each)))).map(({code}) => code);
  assert.ok(codes.includes(0), running.map(({err}) => err).join());
  assert.ok(codes.every((code) => [0, 1, 8].includes(code)), codes.join());  // finished, found finished, or the other one's
  assert.deepStrictEqual(system.vnodesOf(1), [0, 1, 2, 3, 4, 5, 6, 7]);
  await system.reshardTo(0, 'forget', plan, ...words);

  const other = await system.plan('--vnodes', '8-15', '--max-block', '2000', '--soak', '0', '--journal', 'database');
  assert.strictEqual((await system.ended(system.reshard('run', other, ...words, '--crash-behind', 'copy'))).signal, 'SIGKILL');
  const supervisors = [1, 2].map(() => system.reshard('supervise', ...words));
  await system.quiet(async () => {
    const {act} = JSON.parse((await system.reshardTo(0, 'status', other, '--json', ...words)).out);
    return act === 'finished';
  }, 120000);
  for (const each of supervisors) each.child.kill('SIGTERM');
  for (const each of supervisors) assert.strictEqual((await system.ended(each)).code, 0, each.err);
  await recovered();
});

test('a plan that was made for sockets is taken back once its routers are members', async () => {
  await begin({seed: 9});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-3', '--max-block', '2000');
  const file = path.join(system.state, plan, 'plan.json'), made = JSON.parse(fs.readFileSync(file, 'utf8'));
  delete made.fleet;
  fs.writeFileSync(file, JSON.stringify({...made, routers: [system.socketOf(0)]}));
  const refused = system.reshard('run', plan);
  await system.quiet(() => refused.err !== '');
  assert.match(refused.err, /obstacle: router .*member of fleet "f"/);
  assert.strictEqual((await system.ended(refused)).code, 1, refused.err);
  const running = system.reshard('run', plan, '--config', system.config);
  await system.until(plan, 'soak', running);
  await system.reshardTo(0, 'rollback', plan, '--config', system.config);
  await system.ended(running);
  await recovered();
});

test('a person who settles a cutover otherwise than its row says is put right', async () => {
  await begin({seed: 6});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-3', '--max-block', '2000', '--soak', '0'), running = await system.standing(plan, 'activate');
  const {change} = await system.fleetStatus();
  assert.strictEqual(change.stage, 'block');
  assert.match(await system.fleetRefuses('settle', change.token), /--committed, or --not-committed/);
  await system.fleetDoes('settle', change.token, '--not-committed');
  system.goOn(running);
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  assert.deepStrictEqual(system.vnodesOf(1), [0, 1, 2, 3]);
  await recovered();
});

test('what stands against a plan is refused, and looks at it change nothing', async () => {
  await begin({seed: 7});
  const {system} = own;
  const plan = await system.plan('--vnodes', '0-3', '--max-block', '2000'), running = await system.standing(plan, 'fence');
  const before = (await system.fleetStatus()).change;
  assert.strictEqual(before.stage, 'block');
  await system.reshard('set', plan, '--max-block', '3000').done;
  const {routers} = JSON.parse((await system.reshardTo(0, 'status', plan, '--routers', '--json')).out);
  assert.deepStrictEqual(routers.map(({router, ring, problem}) => [router, ring, problem]), ['m1', 'm2', 'm3'].map((id) => [id, 'before the cutover', undefined]));
  assert.deepStrictEqual((await system.fleetStatus()).change, before);
  system.goOn(running);
  await system.until(plan, 'soak', running);
  await system.quiet(() => system.together());
  assert.match(await system.fleetRefuses('remap', '--vnodes', '2-9', '--pnode', system.pnodes[0]), /would refuse vnode 2: plan 1 of resharding/);
  await system.fleetDoes('set-data', '--vnodes', '60', '{"note":"seen"}');
  await system.reshardTo(0, 'finalize', plan);
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
  await recovered();
});

test('a router is killed, or stopped, at each stage of a cutover', async () => {
  await begin({seed: 4});
  const {system} = own;
  let at = 0;
  for (const act of ['block', 'fence', 'activate', 'unblock'])
    for (const how of LONG ? ['kill', 'stop'] : [at % 2 === 0 ? 'kill' : 'stop']) {
      const vnodes = `${4 * at}-${4 * at + 3}`;
      ++at;
      const plan = await system.plan('--vnodes', vnodes, '--soak', '0', '--max-block', '2000');
      const running = await system.standing(plan, act);
      const {child} = system.routers[2];
      if (how === 'kill') {
        child.kill('SIGKILL');
        system.goOn(running);
        await system.routers[2].exited;
        await system.startRouter(2);
      } else {
        child.kill('SIGSTOP');
        system.goOn(running);
        await new Promise((resolve) => setTimeout(resolve, 3500));  // a lease and a half, which begins within it
        child.kill('SIGCONT');
      }
      assert.strictEqual((await system.ended(running)).code, 0, running.err);
    }
  await recovered(true);
});
