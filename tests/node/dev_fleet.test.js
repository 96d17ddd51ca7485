'use strict';
// `moray-router dev --routers`: a fleet, its databases and its ZooKeeper in one command, as a newcomer meets it.
const assert = require('node:assert');
const {after, test} = require('node:test');
const bunyan = require('bunyan');
const {execFileSync, spawn, spawnSync} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {temporaryDirectory} = require('./router_process');

const BIN = process.env.MORAY_ROUTER_BIN;
const directory = path.join(temporaryDirectory(), 'dev');
fs.chmodSync(path.dirname(directory), 0o755);  // PostgreSQL's user passes
let child = null, ended;

function start(...more) {
  child = spawn(BIN, ['dev', '--dir', directory, '--port', '0', '--no-sync', ...more], {stdio: ['ignore', 'ignore', 'pipe']});
  ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({code, signal})));
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (data) => {
      text += data;
      const ready = /a fleet of (\d+) routers is ready on 127\.0\.0\.1, ports((?: \d+)+)/.exec(text);
      if (ready && text.includes('Ctrl-C')) resolve({text, ports: ready[2].trim().split(' ').map(Number)});
    });
    child.on('close', () => reject(new Error(text)));
  });
}
async function stop(signal = 'SIGTERM') {
  child.kill(signal);
  return ended;
}
const fleet = (...words) => execFileSync(BIN, ['fleet', '-f', path.join(directory, 'config.json'), ...words], {encoding: 'utf8'});

async function client(port) {
  const made = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${port}`, unwrapErrors: true});
  await new Promise((resolve) => made.once('connect', resolve));
  const call = (method, ...args) => new Promise((resolve, reject) => made[method](...args, (error, value) => error ? reject(error) : resolve(value)));
  return {call, close: () => made.close()};
}

after(async () => {
  if (child && child.exitCode === null) await stop('SIGTERM');
  fs.rmSync(path.dirname(directory), {recursive: true, force: true});
});

test('three routers, one ring, one command', async () => {
  const {text, ports} = await start('--routers', '3');
  assert.strictEqual(new Set(ports).size, 3, text);
  const members = JSON.parse(fleet('--json', 'status')).members;
  assert.deepStrictEqual(members.map(({id, state}) => [id, state]), ['router-1', 'router-2', 'router-3'].map((id) => [id, 'serves']));
  const one = await client(ports[0]), three = await client(ports[2]);
  await one.call('createBucket', 'people', {index: {name: {type: 'string'}}});
  await one.call('putObject', 'people', 'ada', {name: 'Ada'});
  assert.deepStrictEqual((await three.call('getObject', 'people', 'ada', {noCache: true})).value, {name: 'Ada'});
  fleet('set-data', '--vnodes', '0-1023', 'ro');
  await assert.rejects(three.call('putObject', 'people', 'ada', {name: 'A'}), /read-only/i);
  fleet('rollback');
  await three.call('putObject', 'people', 'ada', {name: 'Ada L.'});
  // As README has it, but for the times.
  const [from, to] = [1, 2].map((i) => `tcp://${i}.moray.dev:2020`);
  execFileSync(BIN, ['reshard', 'plan', '--run', '--soak', '0', '--cache', '0', '--settle', '100', '--max-block', '4000', '--state', path.join(directory, 'plans'),
    '--config', path.join(directory, 'config.json'), '--from', from, '--to', to, '--vnodes', '0,2,4'], {stdio: 'ignore'});
  assert.strictEqual(JSON.parse(fleet('--json', 'status')).ring.generation, 5);  // its rehearsal has taken a number, too
  one.close();
  three.close();
  assert.deepStrictEqual(await stop(), {code: 0, signal: null});
});

test('a second start goes on where the first has ended; a killed one leaves nothing in its way', async () => {
  await start('--routers', '3');
  assert.strictEqual(JSON.parse(fleet('--json', 'status')).ring.generation, 5);
  const second = spawnSync(BIN, ['dev', '--dir', directory, '--port', '0', '--routers', '3'], {encoding: 'utf8'});
  assert.notStrictEqual(second.status, 0);
  assert.match(second.stderr, /another `moray-router dev` serves in/);
  await stop('SIGKILL');
  const {ports} = await start('--routers', '3');
  const one = await client(ports[0]);
  assert.deepStrictEqual((await one.call('getObject', 'people', 'ada', {noCache: true})).value, {name: 'Ada L.'});
  one.close();
  assert.deepStrictEqual(await stop(), {code: 0, signal: null});
});

test('another number of routers, or none, is refused for this directory', () => {
  const alone = spawnSync(BIN, ['dev', '--dir', directory, '--port', '0', '--postgres', '2'], {encoding: 'utf8'});
  assert.match(alone.stderr, /is a fleet's: give --routers/);
  const fewer = spawnSync(BIN, ['dev', '--dir', directory, '--port', '0', '--routers', '2', '--no-sync'], {encoding: 'utf8'});
  assert.notStrictEqual(fewer.status, 0);
  assert.match(fewer.stderr, /has a member "router-3", too/);
});
