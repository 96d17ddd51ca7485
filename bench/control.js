'use strict';
// How long an operator waits for `block` and `unblock` while rings of a million vnodes are compared, read anew and
// prepared, and every processor is busy. Prints the table that stands in RESULTS.md, and writes it there with --write.
//   MORAY_ROUTER_BIN=… node bench/control.js [--vnodes 1000000] [--times 300] [--write]
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const tests = path.join(__dirname, '..', 'tests', 'node');
const {lineOf} = require(path.join(tests, 'admin_client'));
const {RouterProcess, temporaryDirectory} = require(path.join(tests, 'router_process'));

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const VNODES = option('vnodes', 1_000_000), TIMES = option('times', 300);
const PNODES = [1, 2].map((i) => `tcp://${i}.moray.bench:2020`);
const tool = (...words) => execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', ...words], {stdio: 'ignore'});
const milliseconds = (begun) => Number(process.hrtime.bigint() - begun) / 1e6;
const BEGIN = '<!-- control: begin -->', END = '<!-- control: end -->';

async function main() {
  const directory = temporaryDirectory(), plain = path.join(directory, 'plain'), store = path.join(directory, 'rings');
  tool('create', '-b', 'leveldb', '-l', plain, '-v', String(VNODES), '-p', PNODES.join(' '));
  tool('store', '-l', store, plain);
  const router = await new RouterProcess({ring: {location: store}, timeouts: {holdMs: 60000},
    shards: PNODES.map((pnode, i) => ({pnode, backend: 'embedded', path: path.join(directory, `shard-${i}`), sync: false}))}).start();
  const line = lineOf(() => path.join(router.directory, 'admin.sock'));
  const must = async (command, args) => {
    const {ok, result, error} = await line(command, args);
    if (!ok) throw new Error(`${command}: ${error.message}`);
    return result;
  };
  const busy = os.cpus().map(() => spawn('sh', ['-c', 'while :; do :; done'], {stdio: 'ignore'}));
  const done = {};
  let over = false;
  const again = async (name, ...commands) => {
    for (done[name] = 0; !over; ++done[name]) for (const [command, args] of commands) await must(command, args);
  };
  const took = {block: [], unblock: []};
  try {
    const long = [again('diff', ['diff', {from: plain, to: ''}]), again('reload, prepare and abandon', ['reload', {}],
      ['prepare', {vnodes: '0,2,4', pnode: PNODES[1], holder: 'a/1', leaseMs: 60000}], ['abandon', {lease: 'a/1'}])];
    for (let i = 0; i < TIMES; ++i) {
      for (const [command, args] of [['block', {vnodes: '0-999', mode: 'hold'}], ['unblock', {all: true}]]) {
        const begun = process.hrtime.bigint();
        await must(command, args);
        took[command].push(milliseconds(begun));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    over = true;
    await Promise.all(long);
  } finally {
    busy.forEach((each) => each.kill('SIGKILL'));
    await router.stop();
    fs.rmSync(directory, {recursive: true});
  }
  const at = (list, part) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))].toFixed(1);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {cwd: __dirname, encoding: 'utf8'}).trim();
  const table = [`Command: \`node bench/control.js\`; commit ${commit}; ${new Date().toISOString().slice(0, 10)}; ${os.cpus().length} processors, each with a process that never waits; ` +
    `${VNODES.toLocaleString('en')} vnodes. Meanwhile ${Object.entries(done).map(([name, times]) => `${name}: ${times} times`).join('; ')}.`, '',
    '| ms | p50 | p99 | longest |', '|---|---|---|---|', ...Object.entries(took).map(([name, list]) => `| ${name}, ${list.length} times | ${at(list, 0.5)} | ${at(list, 0.99)} | ${at(list, 1)} |`)].join('\n');
  console.log(table);
  if (!process.argv.includes('--write')) return;
  const file = path.join(__dirname, 'RESULTS.md'), text = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, `${text.slice(0, text.indexOf(BEGIN) + BEGIN.length)}\n${table}\n${text.slice(text.indexOf(END))}`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
