#!/usr/bin/env node
'use strict';
// A soak: a router under 70 % of what the set carries, with all that may happen to it, and whether it ends as it began.
//
//   MORAY_ROUTER_BIN=build/release/moray-router node tests/soak/run.js [--seconds 3600 | --short] [--seed 1] [--rate N] [--only NAME,...] [--record]
//
// --rate: instead of looking for what the set carries. --only: these hostile clients, and no other ones. --short: some twenty seconds, judged by counts only. --record writes the
// table into docs/reliability.md and the plot, docs/soak.svg; what was measured is left in build/soak.json, of which plot.js draws
// the plot anew. Ends with 1 where something does not hold.
const fs = require('fs');
const path = require('path');

const {MB} = require('../attack/judge');
const {MEMORY_BYTES} = require('../attack/stage');
const {Soak} = require('./soak');
const {plot} = require('./plot');
const {record, rowsOf} = require('./table');
const {partsOf, verdict} = require('./verdict');

const ROOT = path.join(__dirname, '..', '..'), SHORT_SECONDS = 18, SHORT_RATE = 400;
let soak = null;

function asked(words) {
  const given = {seconds: 3600, seed: 1, rate: null, short: false, only: null, record: false};
  while (words.length > 0) {
    const word = words.shift();
    if (word === '--short') Object.assign(given, {short: true, seconds: SHORT_SECONDS, rate: SHORT_RATE});
    else if (['--seconds', '--seed', '--rate'].includes(word)) given[word.slice(2)] = Number(words.shift());
    else if (word === '--only') given.only = new Set(words.shift().split(','));
    else if (word === '--record') given.record = true;
    else throw new Error(`${word}: there is no such option`);
  }
  return given;
}

async function main() {
  const given = asked(process.argv.slice(2)), command = `node tests/soak/run.js ${process.argv.slice(2).join(' ')}`.trim();
  soak = new Soak(given);
  const report = await soak.run(), {faults, flat} = verdict(report, {seconds: given.seconds, sanitized: Boolean(process.env.MORAY_ROUTER_SANITIZED)});
  for (const [name, value] of rowsOf({...given, command, report, faults, flat})) console.log(`${name}: ${value}`);
  for (const example of report.examples) console.log(`e.g. ${example}`);
  const {points, events, rate} = report, boundMB = Math.round((report.memory.before.own + 1.2 * MEMORY_BYTES) / MB);
  const drawn = {seconds: given.seconds, seed: given.seed, rate, points, parts: partsOf(report, given.seconds), events, hostile: Object.keys(report.guests), boundMB};
  if (!given.short && fs.existsSync(path.join(ROOT, 'build'))) fs.writeFileSync(path.join(ROOT, 'build', 'soak.json'), JSON.stringify(drawn));
  if (given.record) {
    fs.writeFileSync(path.join(ROOT, 'docs', 'soak.svg'), plot(drawn));
    record(path.join(ROOT, 'docs', 'reliability.md'), {...given, command, report, faults, flat});
  }
  console.log(faults.length === 0 ? 'it stood' : 'FAILED');
  return faults.length === 0 ? 0 : 1;
}

// Nothing that was started stays, also where this is interrupted.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    if (soak && soak.router && soak.router.child) soak.router.child.kill('SIGKILL');
    for (const cluster of soak ? soak.clusters : []) cluster.stop();
    process.exit(2);
  });
main().catch((error) => {
  console.error(error);
  return 2;
}).then((code) => process.exit(code));
