'use strict';
// The next plan of the same vnodes may begin while a finalize has still to tidy up.
const assert = require('node:assert');
const {test} = require('node:test');

const {BUCKET} = require('./reshard_ledger');
const {keysIn} = require('./reshard_rows');
const {PNODES} = require('./reshard_system');
const {scene} = require('./reshard_scene');

const own = scene({shards: 3});

test('a finalize that comes late takes no entries from the log of the next plan', async () => {
  await own.begin({seed: 701, writers: 0});
  const {system} = own;
  const [key, held] = keysIn(system, 2, (vnode) => vnode < 16);
  for (const each of [key, held]) await own.put(each, {n: 1});
  const first = await system.plan('--vnodes', '0-31', '--soak', '600');
  const running = system.reshard('run', first);
  await system.until(first, 'soak', running);
  const transaction = await system.transaction(1, `UPDATE ${BUCKET} SET n = 2 WHERE _key = '${held}'`);
  await system.reshard('finalize', first, '--wait', '0').done;
  await system.quiet(() => system.sql(1, `SELECT state FROM moray_router.reshard_plan WHERE plan = ${first}`) === 'done');
  running.child.kill('SIGSTOP');  // it waits for the transaction before it deletes the log
  await system.stands(running);
  await transaction.end('COMMIT');
  const second = await system.plan('--vnodes', '0-15', '--soak', '0', '--from', PNODES[1], '--to', PNODES[2]);
  const next = await system.standing(second, 'bind');  // all rows are compared
  await own.put(key, {n: 3});
  system.goOn(running);
  await system.quiet(() => /the source is not kept current any more/.test(running.err + running.out));
  system.goOn(next);
  assert.strictEqual((await system.ended(next)).code, 0, next.err);
  assert.deepStrictEqual(await own.get(key), {n: 3});
  assert.strictEqual((await system.ended(running)).code, 0, running.err);
});
