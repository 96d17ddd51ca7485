'use strict';
// Clients that send large requests at once share a bound, and each has its turn.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const fs = require('fs');

const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');
const {Session} = require('../replay/session');
const {DATA, encode} = require('../replay/fast_wire');

const directory = temporaryDirectory();
let router;

before(async () => {
  router = await new RouterProcess({
    ring: {location: unpackRing('plain-100', directory)}, workers: 1, timeouts: {streamIdleMs: 2000},
    limits: {largeFramesBytesMax: 2 << 20},
    shards: [1, 2, 3].map((i) => ({pnode: `tcp://${i}.moray.example.com:2020`, backend: 'embedded', path: `${directory}/shard-${i}`, sync: false})),
  }).start();
});
after(async () => {
  assert.strictEqual((await router.stop()).code, 0, router.errors);
  fs.rmSync(directory, {recursive: true, force: true});
});

function put(msgid, bytes) {
  const json = JSON.stringify({m: {uts: 1, name: 'putObject'}, d: ['b', 'k' + msgid, {text: 'x'.repeat(bytes)}, {}]});
  return encode({version: 2, status: DATA, msgid, json});
}

test('ten clients with a frame of 1.5 MB each, begun together, are all answered', async () => {
  const first = await Session.connect(router.port);
  await first.exchange({msgid: 1, json: '{"m":{"uts":1,"name":"createBucket"},"d":["b",{},{}]}'});
  first.close();
  const sessions = await Promise.all(Array.from({length: 10}, () => Session.connect(router.port)));
  const frames = sessions.map((_, i) => put(i + 1, 1500000));
  sessions.forEach((session, i) => session.send(frames[i].subarray(0, 400000)));
  await new Promise((resolve) => setTimeout(resolve, 50));
  sessions.forEach((session, i) => session.send(frames[i].subarray(400000)));
  for (const [i, session] of sessions.entries()) {
    assert.ok(await session.until(() => session.answered(i + 1) || session.closed, 20000));
    assert.strictEqual(session.frames.at(-1)?.status, 'END', `client ${i}`);
    session.close();
  }
});

test('who begins a large frame and sends no more is cut, so that the others have their turn', async () => {
  const idle = await Promise.all([0, 1].map(() => Session.connect(router.port)));
  for (const session of idle) session.send(put(1, 1500000).subarray(0, 400000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const other = await Session.connect(router.port);
  other.send(put(7, 1500000));
  assert.ok(await other.until(() => other.answered(7), 20000));
  assert.strictEqual(other.frames.at(-1).status, 'END');
  for (const session of idle) assert.ok(await session.until(() => session.closed, 20000));
  other.close();
});

const PING = {version: 2, status: DATA, json: '{"m":{"uts":1,"name":"ping"},"d":[{}]}'};
/** Sends the beginning of a frame, which the router has read when this is over. */
async function begin(session, msgid, frame) {
  session.send(Buffer.concat([encode({...PING, msgid}), frame.subarray(0, 500)]));
  assert.ok(await session.until(() => session.answered(msgid) || session.closed, 20000));
}

// More than a worker looks at in one turn, so that it comes to deadlines before it has read from all.
test('a router that stood still does not hold it against clients which are in the middle of a frame', async () => {
  const sessions = await Promise.all(Array.from({length: 600}, () => Session.connect(router.port)));
  for (let round = 0; round < 3; ++round) {
    const msgid = 2 * round + 2, frame = put(msgid, 1000);
    await Promise.all(sessions.map((session) => begin(session, msgid - 1, frame)));
    process.kill(router.child.pid, 'SIGSTOP');
    for (const session of sessions) session.send(frame.subarray(500));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    process.kill(router.child.pid, 'SIGCONT');
    for (const session of sessions) {
      assert.ok(await session.until(() => session.answered(msgid) || session.closed, 20000));
      assert.ok(!session.closed, `cut: ${JSON.stringify(router.lines.filter(({msg}) => msg === 'protocol error').at(-1))}`);
    }
  }
  for (const session of sessions) session.close();
});

test('a client that stands still in the middle of a small frame is cut, and the log says so', async () => {
  const session = await Session.connect(router.port), port = session.socket.localPort;
  await begin(session, 1, put(2, 1000));
  assert.ok(await session.until(() => session.closed, 20000));
  for (let i = 0; i < 1000; ++i) {
    if (router.lines.some(({reason, peer}) => reason === 'stalled_inside_frame' && peer.endsWith(`:${port}`))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail('the log does not say so');
});
