'use strict';
// Moves at sites that are not like ours, from recorded seeds: tables of all kinds, settings of their own, odd rows, and
// somebody who changes something in the middle.
const assert = require('node:assert');
const {test} = require('node:test');
const {spawnSync} = require('child_process');
const path = require('path');

const SEEDS = Number(process.env.MORAY_ROUTER_RUNS || (process.env.MORAY_ROUTER_LONG ? 60 : 15));
const FIRST = Number(process.env.MORAY_ROUTER_SEED || 1);

test(`seeds ${FIRST} to ${FIRST + SEEDS - 1}: each ends moved and equal, or is refused before anything was changed, or stops and has lost nothing`, () => {
  const runner = path.join(__dirname, '..', '..', 'bench', 'reshard', 'sites.js');
  const {stdout, stderr} = spawnSync(process.execPath, [runner, '--first', String(FIRST), '--seeds', String(SEEDS)], {encoding: 'utf8', timeout: 850_000, killSignal: 'SIGTERM'});
  const outcomes = stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  assert.strictEqual(outcomes.length, SEEDS, stderr);
  for (const outcome of outcomes) assert.deepStrictEqual(outcome.broken, [], JSON.stringify(outcome));
  assert.ok(outcomes.filter(({ended}) => ended === 'moved').length >= SEEDS * 0.6, stdout);
});
