'use strict';
// Draws docs/cutover-latency.png: each write's latency while half of a shard's rows move to another and back
// again. Needs gnuplot-nox (scripts/packages.sh).
//   MORAY_ROUTER_BIN=… node bench/reshard/picture.js
const {execFileSync} = require('child_process');
const path = require('path');

const root = path.join(__dirname, '..', '..'), tests = path.join(root, 'tests', 'node');
const {Ledger, BUCKET} = require(path.join(tests, 'reshard_ledger'));
const {System, pause} = require(path.join(tests, 'reshard_system'));

const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;

async function main() {
  const system = await new System({vnodes: 1000}).start();
  try {
    const client = await system.connect();
    const ledger = new Ledger(1, 2000, 4);
    await ledger.create(client);
    system.sql(0, `INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, n) SELECT '/fill/stor/e' || (i / 20) || '/f' || i,
      '{"n":' || i || ',"text":"' || repeat('x', 400) || '"}', 'ABCDEF01', 7, i FROM generate_series(1, 50000) i`);
    execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'backfill-vnodes', '--config', system.config, '--pnode', 'tcp://1.moray.example.com:2020',
      '--rows-per-second', '0'], {stdio: 'ignore'});
    ledger.record = true;
    await ledger.run(client, 8, 7);
    await pause(2000);
    const marks = [];  // when the plan came to what
    const follow = (running) => {
      running.child.stdout.on('data', (data) => {
        for (const line of String(data).trim().split('\n')) {
          const event = JSON.parse(line).event || '';
          if (event.startsWith('cut over')) marks.push([now(), event.replace(/ \(.*/, '').replace('writes were held for ', '')]);
        }
      });
      return running;
    };
    const from = now() - 1500;
    const plan = await system.plan('--half', '--soak', '600', '--max-block', '1000');
    marks.push([now(), 'plan begins']);
    const running = follow(system.reshard('run', plan, '--json'));
    await system.until(plan, 'soak');
    await pause(1500);
    marks.push([now(), 'rollback begins']);
    const back = await follow(system.reshard('rollback', plan, '--json')).done;
    if (back.code !== 0) throw new Error(back.err);
    await running.done;
    await pause(1500);
    await ledger.stop();
    await ledger.check(system, client);
    const points = ledger.latencies.map(([ended, took]) => [(ended - took - from) / 1000, took]).filter(([at]) => at >= 0);
    const top = Math.max(...points.map(([, took]) => took));
    const labels = marks.map(([at, text], i) => {
      const x = ((at - from) / 1000).toFixed(3);
      return `set arrow from ${x}, graph 0 to ${x}, graph 1 nohead lc rgb '#999999' dt 2\nset label '${text}' at ${x}, graph ${0.96 - 0.06 * (i % 2)} offset 0.5,0 font ',10'`;
    });
    execFileSync('gnuplot', {input: `$d << EOD\n${points.map((each) => each.map((n) => n.toFixed(4)).join(' ')).join('\n')}\nEOD
set terminal pngcairo size 900,420 font 'sans,11'
set output '${path.join(root, 'docs', 'cutover-latency.png')}'
set title 'Latency of each write while half of a shard''s rows move, and move back'
set xlabel 'seconds'\nset ylabel 'milliseconds'\nset logscale y\nset yrange [0.2:${Math.max(200, 2 * top)}]\nset grid y lc rgb '#dddddd'\nunset key
${labels.join('\n')}
plot $d using 1:2 with points pt 7 ps 0.25 lc rgb '#1f77b4'\n`});
    console.log(`${points.length} writes, the slowest ${top.toFixed(1)} ms; refused: ${JSON.stringify(ledger.refused)}, unknown: ${ledger.unknown}`);
  } finally {
    await system.stop();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
