'use strict';
// Chains of plans over three shards, from recorded seeds, while everything dies, hangs and is cut off.
const assert = require('node:assert');
const {test} = require('node:test');
const {spawnSync} = require('child_process');
const path = require('path');

const SEEDS = Number(process.env.MORAY_ROUTER_RUNS || 15);
const FIRST = Number(process.env.MORAY_ROUTER_SEED || 1);

for (let seed = FIRST; seed < FIRST + SEEDS; ++seed)
  test(`seed ${seed}: nothing is lost, doubled, resurrected, left, or read as it was before`, () => {
    const runner = path.join(__dirname, '..', '..', 'bench', 'reshard', 'chains.js');
    const {stdout, stderr} = spawnSync(process.execPath, [runner, '--first', String(seed), '--seeds', '1', '--hops', '1'], {encoding: 'utf8', timeout: 400_000, killSignal: 'SIGTERM'});
    assert.ok(stdout, stderr);
    const {broken, plans} = JSON.parse(stdout);
    assert.deepStrictEqual(broken, []);
    assert.ok((plans.moved || 0) + (plans['taken back'] || 0) > 0, stdout);
  });
