'use strict';
// A moray that lies, in many ways: each alone must not harm a client of another shard, and each request to it must come to an end.
const {DATA, END, ERROR, encode} = require('../replay/fast_wire');
const {header, pause, request} = require('./hostile');

const STATUS = {DATA, END, ERROR};
const bytesOf = ({version, msgid}, frames) => Buffer.concat(frames.map(({status, json}) => encode({version, status: STATUS[status], msgid, json})));
const frame = (asked, status, json, more = {}) => encode({version: asked.version, msgid: asked.msgid, status: STATUS[status], json, ...more});
const nameOf = ({json}) => JSON.parse(json).m.name;
const error = (asked, d) => frame(asked, 'ERROR', JSON.stringify({m: {uts: 1, name: nameOf(asked)}, d}));
const data = (asked, d) => frame(asked, 'DATA', JSON.stringify({m: {uts: 1, name: nameOf(asked)}, d}));
const end = (asked) => frame(asked, 'END', JSON.stringify({m: {uts: 1, name: nameOf(asked)}, d: []}));
const patched = (bytes, change) => { const copy = Buffer.from(bytes); change(copy); return copy; };
const whole = (asked, right) => bytesOf(asked, right());
const nested = (depth) => `{"m":{"uts":1,"name":"getObject"},"d":${'['.repeat(depth)}${']'.repeat(depth)}}`;

/** Each: what is written for a request that was asked; `right()` are the frames that are due. */
const LIES = {
  'another message id': (asked, right) => bytesOf({...asked, msgid: asked.msgid + 1000}, right()),
  'message id 0': (asked, right) => bytesOf({...asked, msgid: 0}, right()),
  'a message id beyond the bound': (asked, right) => patched(whole(asked, right), (bytes) => bytes.writeUInt32BE(0xffffffff, 3)),
  'a wrong checksum': (asked) => frame(asked, 'DATA', '{"m":{"uts":1,"name":"x"},"d":[]}', {crcOffset: 1}),
  'a wrong checksum of the END': (asked) => frame(asked, 'END', '{"m":{"uts":1,"name":"x"},"d":[]}', {crcOffset: 1}),
  'the checksum of the other version': (asked, right) => patched(whole(asked, right), (bytes) => { bytes[0] = 3 - bytes[0]; }),
  'END twice': (asked, right) => Buffer.concat([whole(asked, right), end(asked)]),
  'END alone': (asked) => end(asked),
  'DATA after END': (asked, right) => Buffer.concat([whole(asked, right), data(asked, [{late: true}])]),
  'ERROR after END': (asked, right) => Buffer.concat([whole(asked, right), error(asked, {name: 'Late', message: 'late'})]),
  'END after ERROR': (asked) => Buffer.concat([error(asked, {name: 'First', message: 'first'}), end(asked)]),
  'DATA twice': (asked, right) => Buffer.concat([data(asked, [{first: true}]), whole(asked, right)]),
  'a length of 4 GB': ({msgid, version}) => header(0xffffffff, {msgid, version}),
  'a length beyond the bound': ({msgid, version}) => header((256 << 20) + 1, {msgid, version}),
  'a length that is too long': (asked, right) => patched(whole(asked, right), (bytes) => bytes.writeUInt32BE(bytes.readUInt32BE(11) + 100, 11)),
  'a length that is too short': (asked, right) => patched(whole(asked, right), (bytes) => bytes.writeUInt32BE(bytes.readUInt32BE(11) - 5, 11)),
  'a length of 0': ({msgid, version}) => header(0, {msgid, version}),
  'no JSON': (asked) => frame(asked, 'DATA', 'nonsense'),
  'JSON that ends early': (asked) => frame(asked, 'DATA', '{"m":{"uts":1,"name":"getObject"},"d":[{"a":'),
  'JSON that is no object': (asked) => frame(asked, 'DATA', '[1,2,3]'),
  'JSON without d': (asked) => frame(asked, 'DATA', '{"m":{"uts":1,"name":"getObject"}}'),
  'a d that is no list': (asked) => frame(asked, 'DATA', '{"m":{"uts":1,"name":"getObject"},"d":7}'),
  'rows that are no objects': (asked) => Buffer.concat([data(asked, [7, null, 'x']), end(asked)]),
  'JSON a thousand lists deep': (asked) => Buffer.concat([frame(asked, 'DATA', nested(1000)), end(asked)]),
  'JSON a million lists deep': (asked) => Buffer.concat([frame(asked, 'DATA', nested(1_000_000)), end(asked)]),
  'bytes that are no UTF-8': (asked, right) => patched(whole(asked, right), (bytes) => bytes.fill(0xff, 20, 24)),
  'a wrong version': (asked, right) => patched(whole(asked, right), (bytes) => { bytes[0] = 9; }),
  'a wrong type': (asked, right) => patched(whole(asked, right), (bytes) => { bytes[1] = 9; }),
  'a wrong status': (asked, right) => patched(whole(asked, right), (bytes) => { bytes[2] = 9; }),
  'an ERROR without a name': (asked) => error(asked, {message: 'who knows'}),
  'an ERROR whose d is a list': (asked) => error(asked, [1]),
  'an ERROR of 4 MB': (asked) => error(asked, {name: 'Large', message: 'x'.repeat(4 << 20)}),
  'HTTP': () => Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'),
  'half a header, then silence': ({msgid, version}) => header(100, {msgid, version}).subarray(0, 8),
  'half a frame, then silence': (asked, right) => whole(asked, right).subarray(0, 30),
  'half a frame, then the end': (asked, right, socket) => { socket.end(whole(asked, right).subarray(0, 30)); },
  'the end in place of an answer': (asked, right, socket) => { socket.destroy(); },
  'one byte at a time': (asked, right, socket) => byteByByte(socket, whole(asked, right)),
  'DATA without an end': (asked, right, socket) => { endless(asked, socket); },
  'requests of its own': (asked) => request(asked.msgid, 'putObject', ['manta', '/x', {}, {}]),
};

