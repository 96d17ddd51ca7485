'use strict';
// failures-em: shards that hang, send garbage, are down or read only.
const {bodies, compareAnswer, recordedBodies, withoutShardNames} = require('./em_suite');
const {Report} = require('./report');
const {Session} = require('./session');
const {PNODES, System} = require('./systems');
const {readLines} = require('./vectors');

// Short, so that a shard that hangs is given up soon.
const TIMEOUTS = {objectMs: 1500, findMs: 1500, longRunningMs: 1500};

const ROWS = {
  k1: {bucket: 'cap_b', key: 'k1', value: {num: 1, vnode: 426}, _id: 1, _etag: '0DB8E6D4', _mtime: 1795198414746, _txn_snap: null, _count: null},
  k3: {bucket: 'cap_b', key: 'k3', value: {str: 'v', num: 3, vnode: 189}, _id: 2, _etag: '488D5987', _mtime: 1795197230260, _txn_snap: null, _count: null},
};
const FOUND = {bucket: 'cap_b', key: 'f1', value: {str: 'odd', num: 1, flag: false, vnode: 1}, _id: 9, _etag: '7120D58E',
  _mtime: 1795197234041, _txn_snap: null, _count: 1};
const BUCKET = {name: 'cap_b', index: '{"str":{"type":"string"},"num":{"type":"number"},"uniq":{"type":"string","unique":true},"flag":{"type":"boolean"},"added":{"type":"string"}}',
  pre: '[]', post: '[]', options: '{"version":2}', reindex_active: '{"2":["added"]}', mtime: '2026-11-20T17:53:47.987Z'};

/** What a shard holds that does its work. */
function answerOf(json) {
  const {m: {name}, d} = JSON.parse(json);
  const values = {getObject: () => [ROWS[d[1]]], putObject: () => [{etag: '0DB8E6D4'}], findObjects: () => [FOUND],
    sql: () => [{a: 1}], getBucket: () => [BUCKET]}[name]?.() ?? [];
  const message = (status, body) => ({status, json: JSON.stringify({m: {uts: 1, name}, d: body})});
  return [...values.map((value) => message('DATA', [value])), message('END', [])];
}

/** One part of the recording: its own system, in the state that the cases' names tell. */
class Phase {
  static async start(name) {
    const phase = new Phase();
    phase.system = await System.scripted({
      ring: name === 'ro-vnode' ? 'lab-ro' : 'lab', config: {timeouts: TIMEOUTS}, readOnly: name === 'readonly-2' ? [PNODES[1]] : [],
    });
    for (const shard of phase.system.shards) shard.answer = answerOf;
    phase.session = await Session.connect(phase.system.port);
    return phase;
  }

  async enter(state) {
    const [, second] = this.system.shards;
    second.mode = {'hang-2': 'hang', 'corrupt-2': 'corrupt'}[state] ?? 'pass';
    if (state === 'down-2') {
      await this.session.exchange({msgid: 1, json: '{"m":{"uts":1,"name":"getObject"},"d":["cap_b","k3",{}]}'});
      await second.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop() {
    this.session.close();
    await this.system.stop();
  }
}

const SYSTEM_OF = {'readonly-2': 'readonly-2', 'ro-vnode': 'ro-vnode'};

async function run() {
  const report = new Report('failures');
  let state, phase, name;
  for (const row of readLines('wire/failures-em.jsonl')) {
    if (!row.request) continue;  // how long electric-moray took to connect again
    const next = row.id.split('/')[0];
    if (next !== state) {
      const wanted = SYSTEM_OF[next] ?? 'two shards';
      if (wanted !== name) {
        await phase?.stop();
        phase = await Phase.start(wanted);
        name = wanted;
      }
      state = next;
      await phase.enter(state);
    }
    const entry = report.improvement(row.id);
    if (row.id === 'hang-2/then-connection-lost') setTimeout(() => phase.system.shards[1].dropConnections(), 100);
    const {frames, outcome} = await phase.session.exchange(row.request);
    const own = frames.filter((frame) => frame.msgid === row.request.msgid);
    const actual = withoutShardNames(bodies(own, row.request));
    const recorded = recordedBodies(row.response.filter((frame) => frame.msgid === row.request.msgid), own);
    const lines = compareAnswer(entry, recorded, actual, /sql/.test(row.id));
    if (outcome !== 'end' && outcome !== 'error') lines.push(`ended with ${outcome}`);
    report.file(row.id, row.request.json, lines);
    if (!phase.system.alive()) throw new Error(`the router ended after ${row.id}`);
  }
  await phase.stop();
  return report.finish();
}

module.exports = {run};
