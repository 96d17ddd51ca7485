'use strict';
// A fleet whose routers, service and commands are killed, stopped and cut in the middle of changes.
const assert = require('node:assert');
const {after, before, test} = require('node:test');

const {FleetScene} = require('./fleet_scene');
const {runLedger} = require('./fleet_ledger');

const SEEDS = (process.env.MORAY_ROUTER_SEEDS || '1,2,3').split(',').map(Number);
let scene;

before(async () => { scene = await new FleetScene().start(3); });
after(() => scene.stop());

for (const seed of SEEDS)
  test(`vnodes are moved by hand, seed ${seed}: nothing is lost, and no read goes back`, async () => {
    const result = await runLedger(scene, seed);
    console.log(JSON.stringify(result));
    assert.ok(result.writes > 100 && result.reads > 100, JSON.stringify(result));
  });
