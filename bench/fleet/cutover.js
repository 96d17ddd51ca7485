'use strict';
// For how long a cutover of a plan of resharding makes writes wait, over a fleet and, in the same run beside it, over admin sockets.
//   MORAY_ROUTER_BIN=… node bench/fleet/cutover.js [--routers 3,10,20] [--plans 9] [--writers 12] [--write]
// Prints the table that stands in RESULTS.md, and writes it there with --write.
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {Ledger} = require(path.join(tests, 'reshard_ledger'));
const {PostgresCluster} = require(path.join(tests, 'postgres_cluster'));
const {System} = require(path.join(tests, 'reshard_system'));

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const ROUTERS = option('routers', '3,10,20').split(',').map(Number), PLANS = Number(option('plans', 9)), WRITERS = Number(option('writers', 12));
const GOALS = {3: 100, 10: 150, 20: 200};
const BEGIN = '<!-- fleet cutover: begin -->', END = '<!-- fleet cutover: end -->';
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const most = (values) => Math.max(...values);

/** A system under load; `plan` moves some vnodes for good, and says for how long writes were held. */
class Side {
  async start(clusters, routers, fleet) {
    this.fleet = fleet;
    this.system = await new System({clusters, routers, fleet: fleet ? 1 : 0, workers: 1, vnodes: 256, settings: {pool: {postgresPointConnections: 2}}}).start();
    this.clients = await Promise.all(this.system.routers.map(({port}) => this.system.connect(port)));
    this.ledger = new Ledger(1);
    await this.ledger.create(this.clients[0]);
    this.ledger.writers = Array.from({length: WRITERS}, (_, i) => this.ledger.write(this.clients[i % routers], 4));
    await this.ledger.goesOn(400);
    Object.assign(this, {held: [], block: [], activate: [], moved: 0});
    return this;
  }
  async plan() {
    const first = 8 * this.moved++, {system} = this;
    const number = await system.plan('--vnodes', `${first}-${first + 7}`, '--soak', '0');
    const {err} = await system.reshardTo(0, 'run', number);
    const cut = [...err.matchAll(/cut over: writes were held for ([\d.]+) ms \((.*)\)/g)].pop();
    this.held.push(Number(cut[1]));
    for (const act of ['block', 'activate']) this[act].push(Number(new RegExp(`\\b${act} ([\\d.]+) ms`).exec(cut[2])[1]));
  }
  async stop() {
    await this.ledger.stop();
    if (Object.keys(this.ledger.refused).length > 0 || this.ledger.unknown > 0) throw new Error(`writes failed: ${JSON.stringify(this.ledger.refused)} ${this.ledger.lastUnknown}`);
    await this.ledger.check(this.system, this.clients[0]);
    await this.system.stop();
  }
}

async function main() {
  const clusters = [await PostgresCluster.several(2), await PostgresCluster.several(2)], rows = [];
  for (const routers of ROUTERS) {
    const sides = [await new Side().start(clusters[0], routers, true), await new Side().start(clusters[1], routers, false)];
    const begun = Date.now(), before = sides.map(({ledger}) => ledger.acknowledged);
    for (let i = 0; i < PLANS; ++i) for (const side of i % 2 === 0 ? sides : [...sides].reverse()) await side.plan();
    const seconds = (Date.now() - begun) / 1000, [fleet, sockets] = sides;
    const rate = sides.reduce((sum, {ledger}, i) => sum + ledger.acknowledged - before[i], 0) / seconds;
    for (const side of sides) await side.stop();
    const goal = GOALS[routers];
    rows.push(`| ${routers} | ${median(fleet.held).toFixed(0)} (${most(fleet.held).toFixed(0)})${goal ? ` | ${goal}` : ' | '} | ${median(fleet.block).toFixed(0)} + ${median(fleet.activate).toFixed(0)} | ` +
      `${median(sockets.held).toFixed(0)} (${most(sockets.held).toFixed(0)}) | ${median(sockets.block).toFixed(0)} + ${median(sockets.activate).toFixed(0)} | ${rate.toFixed(0)} |`);
    console.log(rows[rows.length - 1]);
  }
  for (const cluster of clusters.flat()) cluster.stop();
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {encoding: 'utf8'}).trim();
  const text = `${PLANS} plans each, one over the fleet and one over sockets in turn, on a machine that carries all routers, two databases of each kind, ZooKeeper and the clients: ` +
    `milliseconds for which writes were held, p50 (most). \`node bench/fleet/cutover.js --routers ${ROUTERS.join(',')} --plans ${PLANS} --writers ${WRITERS}\`, ${commit}.\n\n` +
    `| routers | over a fleet | goal | of it: block + activate | over admin sockets | of it | writes/s |\n|--:|--:|--:|--:|--:|--:|--:|\n${rows.join('\n')}\n`;
  console.log(text);
  if (!process.argv.includes('--write')) return;
  const page = path.join(__dirname, '..', 'RESULTS.md'), all = fs.readFileSync(page, 'utf8');
  const begin = all.indexOf(BEGIN), end = all.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${page} has no place for it`);
  fs.writeFileSync(page, all.slice(0, begin + BEGIN.length) + '\n' + text + all.slice(end));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
