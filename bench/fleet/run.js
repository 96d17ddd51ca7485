'use strict';
// What a fleet costs: changes of the ring at all of its routers under load, a ZooKeeper that dies for a minute, and memory and threads.
//   MORAY_ROUTER_BIN=… node bench/fleet/run.js [--routers 20] [--vnodes 1000000] [--times 5] [--away 60] [--members 100] [--write]
// Prints the table that stands in RESULTS.md, and writes it there with --write.
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {Acknowledgers} = require(path.join(tests, 'fleet_acknowledgers'));
const {FleetScene, PNODES, pause, until} = require(path.join(tests, 'fleet_scene'));
const {RouterProcess} = require(path.join(tests, 'router_process'));

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const ROUTERS = option('routers', 20), VNODES = option('vnodes', 1_000_000), TIMES = option('times', 5), AWAY = option('away', 60), MEMBERS = option('members', 100);
const BEGIN = '<!-- fleet: begin -->', END = '<!-- fleet: end -->';
const EACH_MS = 20;  // a request of each router's client
const now = () => Number(process.hrtime.bigint()) / 1e6;
const sorted = (values) => [...values].sort((a, b) => a - b);
const at = (values, share) => values.length === 0 ? NaN : values[Math.min(values.length - 1, Math.floor(values.length * share))];
const ms = (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;

/** Gets and puts through all routers, one after the other through each; latencies by when they began. */
class Load {
  constructor(members) {
    this.members = members;
    this.done = [];  // {began, ms}
    this.failed = 0;
    this.began = now();
    this.stops = false;
    this.running = members.map((member, i) => this.run(member, i));
  }
  async run(member, i) {
    for (let n = 0; !this.stops; ++n) {
      const began = now(), key = `load${i}-${n % 50}`;
      try {
        if (n % 2 === 0) await member.put(key, {n});
        else await member.get(`load${i}-${(n - 1) % 50}`);
        this.done.push({began, ms: now() - began});
      } catch (error) {
        ++this.failed;
        console.error(`${new Date().toISOString()} ${member.name}, ${((now() - this.began) / 1000).toFixed(1)} s: ${error.name}: ${error.message}`);
      }
      await pause(EACH_MS);
    }
  }
  async stop() {
    this.stops = true;
    await Promise.all(this.running);
  }
  between(from, to) {
    return sorted(this.done.filter(({began}) => began >= from && began < to).map((each) => each.ms));
  }
}

function process_figures(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8'), smaps = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {threads: Number(/Threads:\s+(\d+)/.exec(status)[1]), kB: Number(/Pss_Anon:\s+(\d+)/.exec(smaps)[1])};
}

/** The same router, of no fleet, beside a member: what being one costs. */
async function cost(scene) {
  const [member] = scene.members, store = path.join(scene.directory, 'alone');
  execFileSync('cp', ['-r', scene.rings, store]);
  const figures = async (router) => {
    await pause(3000);
    return process_figures(router.child.pid);
  };
  await member.stop();
  await member.start();
  const inFleet = await figures(member.process);
  const config = member.config();
  delete config.fleet;
  const alone = await new RouterProcess({...config, ring: {location: store}}).start();
  const without = await figures(alone);
  await alone.stop();
  return {threads: inFleet.threads - without.threads, kB: inFleet.kB - without.kB};
}

async function changes(scene, load, rows) {
  const runs = [], began = now();
  for (let i = 0; i < TIMES; ++i) {
    const from = now();
    const run = await scene.json('set-data', '--vnodes', String(VNODES - 1 - i), 'ro');
    runs.push({...run, wholeMs: now() - from});
  }
  const moves = [];
  for (let i = 0; i < TIMES; ++i) moves.push(await scene.json('remap', '--vnodes', String(i), '--pnode', PNODES[(i + 1) % 3], '--timeout', '60'));
  const latencies = load.between(began, now());
  const all = (some, of) => sorted(some.map(of));
  rows.push([`\`set-data\` of one vnode, from commit to the last activation (goal: under 300 ms)`, `${ms(at(all(runs, (run) => run.activationMs), 0.5))}, at most ${ms(at(all(runs, (run) => run.activationMs), 1))}`]);
  rows.push(['the same, all of it, with staging and the command\'s start (goal: under 10 s)', `${ms(at(all(runs, (run) => run.wholeMs), 0.5))}, at most ${ms(at(all(runs, (run) => run.wholeMs), 1))}`]);
  rows.push(['`remap` of one vnode, from commit to the last activation', `${ms(at(all(moves, (run) => run.activationMs), 0.5))}, at most ${ms(at(all(moves, (run) => run.activationMs), 1))}`]);
  rows.push(['requests meanwhile: answered, failed (goal: 0); p50, p99', `${latencies.length}, ${load.failed}; ${ms(at(latencies, 0.5))}, ${ms(at(latencies, 0.99))}`]);
}

/** How long a change takes where beside the routers there are sessions that only say that they agree. */
async function crowd(scene, load, rows) {
  const others = await new Acknowledgers(scene, MEMBERS - ROUTERS).start(), took = [], failed = load.failed;
  try {
    for (let i = 0; i < TIMES; ++i) took.push((await scene.json('set-data', '--vnodes', String(VNODES - 1 - TIMES - i), 'ro')).activationMs);
  } finally {
    await others.stop();
  }
  rows.push([`\`set-data\` of one vnode with ${MEMBERS} members, of which ${ROUTERS} are routers, from commit to the last activation (goal: under 400 ms)`, `${ms(at(sorted(took), 0.5))}, at most ${ms(at(sorted(took), 1))}; ${load.failed - failed} requests failed`]);
}

async function outage(scene, load, rows) {
  const failed = load.failed, controlFrom = now();
  await pause(AWAY * 1000);
  const control = load.between(controlFrom, now()), from = now();
  await scene.zookeeper.kill();
  await pause(AWAY * 1000);
  const away = load.between(from, now()), back = now();
  await scene.zookeeper.launch();
  const launched = now();
  while (!(await Promise.all(scene.members.map((member) => member.fleet()))).every(({inTouch}) => inTouch)) await pause(100);
  const limit = 2 * at(control, 0.999), share = (values) => (100 * values.filter((value) => value > limit).length / values.length).toFixed(3);
  rows.push([`all ZooKeeper nodes dead for ${AWAY} s: requests answered, failed (goal: 0), slowest (goal: under 1 s)`, `${away.length}, ${load.failed - failed}, ${ms(at(away, 1))}`]);
  rows.push(['share slower than twice the p99.9 of the minute before: in that minute, and while they were dead', `${share(control)} %, ${share(away)} %`]);
  rows.push(['all routers in touch again after ZooKeeper\'s nodes serve (goal: under 10 s)', `${ms(now() - launched)}; its nodes took ${ms(launched - back)}`]);
}

async function main() {
  const scene = await new FleetScene().start(ROUTERS, {nodes: 3, vnodes: VNODES, workers: 1, connections: 1});
  const rows = [];
  try {
    for (const {process: router} of scene.members)
      await until(async () => JSON.parse((await router.page(router.statusPort, '/status')).text).shards.every(({healthyWorkers}) => healthyWorkers === 1), 'it reaches all shards');
    const load = new Load(scene.members);
    await pause(3000);
    await changes(scene, load, rows);
    if (MEMBERS > ROUTERS) await crowd(scene, load, rows);
    await outage(scene, load, rows);
    await load.stop();
    const {threads, kB} = await cost(scene);
    rows.push(['what being a member costs a router (goal: under 3 MB and 3 threads more)', `${(kB / 1024).toFixed(1)} MB, ${threads} threads`]);
  } finally {
    await scene.stop();
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {cwd: __dirname, encoding: 'utf8'}).trim();
  const text = [`\`node bench/fleet/run.js --routers ${ROUTERS} --vnodes ${VNODES} --times ${TIMES} --away ${AWAY} --members ${MEMBERS} --write\`; commit ${commit}. ${ROUTERS} routers (a process each, one worker), a ring of ` +
    `${VNODES.toLocaleString('en')} vnodes, three ZooKeeper nodes, a PostgreSQL server and ${ROUTERS} node-moray clients, each with a request every ${EACH_MS} ms, all on two cores.`, '',
    '| | |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
  console.log(text);
  if (!process.argv.includes('--write')) return;
  const file = path.join(__dirname, '..', 'RESULTS.md'), page = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, `${page.slice(0, page.indexOf(BEGIN) + BEGIN.length)}\n${text}\n${page.slice(page.indexOf(END))}`);
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
