'use strict';
// The benches of resharding run: what they print is not judged here.
const assert = require('node:assert');
const {test} = require('node:test');
const {execFileSync} = require('child_process');
const path = require('path');

const bench = (name, ...words) => JSON.parse(execFileSync(process.execPath, [path.join(__dirname, '..', '..', 'bench', 'reshard', name), ...words],
  {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 200_000}));

test('block_window: two cutovers, nothing refused', {skip: process.env.MORAY_ROUTER_SANITIZED ? 'its load is for a release build' : false}, () => {
  const result = bench('block_window.js', '--cutovers', '2', '--rows', '1000', '--writes', '200');
  assert.strictEqual(result.cutovers, 2);
  assert.deepStrictEqual([result.refused, result.unknown], [0, 0]);
  assert.ok(result.block.p50 > 0);
});

test('the others can be read at least', () => {
  for (const name of ['rates.js', 'picture.js', 'pump_memory.js', 'writers.js', 'chains.js', 'chain_lane.js', 'chain_faults.js']) execFileSync(process.execPath, ['--check', path.join(__dirname, '..', '..', 'bench', 'reshard', name)]);
});
