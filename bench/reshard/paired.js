'use strict';
// Copy, cleanup and block of a program beside older ones, turn about in one run, so that what else the machine does hits all
// of them. Prints for each figure the medians, and the median of the rounds' ratios (the new one's time by the old one's) with
// the interval between the second lowest and the second highest: for nine rounds it has the true median in it 96 times of 100.
//   node bench/reshard/paired.js OLD [OLD ...] NEW [--rounds 9] [--rows 100000] [--cutovers 10]; without cutovers no block
const {execFileSync} = require('child_process');
const path = require('path');

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const words = process.argv.slice(2), options = words.findIndex((word) => word.startsWith('--'));
const programs = options < 0 ? words : words.slice(0, options), current = programs[programs.length - 1];
const rounds = option('rounds', 9), rows = option('rows', 100000), cutovers = option('cutovers', 10);
const run = (binary, script, ...words) => JSON.parse(execFileSync(process.execPath, [path.join(__dirname, script), ...words.map(String)],
  {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env: {...process.env, MORAY_ROUTER_BIN: binary}}).trim().split('\n').pop());
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Of each figure the time that it stands for; smaller is better. */
function figures(binary) {
  const rates = run(binary, 'rates.js', '--rows', rows, '--unthrottled');
  const {block} = cutovers > 0 ? run(binary, 'block_window.js', '--rows', rows, '--cutovers', cutovers) : {};
  return {'copy, seconds': rates.megabytes / rates.copyMegabytesPerSecond, 'cleanup, seconds': rows / rates.cleanupRowsPerSecond, ...block && {'block p50, ms': block.p50, 'block p95, ms': block.p95}};
}

const all = [];
for (let round = 0; round < rounds; ++round) {
  const found = {};
  for (const i of programs.keys()) {
    const binary = programs[(i + round) % programs.length];
    found[binary] = figures(binary);
  }
  all.push(found);
  console.error(`round ${round + 1}: ${JSON.stringify(found)}`);
}
for (const old of programs.slice(0, -1)) {
  console.log(`| ${path.basename(old)}; ${rounds} rounds of ${rows} rows, ${cutovers} cutovers | old | new | new / old | interval |\n|---|---|---|---|---|`);
  for (const name of Object.keys(all[0][old])) {
    const pairs = all.map((found) => [found[old][name], found[current][name]]);
    const ratios = pairs.map(([before, after]) => after / before).sort((a, b) => a - b), text = (value) => value.toFixed(2);
    console.log(`| ${name} | ${text(median(pairs.map(([before]) => before)))} | ${text(median(pairs.map(([, after]) => after)))} | ${text(median(ratios))} | ${text(ratios[1])} to ${text(ratios[rounds - 2])} |`);
  }
}
