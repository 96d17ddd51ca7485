#!/usr/bin/env node
'use strict';
// Replays recordings of electric-moray and moray through the router and compares every answer.
//   node replay.js SUITE        MORAY_ROUTER_BIN names the executable
const suites = {
  'em': () => require('./em_suite').run('embedded'),
  'crash': () => require('./crash_suite').run(),
  'failures': () => require('./failures_suite').run(),
  'proto': () => require('./proto_suite').run(),
  'em-postgres': () => require('./em_suite').run('postgres'),
  'em-scripted': () => require('./em_suite').run('scripted'),
};

async function main(name) {
  if (!suites[name]) throw new Error(`no suite "${name}"; there are ${Object.keys(suites).join(', ')}`);
  if (!process.env.MORAY_ROUTER_BIN) throw new Error('MORAY_ROUTER_BIN must name the executable');
  if (!(await suites[name]())) process.exitCode = 1;
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
