'use strict';
// rpc-em: what electric-moray answered, asked again of our router: over shards that repeat what
// moray said then (so that requests towards shards are compared too), or over embedded shards.
const {define, differences, mask, sortRows} = require('./compare');
const {essence} = require('./essence');
const {Report} = require('./report');
const {Session} = require('./session');
const {PNODES, System} = require('./systems');
const {readLines, restore} = require('./vectors');

const noSql = new Set(require('./no_sql.json').em);
const REQ_ID = '"req_id":"c0ffee00-0000-4000-8000-000000000001"}]}';

/** Frames as [status, d], after checks of what every answer has in common. */
function bodies(frames, request) {
  return frames.map((frame) => {
    const message = JSON.parse(frame.json);
    const shared = {version: frame.version, msgid: frame.msgid, name: message.m.name, uts: message.m.uts};
    const wanted = {version: request.version, msgid: request.msgid, name: JSON.parse(request.json).m.name, uts: '<integer>'};
    const wrong = differences(wanted, shared);
    return [frame.status, message.d, ...(wrong.length ? [wrong] : [])];
  });
}

/** Improvement 21: each entry of ase_errors names its shard, each another; else as recorded. */
function withoutShardNames(frames) {
  return frames.map(([status, d, ...rest]) => {
    if (status !== 'ERROR' || !d.ase_errors) return [status, d, ...rest];
    const names = d.ase_errors.map((error) => error.jse_info?.pnode);
    if (names.some((name) => !PNODES.includes(name)) || new Set(names).size !== names.length) return [status, d, ...rest];
    const errors = d.ase_errors.map((error) => ({...error, jse_info: without(error.jse_info, 'pnode')}));
    return [status, {...d, ase_errors: errors}, ...rest];
  });
}

function without(object, name) {
  const {[name]: _, ...rest} = object;
  return rest;
}

/** An answer that was cut for its length stands for `actual` where that begins alike. */
function recordedBodies(response, actual) {
  return response.map((frame, i) => {
    const cut = /^(.*)…\(\d+ characters\)$/s.exec(frame.json);
    if (!cut) return [frame.status_name, JSON.parse(frame.json).d];
    const withoutTime = (text) => text.replace(/"uts":\d+/, '"uts":0');
    const same = withoutTime(actual[i]?.json ?? '').startsWith(withoutTime(cut[1]));
    return [frame.status_name, same ? JSON.parse(actual[i].json).d : cut[1]];
  });
}

function compareAnswer(entry, recorded, actual, anyOrder) {
  if (entry?.expect) return differences(sorted(entry.expect, anyOrder || entry.anyOrder), sorted(actual, anyOrder || entry.anyOrder));
  let expected = mask(recorded);
  for (const [path, value] of Object.entries(entry?.patch ?? {})) patch(expected, path.split('/'), value);
  const free = anyOrder || entry?.anyOrder;
  return differences(sorted(expected, free), sorted(actual, free));
}

function sorted(frames, anyOrder) {
  return anyOrder ? sortRows(frames) : frames;
}

function patch(target, [name, ...rest], value) {
  if (name === '*') for (const key of Object.keys(target)) patch(target, [key, ...rest], value);
  else if (rest.length) patch(target[name], rest, value);
  else define(target, name, value);
}

function isCut(json) { return / characters\)$/.test(json); }

/** What each shard was asked and answered in a recorded case, in order. */
function scriptOf(row, pnode) {
  const frames = row.backend.filter((frame) => frame.shard === pnode);
  return frames.filter((frame) => frame.dir === 'to_shard').map((request) => ({
    asked: request.json,
    answers: frames.filter((frame) => frame.dir === 'from_shard' && frame.msgid === request.msgid)
      .map(({status_name, json}) => ({status: status_name, json})),
  }));
}

class Scripts {
  constructor(shards) { this.shards = shards; }

