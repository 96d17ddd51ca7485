'use strict';
// Starts a moray-router on free ports and stops it by its process id.
const {spawn, execFileSync} = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const binary = process.env.MORAY_ROUTER_BIN;
const root = path.join(__dirname, '..', '..');

function temporaryDirectory() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'moray-router-node-'));
}

function unpackRing(name, directory) {
  const archive = path.join(root, 'tests', 'data', 'ring', 'rings', name + '.leveldb.tar.gz');
  execFileSync('tar', ['-xf', archive, '-C', directory]);
  return path.join(directory, name);
}

/** A running moray-router, started with `args`. */
class Process {
  constructor(args) {
    this.args = args;
    this.lines = [];
    this.errors = '';
    this.environment = {};  // more variables
    this.program = binary;
  }

  /** Resolves when it listens; rejects with what it wrote where it ends before. */
  start() {
    this.child = spawn(this.program, this.args, {stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, ...this.environment}});
    this.exited = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({code, signal})));
    this.child.stderr.on('data', (data) => { this.errors += data; });
    return new Promise((resolve, reject) => {
      let rest = '';
      this.child.stdout.on('data', (data) => {
        const lines = (rest + data).split('\n');
        rest = lines.pop();
        for (const line of lines) {
          const record = JSON.parse(line);
          this.lines.push(record);
          if (record.msg !== 'listening') continue;
          Object.assign(this, {port: record.port, monitorPort: record.monitorPort, statusPort: record.statusPort});
          resolve(this);
        }
      });
      this.child.on('close', () => reject(new Error(this.errors)));
    });
  }

  async page(port, target) {
    const response = await fetch(`http://127.0.0.1:${port}${target}`);
    return {status: response.status, text: await response.text()};
  }

  async stop() {
    this.child.kill('SIGTERM');
    return this.exited;
  }
}

/** `moray-router serve` on free ports. */
class RouterProcess extends Process {
  constructor(config) {
    const directory = temporaryDirectory();
    const file = path.join(directory, 'config.json');
    super(['serve', '--config', file]);
    Object.assign(this, {directory, file});
    this.write(config);
  }

  write(config) {
    const ports = {listen: {port: 0}, monitor: {port: 0}, status: {port: 0}, workers: 2,
      admin: {socket: path.join(this.directory, 'admin.sock')}};
    fs.writeFileSync(this.file, JSON.stringify({...ports, ...config}));
  }

  async stop() {
    const result = await super.stop();
    fs.rmSync(this.directory, {recursive: true, force: true});
    return result;
  }
}

/** `moray-router dev` on free ports; `directory` stays. */
class DevProcess extends Process {
  constructor(directory, port = 0, more = []) {
    super(['dev', '--dir', directory, '--port', String(port), ...more]);
  }
}

module.exports = {DevProcess, RouterProcess, temporaryDirectory, unpackRing};
