'use strict';
// `moray-router dev`, as a newcomer meets it: node-moray's own command-line tools.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const {execFile, execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {DevProcess, temporaryDirectory} = require('./router_process');

const directory = temporaryDirectory();
const tools = path.join(path.dirname(require.resolve('moray/package.json')), 'bin');
let router;

/** Runs a tool; resolves with what it printed and how it ended. */
function tool(name, ...args) {
  const all = [path.join(tools, name), '-h', '127.0.0.1', '-p', String(router.port), ...args];
  return new Promise((resolve) => execFile(process.execPath, all, (error, stdout, stderr) =>
    resolve({code: error ? error.code : 0, stdout, stderr})));
}

async function succeeds(name, ...args) {
  const {code, stdout, stderr} = await tool(name, ...args);
  assert.strictEqual(code, 0, `${name}: ${stderr}`);
  return stdout;
}

before(async () => { router = await new DevProcess(directory).start(); });
after(async () => {
  const {code} = await router.stop();
  fs.rmSync(directory, {recursive: true, force: true});
  assert.strictEqual(code, 0);
});

test('the hint names what is served and what to type', async () => {
  while (!router.errors.includes('Ctrl-C')) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const text of [`port ${router.port}`, '1024 vnodes', 'putbucket', 'getobject'])
    assert.ok(router.errors.includes(text), text);
});

test('a directory that is too deep for a socket is served without one', async () => {
  const deep = path.join(temporaryDirectory(), 'd'.repeat(90), 'e'.repeat(30));
  const other = await new DevProcess(deep).start();
  assert.strictEqual((await other.stop()).code, 0, other.errors);
  fs.rmSync(path.dirname(path.dirname(deep)), {recursive: true, force: true});
});

test('each of the tools of a bucket\'s life', async () => {
  await succeeds('putbucket', '-i', 'name:string', '-u', 'email:string', 'people');
  const bucket = JSON.parse(await succeeds('getbucket', 'people'));
  assert.deepStrictEqual(bucket.index, {name: {type: 'string', unique: false}, email: {type: 'string', unique: true}});
  assert.deepStrictEqual(JSON.parse(await succeeds('listbuckets')).map(({name}) => name), ['people']);

  await succeeds('putobject', '-d', '{"name":"Ada","n":[1,"é"]}', 'people', 'ada');
  const object = JSON.parse(await succeeds('getobject', 'people', 'ada'));
  assert.deepStrictEqual(object.value, {name: 'Ada', n: [1, 'é']});
  assert.match(object._etag, /^[0-9A-F]{8}$/);

  await succeeds('putbucket', '-i', 'name:string', '-i', 'age:number', '-x', '1', 'people');
  await succeeds('reindexobjects', 'people');
  await succeeds('delobject', 'people', 'ada');
  const gone = await tool('getobject', 'people', 'ada');
  assert.strictEqual(gone.code, 1);
  assert.match(gone.stderr, /people::ada does not exist/);
  await succeeds('delbucket', 'people');
  assert.match((await tool('getbucket', 'people')).stderr, /people does not exist/);
});

test('tokens, ping, version', async () => {
  assert.deepStrictEqual(JSON.parse(await succeeds('gettokens')).tokens,
    ['tcp://1.moray.dev:2020', 'tcp://2.moray.dev:2020']);
  await succeeds('morayping');
  assert.strictEqual((await succeeds('morayversion')).trim(), '2');
});

test('embedded shards have no SQL and say so; a find needs to know its shard', async () => {
  assert.match((await tool('sql', 'SELECT 1')).stderr, /Operation not supported/);
  assert.match((await tool('findobjects', 'people', '(name=Ada)')).stderr, /requires either token or hashkey/);
});

test('what was written is there after a restart', async () => {
  await succeeds('putbucket', '-i', 'name:string', 'kept');
  for (const key of ['a', 'b', 'c', 'd']) await succeeds('putobject', '-d', `{"name":"${key}"}`, 'kept', key);
  await router.stop();
  router = await new DevProcess(directory).start();
  for (const key of ['a', 'b', 'c', 'd'])
    assert.strictEqual(JSON.parse(await succeeds('getobject', 'kept', key)).value.name, key);
});

test('a second one in the same directory, or on the same port, is told what is in its way', async () => {
  await assert.rejects(new DevProcess(directory).start(), /shard-1: is open already/);
  const other = temporaryDirectory();
  await assert.rejects(new DevProcess(other, router.port).start(), new RegExp(`${router.port}.*in use`));
  fs.rmSync(other, {recursive: true, force: true});
});

test('over PostgreSQL databases of its own, which are there again the next time', async () => {
  const own = temporaryDirectory();
  fs.chmodSync(own, 0o755);
  const usual = router;
  router = await new DevProcess(own, 0, ['--postgres', '--no-sync']).start();
  try {
    await succeeds('putbucket', '-i', 'name:string', 'people');
    for (let i = 0; i < 20; ++i) await succeeds('putobject', '-d', '{"name":"Ada"}', 'people', `ada${i}`);
    assert.match(router.errors, /2 PostgreSQL databases/);
    const urls = [...router.errors.matchAll(/is psql (\S+)/g)].map(([, url]) => url);
    assert.strictEqual(urls.length, 2);
    const counts = urls.map((url) => Number(execFileSync('psql', ['-X', '-A', '-t', '-d', url, '-c', 'SELECT count(*) FROM people'], {encoding: 'utf8'})));
    assert.strictEqual(counts[0] + counts[1], 20);
    assert.ok(counts[0] > 0 && counts[1] > 0);
    router.child.kill('SIGKILL');  // its databases go on without it
    await router.exited;
    router = await new DevProcess(own, 0, ['--postgres', '2', '--no-sync']).start();
    assert.strictEqual(JSON.parse(await succeeds('getobject', 'people', 'ada7')).value.name, 'Ada');
    assert.strictEqual((await router.stop()).code, 0, router.errors);
    await assert.rejects(new DevProcess(own, 0, ['--postgres', '3']).start(), /has 2 shards, not 3: give another --dir/);
    await assert.rejects(new DevProcess(own, 0, ['--postgres', '0']).start(), /--postgres/);
    for (const number of [1, 2]) assert.ok(!fs.existsSync(path.join(own, `postgres-${number}`, 'postmaster.pid')), 'a server was left running');
  } finally {
    router.child.kill('SIGKILL');
    router = usual;
    fs.rmSync(own, {recursive: true, force: true});
  }
});
