#!/usr/bin/env node
'use strict';
// Attacks a router, one kind of attack after the other, each a router of its own beside polite clients; says what each came to.
//
//   MORAY_ROUTER_BIN=build/release/moray-router node tests/attack/run.js [--long | --seconds N | --short] [--only NAME,...]
//                                                                        [--record [FILE]] [--list]
//
// Without a length each attack goes on until polite clients beside it have gone twenty rounds; --short leaves out what CI has no
// time for; --long is --seconds 10, ten minutes in all. --record writes rows of the long form into docs/reliability.md, each as it
// comes. Ends with 1 where a bound was not kept. MORAY_ROUTER_FULL_DISK: libfull_disk.so, for disk_full.
const path = require('path');

const {ATTACKS, NOT_IN_CI} = require('./catalogue');
const {judge} = require('./judge');
const {Stage, knowsBudget} = require('./stage');
const {HEAD, cells, record} = require('./table');

const LONG_SECONDS = 10;
const clusters = [];
let stage = null;

function asked(words) {
  const given = {seconds: 0, short: false, only: null, record: null, list: false};
  const value = () => words[0] && !words[0].startsWith('--') ? words.shift() : null;
  while (words.length > 0) {
    const word = words.shift();
    if (word === '--long') given.seconds = LONG_SECONDS;
    else if (word === '--short') given.short = true;
    else if (word === '--seconds') given.seconds = Number(value());
    else if (word === '--only') given.only = new Set(value().split(','));
    else if (word === '--record') given.record = value() || path.join(__dirname, '..', '..', 'docs', 'reliability.md');
    else if (word === '--list') given.list = true;
    else throw new Error(`${word}: there is no such option`);
  }
  if (given.record && !given.seconds) throw new Error('--record is of the long form: --long or --seconds N');
  for (const name of given.only || []) if (!ATTACKS.some((attack) => attack.name === name)) throw new Error(`${name}: there is no such attack`);
  return given;
}

async function main() {
  const {seconds, short, only, record: file, list} = asked(process.argv.slice(2));
  const chosen = ATTACKS.filter(({name, needs}) => (only ? only.has(name) : !(short && NOT_IN_CI.has(name))) && (!needs || process.env[needs]));
  if (list) {
    for (const {name, kind, about} of chosen) console.log(`${name.padEnd(26)}${kind.padEnd(8)}${about}`);
    return 0;
  }
  const budget = knowsBudget(process.env.MORAY_ROUTER_BIN), sanitized = Boolean(process.env.MORAY_ROUTER_SANITIZED), reports = [];
  console.log(`${chosen.length} attacks; ${budget ? 'with' : 'without'} limits.memoryBytes`);
  for (const attack of chosen) {
    const began = performance.now();
    stage = new Stage(attack, {seconds, budget, clusters});
    const report = await stage.run();
    const faults = judge(attack, report, {budget, sanitized}), took = Math.round((performance.now() - began) / 100) / 10;
    console.log(`${faults.length === 0 ? 'stood ' : 'FAILED'} ${attack.name}, ${took} s`);
    cells(report, faults).forEach((cell, i) => console.log(`         ${HEAD[i + 4]}: ${cell}`));
    for (const example of report.examples) console.log(`         e.g. ${example}`);
    reports.push({attack, report, faults, seconds: took});
    if (file) record(file, `node tests/attack/run.js ${seconds === LONG_SECONDS ? '--long' : `--seconds ${seconds}`} --record`, reports);  // one that is interrupted keeps what it has
  }
  const failed = reports.filter(({faults}) => faults.length > 0).map(({attack}) => attack.name);
  console.log(`${reports.length - failed.length} of ${reports.length} attacks stood${failed.length > 0 ? `; failed: ${failed.join(', ')}` : ''}`);
  return failed.length > 0 ? 1 : 0;
}

function leave(code) {
  for (const cluster of clusters) cluster.stop();
  process.exit(code);
}
// Nothing that was started stays, also where this is interrupted.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    if (stage && stage.router && stage.router.child) stage.router.child.kill('SIGKILL');
    leave(2);
  });
main().catch((error) => {
  console.error(error);
  return 2;
}).then(leave);
