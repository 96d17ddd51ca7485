'use strict';
// The admin socket, by its command line and by hand.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const {execFile} = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const {adminOf} = require('./admin_client');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const directory = temporaryDirectory();
const PNODES = [1, 2, 3].map((i) => `tcp://${i}.moray.example.com:2020`);
let router, socket;

const directory_of_socket = () => path.dirname(socket);
const {admin, result} = adminOf(() => socket);

/** Sends bytes and resolves with the first line of the answer; undefined where it is closed first. */
function raw(bytes, end = false) {
  return new Promise((resolve, reject) => {
    const client = net.connect(socket, () => end ? client.end(bytes) : client.write(bytes));
    let text = '';
    client.on('data', (data) => {
      text += data;
      if (!text.includes('\n')) return;
      client.destroy();
      resolve(JSON.parse(text.split('\n')[0]));
    });
    client.on('end', () => resolve(undefined));
    client.on('error', reject);
  });
}

before(async () => {
  router = await new RouterProcess({
    ring: {location: unpackRing('plain-100', directory)}, workers: 2,
    shards: PNODES.map((pnode, i) => ({pnode, backend: 'embedded', path: path.join(directory, `shard-${i}`)})),
  }).start();
  socket = path.join(router.directory, 'admin.sock');
});
after(async () => {
  if (router.child.exitCode === null) assert.strictEqual((await router.stop()).code, 0, router.errors);
  fs.rmSync(directory, {recursive: true, force: true});
});

test('only its owner may open it', () => {
  assert.strictEqual(fs.statSync(socket).mode & 0o777, 0o600);
});

test('another user is refused, by name', {skip: process.getuid() !== 0 && 'only root can be another user'}, async () => {
  fs.chmodSync(directory_of_socket(), 0o755);
  fs.chmodSync(socket, 0o666);  // so that the credentials alone stand in the way
  const answer = await new Promise((resolve) => {
    const code = `require('net').connect(${JSON.stringify(socket)}).pipe(process.stdout)`;
    execFile(process.execPath, ['-e', code], {uid: 65534, gid: 65534, cwd: '/'}, (error, stdout, stderr) => resolve(stdout || stderr));
  });
  fs.chmodSync(socket, 0o600);
  assert.strictEqual(JSON.parse(answer).error.code, 'not_allowed');
});

test('status, shards, sessions: for people and for scripts', async () => {
  const status = await result('status');
  assert.strictEqual(status.ring.vnodes, 100);
  assert.deepStrictEqual(status.client_list, PNODES);
  assert.strictEqual((await result('shards')).length, 3);
  const client = net.connect(router.port, '127.0.0.1');
  await new Promise((resolve) => client.once('connect', resolve));
  let sessions;
  for (let i = 0; i < 200 && !sessions?.length; ++i) sessions = await result('sessions');
  assert.match(sessions[0].peer, /127\.0\.0\.1/);
  client.destroy();
  assert.match((await admin('status')).stdout, /^ring:\n {2}digest: [0-9a-f]{64}$/m);
});

test('locate shows what routing would do', async () => {
  const place = await result('locate', 'manta', '/a/b/c');
  assert.strictEqual(place.tkey, '/a/b');
  assert.ok(PNODES.includes(place.pnode));
  assert.strictEqual(place.readOnly, false);
  assert.strictEqual((await admin('locate', 'manta')).code !== 0, true);
});

test('reload: another ring by its digest, or not at all', async () => {
  const before_reload = (await result('status')).ring.digest;
  const other = unpackRing('ro-64', directory);
  const wrong = await admin('reload', other, '--expect-digest', 'abc');
  assert.strictEqual(wrong.code, 1);
  assert.match(wrong.stderr, /the ring's digest is [0-9a-f]{64}, not abc/);
  assert.strictEqual((await result('status')).ring.digest, before_reload);
  const missing = await admin('reload', '/nonexistent/ring');
  assert.match(missing.stderr, /\/nonexistent\/ring/);
  const {digest} = await result('reload', other);
  assert.notStrictEqual(digest, before_reload);
  assert.strictEqual((await result('reload', '--expect-digest', before_reload)).digest, before_reload);  // the configuration's again
});

test('log-level: shown, set, refused', async () => {
  assert.deepStrictEqual(await result('log-level'), {level: 'info'});
  assert.deepStrictEqual(await result('log-level', 'debug'), {level: 'debug'});
  assert.match((await admin('log-level', 'loud')).stderr, /no log level: "loud"/);
  assert.deepStrictEqual(await result('log-level', 'info'), {level: 'info'});
});

test('what is no request is refused by name, and harms nobody', async () => {
  const codes = {
    'nonsense\n': 'bad_request', '[]\n': 'bad_request', '{"command":"status"}\n': 'bad_version',
    '{"v":2,"command":"status"}\n': 'bad_version', '{"v":1,"command":"nonsense"}\n': 'unknown_command',
    '{"v":1,"command":5}\n': 'bad_request', '{"v":1,"command":"status","arguments":[]}\n': 'bad_request',
    '{"v":1,"command":"status","arguments":{"x":1}}\n': 'bad_argument', '{"v":1,"command":"locate","arguments":{"bucket":"b"}}\n': 'bad_argument',
  };
  for (const [line, code] of Object.entries(codes)) {
    const answer = await raw(line);
    assert.strictEqual(answer.ok, false);
    assert.strictEqual(answer.error.code, code, line);
  }
  assert.strictEqual(await raw('{"v":1,"command":"drain"', true), undefined);  // cut off in mid-line
  const endless = await new Promise((resolve) => {
    const client = net.connect(socket, () => client.write('x'.repeat(17 << 20)));
    client.on('close', () => resolve('closed'));
    client.on('error', () => {});
  });
  assert.strictEqual(endless, 'closed');
  assert.strictEqual((await result('status')).ring.vnodes, 100);
});

test('a second router on the same socket is told; a dead one\'s socket is in nobody\'s way', async () => {
  const same = new RouterProcess({ring: {location: path.join(directory, 'plain-100')}, admin: {socket},
    shards: PNODES.map((pnode) => ({pnode, address: '127.0.0.1:1'}))});
  await assert.rejects(same.start(), /admin\.sock: another process listens there/);
  const left = path.join(directory, 'left.sock');
  await new Promise((resolve) => {
    const child = execFile(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`],
      () => resolve());
    child.on('exit', resolve);
  });
  assert.ok(fs.existsSync(left));
  const next = await new RouterProcess({ring: {location: path.join(directory, 'plain-100')}, admin: {socket: left},
    shards: PNODES.map((pnode) => ({pnode, address: '127.0.0.1:1'}))}).start();
  assert.strictEqual((await next.stop()).code, 0);
  assert.ok(!fs.existsSync(left));
});

test('drain ends the router well', async () => {
  await result('drain');
  assert.strictEqual((await router.exited).code, 0, router.errors);
});
