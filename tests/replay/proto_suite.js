'use strict';
// proto-em: broken and unusual byte streams, as they were sent to electric-moray. What it answered
// we answer; what killed it costs the connection at most.
const {differences, mask} = require('./compare');
const {Report} = require('./report');
const {Session} = require('./session');
const {System} = require('./systems');
const {readLines} = require('./vectors');
const {DATA, encode} = require('./fast_wire');

const QUIET_MS = 1500;  // the router lets pending requests answer for 1 s before it closes
const SETTLE_MS = 100;
const FIN_AFTER = new Set(['half-close', 'half-close-slow', 'fin-only', 'truncated-header-fin', 'truncated-body-fin']);
const GET = '{"m":{"uts":1,"name":"getObject"},"d":["cap_b","k1",{"req_id":"c0ffee00-0000-4000-8000-000000000001","noCache":true}]}';

/** What was sent, piece by piece; rebuilt where the recording does not hold all bytes. */
function pieces(row) {
  const get = (msgid) => encode({version: 2, status: DATA, msgid, json: GET});
  if (row.id === 'partial-1-byte-writes') return [...get(1)].map((byte) => Buffer.from([byte]));
  if (row.id === 'pipeline-20') return [Buffer.concat(Array.from({length: 20}, (_, i) => get(1 + i)))];
  if (row.id === 'big-request')
    return [encode({version: 2, status: DATA, msgid: 1, json: GET.replace('"noCache"', `"pad":"${'x'.repeat(5000000)}","noCache"`)})];
  return row.sent.map(({hex}) => Buffer.from(hex, 'hex'));
}

/** The shard behind: k1 is there, nothing else is, and sql takes a while. */
function answerOf(json) {
  const {m: {name}, d} = JSON.parse(json);
  const message = (status, body) => ({status, json: JSON.stringify({m: {uts: 1, name}, d: body})});
  if (name === 'sql') return [message('DATA', [{a: 1}]), message('END', [])];
  if (d[1].includes('\0'))
    return [message('ERROR', {name: 'error', message: 'invalid byte sequence for encoding "UTF8": 0x00', context: {}, info: {}})];
  if (d[1] !== 'k1')
    return [message('ERROR', {name: 'ObjectNotFoundError', message: `${d[0]}::${d[1]} does not exist`, context: {}, info: {}})];
  return [message('DATA', [{bucket: 'cap_b', key: 'k1', value: {str: 'a', num: 1, vnode: 426}, _id: 1, _etag: '63F9EAE3',
    _mtime: 1795197231631, _txn_snap: null, _count: null}]), message('END', [])];
}

async function send(session, row) {
  const all = pieces(row);
  for (const [i, piece] of all.entries()) {
    session.send(piece);
    if (row.id === 'reuse-msgid-later' || row.id === 'mixed-versions') await session.until(() => session.frames.length >= 2 * (i + 1), 2000);
    else if (all.length > 1) await new Promise((resolve) => setTimeout(resolve, all.length === 2 ? 50 : 0));
  }
  if (FIN_AFTER.has(row.id)) session.socket.end();
}

/** Frames by request (which request is answered first is not promised), and whether it is still open. */
function outcome(frames, open) {
  const bodies = frames.map(({version, msgid, status, json}) => ({msgid, frame: [version, status, JSON.parse(json)]}));
  bodies.sort((a, b) => a.msgid - b.msgid);
  return {frames: bodies.map(({msgid, frame}) => [msgid, ...frame]), open};
}

async function run() {
  const report = new Report('proto');
  const system = await System.scripted();
  for (const shard of system.shards) {
    shard.answer = answerOf;
    shard.delayOf = (json) => (JSON.parse(json).m.name === 'sql' ? 300 : 0);
  }
  for (const row of readLines('wire/proto-em.jsonl')) {
    const session = await Session.connect(system.port);
    await send(session, row);
    const recorded = outcome(row.response.map((frame) => ({...frame, status: frame.status_name})), row.connection_open_after);
    const entry = report.improvement(row.id);
    const wanted = entry?.expect ?? mask(recorded);
    await session.until(() => session.closed || (wanted.open && session.frames.length >= wanted.frames.length), QUIET_MS);
    await session.until(() => session.closed, SETTLE_MS);  // more than was expected would come now
    const actual = outcome(session.frames, !session.closed);
    report.file(row.id, pieces(row).map((piece) => piece.subarray(0, 60).toString('latin1')).slice(0, 3).join(' | '), differences(wanted, actual));
    session.close();
    const other = await Session.connect(system.port);
    const {outcome: after} = await other.exchange({msgid: 7, json: GET});
    if (after !== 'end') report.different(row.id, 'the next client', [`was answered with ${after}`]);
    other.close();
    if (!system.alive()) throw new Error(`the router ended after ${row.id}`);
  }
  await system.stop();
  return report.finish();
}

module.exports = {run};
