'use strict';
// Plans of resharding over a fleet from seeds, with what may go wrong at a site: see fleet_moves.js.
const assert = require('node:assert');
const {after, test} = require('node:test');

const {runMoves} = require('./fleet_moves');
const {scene} = require('./reshard_scene');

// `1-2`: so many seeds, from the first to the last; and how many routers the fleet has.
const [FIRST, LAST] = (process.env.MORAY_ROUTER_SEEDS || '1-2').split('-').map(Number);
const ROUTERS = Number(process.env.MORAY_ROUTER_ROUTERS || 3);
const own = scene(), results = [];

after(() => {
  const sum = (of) => results.reduce((total, result) => total + of(result), 0), faults = {};
  for (const result of results) for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] || 0) + count;
  console.log(JSON.stringify({fleet_moves: {routers: ROUTERS, seeds: results.length, finished: sum(({finished}) => finished), aborted: sum(({aborted}) => aborted),
    takenBack: sum(({takenBack}) => takenBack), coordinators: sum(({coordinators}) => coordinators), writes: sum(({writes}) => writes), reads: sum(({reads}) => reads), faults}}));
});

for (let seed = FIRST; seed <= LAST; ++seed)
  test(`plans over a fleet of ${ROUTERS}, seed ${seed}: nothing is lost, nothing comes back, no read goes back`, async () => {
    await own.begin({seed, routers: ROUTERS, fleet: 1, writers: 0, owners: 2, workers: 1});
    const {system, ledger} = own;
    own.clients = await Promise.all(system.routers.map(({port}) => system.connect(port)));
    ledger.writers = [...own.clients.slice(0, 6).map((client) => ledger.write(client, 4)), ...Array.from({length: 3}, () => ledger.judge(own.clients, 2))];
    const result = await runMoves(own, seed);
    console.log(JSON.stringify(result));
    results.push(result);
    await ledger.stop();
    assert.deepStrictEqual(ledger.wrong, []);
    for (const client of own.clients) await ledger.check(system, client);
    assert.ok(result.writes > 100 && result.reads > 100, JSON.stringify(result));
  });