async function byteByByte(socket, bytes) {
  for (const byte of bytes) {
    if (socket.destroyed) return;
    socket.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
}
async function endless(asked, socket) {
  const rows = Buffer.concat(Array.from({length: 100}, (_, n) => data(asked, [{bucket: 'manta', key: '/x', value: {n, text: 'x'.repeat(500)}, _id: n, _etag: 'A', _mtime: 1}])));
  while (!socket.destroyed) {
    await new Promise((resolve) => socket.write(rows, resolve));  // an error, too, when it is closed
    await pause(1);
  }
}

const REQUESTS = {
  put: (key) => request(1, 'putObject', ['manta', key, {n: 5}, {}]), get: (key) => request(1, 'getObject', ['manta', key, {noCache: true}]),
  find: (key, directory) => request(1, 'findObjects', ['manta', '(n=5)', {hashkey: directory, noCache: true}]),
};

/** After these nothing comes any more, until the router's deadlines end the requests; they are told to three at once. */
const SILENT = new Set(['half a header, then silence', 'half a frame, then silence', 'a length that is too long', 'a length of 4 GB', 'another message id']);
const ENDLESS = 'DATA without an end';

/** One request: its connection, when it has its answer or is cut. */
async function asks(stage, kind, directory, enough = () => false) {
  const one = await stage.connect();
  await one.send(REQUESTS[kind](`${directory}/f`, directory));
  await one.until(() => one.answers() > 0 || enough(one));
  one.leave();
  return one;
}
/** An honest answer is believed again after a lie; otherwise a fault is noted, and the connections are made anew. */
async function believed(stage, kind, directory, lie) {
  if (!await stage.eventually(`an honest answer to a ${kind} is believed, after "${lie}"`, async () => (await asks(stage, kind, directory)).ends === 1))
    stage.morays[0].dropConnections();
}

/** Tells a lie to requests of these kinds, and waits until they have come to an end. */
async function tell(stage, lie, kinds, directory) {
  const [moray] = stage.morays;
  let told = 0;
  moray.lie = (socket, asked, right) => {
    ++told;
    const bytes = LIES[lie](asked, right, socket);
    if (Buffer.isBuffer(bytes)) socket.write(bytes);
  };
  await Promise.all(kinds.map(async (kind) => {
    ++stage.acts;
    // What has no end goes on while its client takes it.
    const one = await asks(stage, kind, directory, ({received}) => lie === ENDLESS && received > 1 << 20);
    if (one.answers() === 0 && !one.ended && lie !== ENDLESS) stage.faults.push(`"${lie}" to a ${kind}: neither answer nor end`);
    stage.note(one.ends > 0 ? 'ended' : Object.keys(one.errors)[0] || (lie === ENDLESS ? 'endless' : 'cut'));
  }));
  if (told < kinds.length) stage.note('not asked', kinds.length - told);
  moray.lie = null;
  if (SILENT.has(lie) || lie === ENDLESS) moray.dropConnections();
  for (const kind of Object.keys(REQUESTS)) await believed(stage, kind, directory, lie);
}

module.exports = [{
  kind: 'shard', name: 'lying_shard', about: `a moray that lies in ${Object.keys(LIES).length} ways, to a put, a get and a find each`,
  shards: ['moray', 'embedded', 'embedded'], polite: [1, 2], config: {workers: 1},  // whose connections are cut, and seen to be there again
  async attack(stage) {
    const {directory} = await stage.directoryAt(0), kinds = Object.keys(REQUESTS);
    do {
      for (const lie of Object.keys(LIES)) {
        for (const some of SILENT.has(lie) ? [kinds] : kinds.map((kind) => [kind])) {
          if (stage.stopped || !stage.alive()) return;
          await tell(stage, lie, some, directory);
        }
        if (!stage.alive()) stage.faults.push(`it died of "${lie}"`);
      }
    } while (stage.goOn());
  },
}];
