'use strict';
// crash-em: well-formed requests, many of which killed electric-moray, asked of our router over
// embedded shards that hold what rpc-em left.
const {bodies, compareAnswer, fillAsRecorded, recordedBodies, withoutShardNames} = require('./em_suite');
const {Report} = require('./report');
const {Session} = require('./session');
const {System} = require('./systems');
const {readLines, restore} = require('./vectors');

const noSql = new Set(require('./no_sql.json').crash);
// What else had been written before the recording began.
const PUT_BEFORE = '{"m":{"uts":1,"name":"putObject"},"d":["cap_b","k1",{"num":1},{}]}';
const TAIL = '",{"req_id":"c0ffee00-0000-4000-8000-000000000001"}]}';

async function run() {
  const report = new Report('crash');
  const system = await System.embedded({});
  const session = await Session.connect(system.port);
  await fillAsRecorded(session);
  await session.exchange({msgid: 1, json: PUT_BEFORE});
  for (const row of readLines('wire/crash-em.jsonl')) {
    const request = {...row.request, json: restore(row.request.json, TAIL)};
    const method = JSON.parse(request.json).m.name;
    const entry = report.improvement(row.id);
    const {frames, outcome} = await session.exchange(request);
    const actual = withoutShardNames(bodies(frames, request));
    if (outcome !== 'end' && outcome !== 'error') report.different(row.id, request.json, [`ended with ${outcome}`]);
    else if (noSql.has(row.id) && /Operation not supported/.test(JSON.stringify(actual))) report.withoutSql();
    else {
      const recorded = recordedBodies(row.response.map((frame) => ({status_name: frame.status, ...frame})), frames);
      report.file(row.id, request.json, compareAnswer(entry, recorded, actual, method === 'findObjects'));
    }
    if (!system.alive()) throw new Error(`the router ended after ${row.id}`);
  }
  session.close();
  await system.stop();
  return report.finish();
}

module.exports = {run};
