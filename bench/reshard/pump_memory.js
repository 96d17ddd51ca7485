'use strict';
// What the pump takes of memory and time for a long log, and for large rows that changed between two cycles. Prints a JSON line each.
//   MORAY_ROUTER_BIN=… node bench/reshard/pump_memory.js [--entries 10000000] [--rows 1000] [--megabytes 5]
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {BUCKET, Ledger} = require(path.join(tests, 'reshard_ledger'));
const {fill, grow, logEntries, peakMegabytes} = require(path.join(tests, 'reshard_loads'));
const {System, pause} = require(path.join(tests, 'reshard_system'));

const LIMIT = 300;  // megabytes
const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};

/** A plan that stands before its pump, with a load; then it pumps, and stands after its block. */
async function measure(name, rows, load) {
  const system = await new System({vnodes: 1000}).start();
  try {
    await new Ledger(1).create(await system.connect());
    fill(system, name, rows, 'i');
    system.sql(0, `VACUUM ANALYZE ${BUCKET}`);
    const plan = await system.plan('--vnodes', '0-999', '--soak', '0', '--no-cleanup', '--trust-vnodes', '--max-block', '20000');
    const running = await system.standing(plan, 'pump');
    const counted = await load(system, plan);
    const begun = Date.now();
    let seconds = 0, peak = 0;
    system.goOn(running);
    const look = setInterval(() => { peak = Math.max(peak, peakMegabytes(running.child)); }, 20);
    while (running.child.exitCode === null && running.child.signalCode === null) {
      if (seconds === 0 && system.sql(0, 'SELECT 1 FROM moray_router.reshard_log LIMIT 1') === '') seconds = (Date.now() - begun) / 1000;
      await pause(seconds === 0 ? 500 : 20);
    }
    clearInterval(look);
    const end = await running.done;
    if (end.code !== 0) throw new Error(end.err);
    const round = (x) => Math.round(x * 10) / 10;
    console.log(JSON.stringify({load: name, ...counted, seconds: round(seconds), perSecond: Math.round((counted.entries || counted.rows) / seconds),
      peakMegabytes: round(peak), ofLimit: Math.round(100 * peak / LIMIT) / 100}));
  } finally {
    await system.stop();
  }
}

async function main() {
  const entries = option('--entries', 10000000), rows = option('--rows', 1000), megabytes = option('--megabytes', 5);
  if (entries > 0)
    await measure('entries', 100000, (system, plan) => {
      logEntries(system, plan, 'entries', entries, 100000);
      return {entries};
    });
  if (rows > 0)
    await measure('rows', rows, (system) => {
      grow(system, 'rows', megabytes);
      return {rows, megabytesEach: megabytes};
    });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
