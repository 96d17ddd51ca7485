'use strict';
// Several routers, of which one falls silent in a cutover.
const assert = require('node:assert');
const {test} = require('node:test');

const {rowsNotOwned} = require('./reshard_rows');
const {scene} = require('./reshard_scene');

const own = scene();

for (const act of ['activate', 'unblock'])
  test(`one of two routers hangs before ${act}: the other holds writes until that one's lease is over, and refuses none`, async () => {
    // More than a default lease, and less than the 10 s that it was once.
    await own.begin({seed: 1301, routers: 2, settings: {timeouts: {holdMs: 8000}}});
    const {system} = own;
    const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--max-block', '1000', '--attempts', '20');
    const running = await system.standing(plan, act);
    const {child} = system.routers[1];
    child.kill('SIGSTOP');
    system.goOn(running);
    try {
      assert.strictEqual((await system.ended(running)).code, 0, running.err);
    } finally {
      child.kill('SIGCONT');
    }
    await own.written(100);
    await own.settled();
    assert.deepStrictEqual(rowsNotOwned(system), []);
  });

test('a coordinator dies when its routers have the new ring: writes wait for the lease, are refused then, and go on after it', async () => {
  await own.begin({seed: 1302});  // whose router would hold writes for a minute and a half
  const {system, ledger} = own;
  const plan = await system.plan('--vnodes', '0-31', '--soak', '0', '--max-block', '1000', '--attempts', '20');
  const died = await system.reshard('run', plan, '--crash-behind', 'activate').done;
  assert.strictEqual(died.signal, 'SIGKILL', died.err);
  await system.quiet(() => ledger.refused.ReadOnlyError > 0);
  const {gate, ring} = await system.result('status');
  assert.deepStrictEqual([ring.generation, gate.hold, gate.refuse], [2, '', '0-31']);
  await system.reshardTo(0, 'run', plan);
  assert.ok(await system.open());
  await own.written(100);
  const {ReadOnlyError} = ledger.refused;
  await own.settled({ReadOnlyError});
  assert.deepStrictEqual(rowsNotOwned(system), []);
});
