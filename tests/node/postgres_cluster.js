'use strict';
// A throw-away PostgreSQL cluster on a free loopback port. As root it runs as the user `postgres`,
// since the server refuses root.
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {freePort} = require('./free_port');
const {temporaryDirectory} = require('./router_process');

const installed = '/usr/lib/postgresql';

function programs() {
  const versions = fs.existsSync(installed) ? fs.readdirSync(installed).sort((a, b) => b - a) : [];
  const found = versions.map((version) => path.join(installed, version, 'bin')).find((bin) => fs.existsSync(path.join(bin, 'initdb')));
  if (!found) throw new Error('no PostgreSQL server is installed (package postgresql-15)');
  return found;
}

/** To a server's process, which may have ended since it was listed. */
function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

const settings = "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c full_page_writes=off";

class PostgresCluster {
  static async several(count) {
    const clusters = [];
    for (let i = 0; i < count; ++i) clusters.push(await new PostgresCluster().start());
    return clusters;
  }

  /** `fsync`: what is committed is on disk, as in production; slow. */
  async start({fsync = false} = {}) {
    this.durable = fsync;
    await this.reserve();
    this.asOwner('initdb', '-D', this.data, '-U', 'moray', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync');
    return this.launch();
  }

  async reserve() {
    this.bin = programs();
    this.directory = temporaryDirectory();
    this.port = await freePort();
    if (process.getuid() === 0) execFileSync('chown', ['postgres', this.directory]);
    this.data = path.join(this.directory, 'data');
  }

  launch() {
    this.asOwner('pg_ctl', '-D', this.data, '-l', path.join(this.directory, 'log'), '-w', '-t', '60', 'start', '-o', `-p ${this.port} ${this.durable ? settings.replaceAll('=off', '=on') : settings}`);
    this.down = false;
    return this;
  }

  /** Becomes a synchronous standby of `primary`, made of nothing, on the port that it had before if any. */
  async follow(primary) {
    if (!this.port) await this.reserve();
    fs.rmSync(this.data, {recursive: true, force: true});
    this.asOwner('pg_basebackup', '-D', this.data, '-h', '127.0.0.1', '-p', String(primary.port), '-U', 'moray', '-R', '-c', 'fast', '-X', 'stream', '--no-sync');
    this.launch();
    const url = primary.url('postgres');
    primary.query(url, "ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.query(url, 'SELECT pg_reload_conf()');
    while (primary.query(url, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") !== '1') {}
    return this;
  }

  /** A standby becomes the primary; nobody follows it yet. */
  promote() {
    this.asOwner('pg_ctl', '-D', this.data, '-w', '-t', '60', 'promote');
    this.query(this.url('postgres'), 'ALTER SYSTEM RESET synchronous_standby_names');
    this.query(this.url('postgres'), 'SELECT pg_reload_conf()');
  }

  /** As kill -9 of all of its processes. */
  kill() {
    this.down = true;
    this.asOwner('pg_ctl', '-D', this.data, '-w', '-t', '60', '-m', 'immediate', 'stop');
  }

  /** As a crash of the server's machine that comes back at once. */
  restart() {
    this.kill();
    return this.launch();
  }

  /** As a machine that hangs: connections stay, and nothing answers. */
  freeze() {
    this.frozen = this.processes();
    for (const pid of this.frozen) signal(pid, 'SIGSTOP');
  }
  thaw() {
    for (const pid of this.frozen || []) signal(pid, 'SIGCONT');
    this.frozen = null;
  }
  /** It serves again, after anything that a test has done to it. */
  revive() {
    if (this.frozen) this.thaw();
    if (this.down) this.launch();
  }

  url(database) {
    return `postgresql://moray@127.0.0.1:${this.port}/${database}`;
  }

  asOwner(program, ...words) {
    const command = [path.join(this.bin, program), ...words];
    if (process.getuid() === 0) command.unshift('setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups');
    execFileSync(command[0], command.slice(1), {cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: {...process.env, ...this.environment}});
  }

  /** The server's processes. */
  processes() {
    const first = fs.readFileSync(path.join(this.data, 'postmaster.pid'), 'utf8').split('\n')[0];
    const parent = (pid) => { try { return /\) \S+ (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))[1]; } catch { return ''; } };
    return [first, ...fs.readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && parent(pid) === first)].map(Number);
  }

  /** A fresh database, or a copy of one that nobody is connected to; its URL. */
  makeDatabase(name, template = 'template0') {
    execFileSync(path.join(this.bin, 'createdb'), ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'moray', '-T', template, '-S', 'file_copy', '-E', 'UTF8', '--locale=C', name]);
    return this.url(name);
  }
  dropDatabase(name) {
    execFileSync(path.join(this.bin, 'dropdb'), ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'moray', '-f', name]);
  }

  /** Rows of one database, as COPY writes them, into another. */
  copy(from, out, to, into) {
    const psql = (database, statement, options) => execFileSync(path.join(this.bin, 'psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', database, '-c', statement], {maxBuffer: 1 << 28, ...options});
    psql(to, into, {input: psql(from, out)});
  }

  /** What psql prints of a statement's rows: columns parted by `|`. */
  query(database, statement) {
    return execFileSync(path.join(this.bin, 'psql'), ['-X', '-A', '-t', '-q', '-d', database, '-c', statement], {encoding: 'utf8', maxBuffer: 1 << 28}).trimEnd();
  }

  stop() {
    this.asOwner('pg_ctl', '-D', this.data, '-w', '-t', '60', '-m', 'fast', 'stop');
    fs.rmSync(this.directory, {recursive: true, force: true});
  }
}

module.exports = {PostgresCluster};
