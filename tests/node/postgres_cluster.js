'use strict';
// A throw-away PostgreSQL cluster on a free loopback port. As root it runs as the user `postgres`,
// since the server refuses root.
const {execFileSync} = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const {temporaryDirectory} = require('./router_process');

const installed = '/usr/lib/postgresql';

function programs() {
  const versions = fs.existsSync(installed) ? fs.readdirSync(installed).sort((a, b) => b - a) : [];
  const found = versions.map((version) => path.join(installed, version, 'bin')).find((bin) => fs.existsSync(path.join(bin, 'initdb')));
  if (!found) throw new Error('no PostgreSQL server is installed (package postgresql-15)');
  return found;
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}

class PostgresCluster {
  async start() {
    this.bin = programs();
    this.directory = temporaryDirectory();
    this.port = await freePort();
    if (process.getuid() === 0) execFileSync('chown', ['postgres', this.directory]);
    this.data = path.join(this.directory, 'data');
    this.asOwner('initdb', '-D', this.data, '-U', 'moray', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync');
    this.asOwner('pg_ctl', '-D', this.data, '-l', path.join(this.data, 'log'), '-w', '-t', '60', 'start', '-o',
      `-p ${this.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c full_page_writes=off`);
    return this;
  }

  asOwner(program, ...words) {
    const command = [path.join(this.bin, program), ...words];
    if (process.getuid() === 0) command.unshift('setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups');
    execFileSync(command[0], command.slice(1), {cwd: '/', stdio: ['ignore', 'ignore', 'pipe']});
  }

  /** A fresh database, and its URL. */
  makeDatabase(name) {
    execFileSync(path.join(this.bin, 'createdb'), ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'moray', '-T', 'template0', '-E', 'UTF8', '--locale=C', name]);
    return `postgresql://moray@127.0.0.1:${this.port}/${name}`;
  }

  /** What psql prints of a statement's rows: columns parted by `|`. */
  query(database, statement) {
    return execFileSync(path.join(this.bin, 'psql'), ['-X', '-A', '-t', '-q', '-d', database, '-c', statement], {encoding: 'utf8'}).trimEnd();
  }

  stop() {
    this.asOwner('pg_ctl', '-D', this.data, '-w', '-t', '60', '-m', 'fast', 'stop');
    fs.rmSync(this.directory, {recursive: true, force: true});
  }
}

module.exports = {PostgresCluster};
