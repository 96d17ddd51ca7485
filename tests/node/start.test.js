'use strict';
// What the router refuses to start with, and says; and its log as bunyan's own tool reads it.
const assert = require('node:assert');
const {after, test} = require('node:test');
const {execFile, spawnSync} = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const {DevProcess, RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');

const directory = temporaryDirectory();
const binary = process.env.MORAY_ROUTER_BIN;
after(() => fs.rmSync(directory, {recursive: true, force: true}));

const pnodes = (count) => Array.from({length: count}, (_, i) => ({pnode: `tcp://${i + 1}.moray.example.com:2020`, address: '127.0.0.1:1'}));

/** Starts with that configuration; resolves with what it said when it gave up. */
async function refusal(config) {
  const router = new RouterProcess(config);
  let reason;
  try {
    await router.start();
  } catch (error) {
    reason = error.message;
  }
  const {code} = await router.stop();
  assert.ok(reason !== undefined, 'it started');
  assert.strictEqual(code, 1);
  return reason;
}

const BAD_RINGS = {
  'bad-missing-vnode-mid': /\/VNODE\//,
  'bad-missing-vnode-last': /\/VNODE\//,
  'bad-missing-data-key': /vnode|\/PNODE\//,
  'bad-no-complete': /COMPLETE/,
  'bad-version-3.0.0': /3\.0\.0/,
  'bad-truncated-table': /orrupt|table|read/,
  'bad-flipped-bytes': /orrupt|checksum/,
  'bad-no-current': /CURRENT|not exist/,
};

for (const [ring, reason] of Object.entries(BAD_RINGS))
  test(`a ring that is no good is refused by name: ${ring}`, async () => {
    const said = await refusal({ring: {location: unpackRing(ring, directory)}, shards: pnodes(3)});
    assert.ok(said.includes(ring), said);
    assert.match(said, reason);
  });

test('a pnode without a shard', async () => {
  const said = await refusal({ring: {location: unpackRing('plain-100', directory)}, shards: pnodes(2)});
  assert.match(said, /"tcp:\/\/3\.moray\.example\.com:2020" has no shard/);
});

test('several mistakes at once', async () => {
  const said = await refusal({ring: {}, shards: [{pnode: 'a'}, {backend: 'embedded'}], wrokers: 1, listen: {host: 'localhost'}});
  for (const place of ['ring.location', 'shards[0]', 'shards[1]', 'wrokers', 'listen.host']) assert.ok(said.includes(place), place + ' in ' + said);
});

test('a port in use is named', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const {port} = server.address();
  for (const socket of ['listen', 'monitor', 'status']) {
    const said = await refusal({ring: {location: unpackRing('plain-100', directory)}, shards: pnodes(3), [socket]: {port}});
    assert.ok(said.includes(String(port)), said);
  }
  server.close();
});

test('--check says what a start would say, and serves nothing', () => {
  const file = path.join(directory, 'config.json');
  const check = (config) => {
    fs.writeFileSync(file, JSON.stringify(config));
    return spawnSync(binary, ['serve', '--check', '--config', file], {encoding: 'utf8', timeout: 20000});
  };
  const location = unpackRing('plain-100', directory);
  const good = check({ring: {location}, shards: pnodes(3)});
  assert.strictEqual(good.status, 0, good.stderr);
  assert.match(good.stdout, /3 shards, a ring of 100 vnodes/);
  const store = path.join(directory, 'rings');
  spawnSync(binary, ['ring', 'store', '-l', store, location]);
  assert.strictEqual(check({ring: {location: store}, shards: pnodes(3)}).status, 0);
  const bad = check({ring: {location}, shards: pnodes(1)});
  assert.strictEqual(bad.status, 1);
  assert.match(bad.stderr, /2\.moray.*has no shard[^]*3\.moray.*has no shard/);
});

test('electric-moray\'s configuration and flags are understood', async () => {
  const file = path.join(directory, 'electric-moray.json');
  fs.writeFileSync(file, JSON.stringify({port: 2020, bunyan: {level: 'info'}, ringCfg: {location: '/nowhere',
    indexShards: [1, 2, 3].map((i) => ({host: `${i}.moray.example.com`}))}}));
  const location = unpackRing('plain-100', directory);
  const checked = spawnSync(binary, ['serve', '--check', '-f', file, '-r', location, '-p', '2021', '-k', '3021', '-s', '4021', '-v'],
    {encoding: 'utf8', timeout: 20000});
  assert.strictEqual(checked.status, 0, checked.stderr);
});

test('bunyan\'s own tool reads the log', async () => {
  const router = await new DevProcess(path.join(directory, 'dev')).start();
  assert.strictEqual((await router.stop()).code, 0, router.errors);
  const log = router.lines.map((record) => JSON.stringify(record) + '\n').join('');
  const tool = path.join(path.dirname(require.resolve('bunyan/package.json')), 'bin', 'bunyan');
  const text = await new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [tool, '--strict', '--no-color'], (error, stdout) => error ? reject(error) : resolve(stdout));
    child.stdin.end(log);
  });
  assert.match(text, /INFO: moray-router\/\d+ on .*: listening \(.*port=\d+/);
  assert.match(text, /stopped/);
});
