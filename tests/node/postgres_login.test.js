'use strict';
// A database that wants a password and TLS: both are libpq's affair, and no password is seen anywhere.
const assert = require('node:assert');
const {after, before, test} = require('node:test');
const bunyan = require('bunyan');
const {execFileSync} = require('child_process');
const fs = require('fs');
const moray = require('moray');
const path = require('path');

const {PostgresCluster} = require('./postgres_cluster');
const {RouterProcess, temporaryDirectory} = require('./router_process');

const PNODE = 'tcp://1.moray.example.com:2020';
const PASSWORD = 'not-to-be-seen-81';
let cluster, directory, ring, certificate;

before(async () => {
  cluster = await new PostgresCluster().start();
  directory = temporaryDirectory();
  fs.chmodSync(directory, 0o755);
  ring = path.join(directory, 'ring');
  execFileSync(process.env.MORAY_ROUTER_BIN, ['ring', 'create', '-b', 'leveldb', '-l', ring, '-v', '16', '-p', PNODE], {stdio: 'ignore'});
  cluster.makeDatabase('moray');
  const postgres = cluster.url('postgres');
  cluster.query(postgres, `CREATE ROLE keeper LOGIN PASSWORD '${PASSWORD}'`);
  cluster.query(postgres, 'ALTER DATABASE moray OWNER TO keeper');
  cluster.query(cluster.url('moray'), 'GRANT ALL ON SCHEMA public TO keeper');
  certificate = path.join(directory, 'server.crt');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
    '-keyout', path.join(directory, 'server.key'), '-out', certificate], {stdio: 'ignore'});
  for (const name of ['server.key', 'server.crt']) {
    fs.copyFileSync(path.join(directory, name), path.join(cluster.data, name));
    if (process.getuid() === 0) execFileSync('chown', ['postgres', path.join(cluster.data, name)]);
    fs.chmodSync(path.join(cluster.data, name), 0o600);
  }
  fs.writeFileSync(path.join(cluster.data, 'pg_hba.conf'), 'hostssl moray keeper all scram-sha-256\nhost all moray 127.0.0.1/32 trust\n');
  cluster.query(postgres, 'ALTER SYSTEM SET ssl = on');
  cluster.asOwner('pg_ctl', '-D', cluster.data, '-w', 'restart', '-l', path.join(cluster.directory, 'log'));
});
after(() => {
  cluster.stop();
  fs.rmSync(directory, {recursive: true, force: true});
});

const url = (host, more = '') => `postgresql://keeper@${host}:${cluster.port}/moray?sslmode=verify-full&sslrootcert=${certificate}${more}`;

/** A router with that URL; what `use` makes of it, and everything that the router has written. */
async function serve(address, use) {
  const router = await new RouterProcess({ring: {location: ring}, workers: 1, shards: [{pnode: PNODE, backend: 'postgres', url: address}]}).start();
  const client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
  await new Promise((resolve) => client.once('connect', resolve));
  const call = (method, ...args) => new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
  try {
    await use(call, router);
    const seen = JSON.stringify(router.lines) + router.errors + (await router.page(router.statusPort, '/status')).text +
      (await router.page(router.monitorPort, '/metrics')).text;
    assert.ok(!seen.includes(PASSWORD), 'the password is in what the router says');
  } finally {
    client.close();
    await router.stop();
  }
}

test('a password from PGPASSFILE, and a certificate that is verified by the name in the URL', async () => {
  process.env.PGPASSFILE = path.join(directory, 'passwords');
  fs.writeFileSync(process.env.PGPASSFILE, `localhost:${cluster.port}:moray:keeper:${PASSWORD}\n`, {mode: 0o600});
  await serve(url('localhost'), async (call) => {
    for (const end = Date.now() + 60_000;;) {  // a machine with little time for us may not be connected in the first three seconds
      try {
        await call('putBucket', 'b', {index: {}});
        break;
      } catch (error) {
        if (error.name !== 'NoBackendsError' || Date.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    await call('putObject', 'b', 'k', {n: 1});
    assert.strictEqual((await call('getObject', 'b', 'k')).value.n, 1);
    assert.strictEqual(cluster.query(cluster.url('moray'), "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'keeper'"), 't');
  });
  delete process.env.PGPASSFILE;
});

test('a wrong password, or a certificate of another name, is named as the problem', async () => {
  const problem = async (router) => {
    for (let i = 0; i < 2400; ++i) {
      const {shards} = JSON.parse((await router.page(router.statusPort, '/status')).text);
      if (shards[0].lastProblem) return shards[0].lastProblem;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return assert.fail('no problem is told');
  };
  await serve(url('localhost', `&password=wrong-${PASSWORD.slice(0, 3)}`), async (call, router) => {
    await assert.rejects(call('getObject', 'b', 'k'));
    assert.match(await problem(router), /password authentication failed/);
  });
  await serve(url('127.0.0.1', `&password=${PASSWORD}`), async (call, router) => {
    await assert.rejects(call('getObject', 'b', 'k'));
    assert.match(await problem(router), /certificate|127\.0\.0\.1/);
  });
});