  load(row, entry, method) {
    const anyShard = method === 'getBucket';
    const all = this.shards.flatMap(({pnode}) => scriptOf(row, pnode));
    for (const shard of this.shards) {
      const script = anyShard ? [...all] : scriptOf(row, shard.pnode);
      shard.seen = [];
      shard.answer = (json) => entry?.shard?.map(([status, d]) => ({status, json: JSON.stringify({m: {uts: 1, name: method}, d})})) ??
        script.shift()?.answers ??
        [{status: 'ERROR', json: JSON.stringify({m: {uts: 1, name: method}, d: {name: 'NotRecorded', message: json}})}];
    }
    this.expected = entry?.shard ? undefined : anyShard ? all : undefined;
  }

  /** Differences between what the shards saw and what they saw then. */
  check(row, entry, method) {
    if (entry?.shard || entry?.toShard === 'any') return [];
    if (row.backend.some(({json}) => isCut(json))) return [];  // the answer was compared
    const given = /"req_id"/.test(row.request.json);
    const seen = this.shards.flatMap((shard) => shard.seen.map(({json}) => [method === 'getBucket' ? 'any' : shard.pnode, essence(json, given)]));
    const wanted = this.shards.flatMap(({pnode}) => scriptOf(row, pnode).map(({asked}) => [method === 'getBucket' ? 'any' : pnode, essence(asked, given)]));
    return differences(wanted, seen, 'to shards');
  }
}

/** The buckets that were there when the recording began; it deletes them first. */
async function fill(session) {
  for (const [i, bucket] of ['cap_b', 'testmanta', 'manta_uploads'].entries())
    await session.exchange({version: 2, msgid: 1 + i, json: JSON.stringify({m: {uts: 1, name: 'createBucket'}, d: [bucket, {}, {}]})});
}

/** What is there after all of rpc-em. */
async function fillAsRecorded(session) {
  await fill(session);
  for (const {request} of readLines('wire/rpc-em.jsonl'))
    await session.exchange({version: request.version, msgid: request.msgid, json: restore(request.json, '"},{' + REQ_ID)});
}

async function run(kind) {
  const report = new Report('em', kind);
  const system = await {scripted: System.scripted, embedded: System.embedded, postgres: System.postgres}[kind]({});
  const session = await Session.connect(system.port);
  if (kind !== 'scripted') await fill(session);
  const scripts = kind === 'scripted' ? new Scripts(system.shards) : undefined;
  for (const row of readLines('wire/rpc-em.jsonl')) {
    const request = {version: row.request.version, msgid: row.request.msgid, json: restore(row.request.json, '"},{' + REQ_ID)};
    const method = JSON.parse(request.json).m.name;
    if (scripts && row.backend.some(({dir, json}) => dir === 'from_shard' && isCut(json))) {
      report.notWhole();  // the shard's answer can't be repeated
      continue;
    }
    const entry = report.improvement(row.id);
    scripts?.load(row, entry, method);
    const answer = await session.exchange(request);
    const actual = withoutShardNames(bodies(answer.frames, request));
    if (kind === 'embedded' && noSql.has(row.id)) {
      if (/Operation not supported/.test(JSON.stringify(actual))) report.withoutSql();
      else report.different(row.id, request.json, ['Operation not supported is the answer without sql', JSON.stringify(actual)]);
      continue;
    }
    const anyOrder = method === 'sql' || method === 'listBuckets' ||
      (kind === 'embedded' && method === 'findObjects' && !/"sort"/.test(request.json));
    const recorded = recordedBodies(row.response, answer.frames);
    const lines = compareAnswer(entry, recorded, actual, anyOrder);
    report.file(row.id, request.json, [...lines, ...(scripts?.check(row, entry, method) ?? [])]);
    if (!system.alive()) throw new Error(`the router ended after ${row.id}`);
  }
  session.close();
  await system.stop();
  return report.finish();
}

module.exports = {Scripts, bodies, compareAnswer, fillAsRecorded, recordedBodies, run, withoutShardNames};
