'use strict';
// A fleet whose routers, service and commands are killed, stopped and cut in the middle of changes.
const assert = require('node:assert');
const {after, before, test} = require('node:test');

const {FleetScene} = require('./fleet_scene');
const {runLedger} = require('./fleet_ledger');

// `1-3`: so many seeds, from the first to the last.
const [FIRST, LAST] = (process.env.MORAY_ROUTER_SEEDS || '1-3').split('-').map(Number);
const SEEDS = Array.from({length: LAST - FIRST + 1}, (_, i) => FIRST + i), results = [];
let scene;

before(async () => { scene = await new FleetScene().start(3); });
after(async () => {
  await scene.stop();
  const sum = (of) => results.reduce((total, result) => total + of(result), 0), faults = {};
  for (const result of results) for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] || 0) + count;
  console.log(JSON.stringify({fleet_ledger: {seeds: results.length, moved: sum(({moved}) => moved), abandoned: sum(({refused}) => refused), writes: sum(({writes}) => writes), reads: sum(({reads}) => reads), errors: sum(({errors}) => errors), faults}}));
});

for (const seed of SEEDS)
  test(`vnodes are moved by hand, seed ${seed}: nothing is lost, and no read goes back`, async () => {
    const result = await runLedger(scene, seed);
    console.log(JSON.stringify(result));
    results.push(result);
    assert.ok(result.writes > 100 && result.reads > 100, JSON.stringify(result));
  });
