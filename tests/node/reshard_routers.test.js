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
