'use strict';
// A client that does not read a find of 100,000 records (20,000 where everything is slow): bounded memory,
// and nobody else notices.
const assert = require('node:assert');
const {after, before, describe, test} = require('node:test');
const bunyan = require('bunyan');
const fs = require('fs');
const moray = require('moray');

const {DevProcess, temporaryDirectory} = require('./router_process');
const {Session} = require('../replay/session');

const RECORDS = process.env.MORAY_ROUTER_SANITIZED ? 20000 : 100000;
const BATCH = 1000;
let directory, router, client;

function call(method, ...args) {
  return new Promise((resolve, reject) => {
    client[method](...args, (error, result) => error ? reject(error) : resolve(result));
  });
}

/** Resident memory of the router, in bytes. */
function resident() {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${router.child.pid}/status`, 'utf8'))[1]);
}

for (const [kind, more] of [['embedded', []], ['PostgreSQL', ['--postgres', '2']]]) describe(kind + ' shards', () => {
  before(async () => {
    directory = temporaryDirectory();
    fs.chmodSync(directory, 0o755);
    router = await new DevProcess(directory, 0, ['--no-sync', ...more]).start();
    client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
    await new Promise((resolve) => client.once('connect', resolve));
    await call('createBucket', 'testmanta', {index: {n: {type: 'number'}}});
    for (let i = 0; i < RECORDS; i += BATCH) {
      const requests = Array.from({length: BATCH}, (_, j) =>
        ({bucket: 'testmanta', key: `/u/stor/d/${i + j}`, value: {n: i + j, text: 'x'.repeat(300)}}));
      await call('batch', requests);
    }
  });

  after(async () => {
    client.close();
    const {code} = await router.stop();
    fs.rmSync(directory, {recursive: true, force: true});
    assert.strictEqual(code, 0, router.errors);
  });

  test('a slow reader', async () => {
    const slow = await Session.connect(router.port);
    slow.socket.pause();
    const before_find = resident();
    const json = JSON.stringify({m: {uts: 1, name: 'findObjects'},
      d: ['testmanta', '(n>=0)', {hashkey: '/u/stor/d', noLimit: true, no_count: true}]});
    const found = slow.exchange({msgid: 1, json}, 120000);
    let most = 0;
    for (let i = 0; i < 100; ++i) {  // others are served as ever
      await call('putObject', 'testmanta', `/u/stor/d${i}/x`, {n: -1});
      await call('getObject', 'testmanta', `/u/stor/d${i}/x`);
      most = Math.max(most, resident());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.strictEqual(slow.frames.length, 0);
    // 45 MB of records; a sanitizer keeps freed memory for a while, so that only a plain build is measured.
    if (process.env.MORAY_ROUTER_SANITIZED) console.log('memory is not measured in a sanitized build');
    else assert.ok(most - before_find < 16 << 20, `grew by ${most - before_find} bytes`);

    slow.socket.resume();
    const {outcome, frames} = await found;
    assert.strictEqual(outcome, 'end');
    const keys = new Set(frames.flatMap(({json: text}) => JSON.parse(text).d.map(({key}) => key)));
    assert.strictEqual(keys.size, RECORDS);
    slow.close();
  });

  test('one that leaves in the middle frees what it held', async () => {
    const gone = await Session.connect(router.port);
    const json = JSON.stringify({m: {uts: 1, name: 'findObjects'}, d: ['testmanta', '(n>=0)', {hashkey: '/u/stor/d', noLimit: true}]});
    gone.exchange({msgid: 1, json}, 60000).catch(() => {});
    await gone.until(() => gone.frames.length > 10, 20000);
    const from = gone.socket.localPort;
    gone.close();
    for (let i = 0; i < 500; ++i) {
      const status = JSON.parse((await router.page(router.statusPort, '/status')).text);
      const told = router.lines.find(({msg, peer}) => msg === 'client lost' && peer.endsWith(`:${from}`));
      if (told && status.shards.every(({inFlight}) => inFlight === 0)) return assert.strictEqual(told.requests, 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail('its find is still under way, or the log does not tell that the client is gone');
  });
});
