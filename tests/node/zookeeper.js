'use strict';
// A throw-away ZooKeeper on free loopback ports: one node, or three that vote. Needs Debian's libzookeeper-java and a Java runtime.
const {spawn} = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const {freePort} = require('./free_port');
const {temporaryDirectory} = require('./router_process');

const JARS = '/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar';
const STARTS_WITHIN_MS = 120_000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a server answers to a four-letter word; empty where it does not. */
function ask(port, word) {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(word));
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('data', (data) => { text += data; });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

class Node {
  constructor(directory, port, lines) {
    Object.assign(this, {directory, port});
    fs.mkdirSync(path.join(directory, 'data'), {recursive: true});
    fs.writeFileSync(path.join(directory, 'zoo.cfg'), lines.join('\n') + '\n');
  }
  launch() {
    const log = fs.openSync(path.join(this.directory, 'log'), 'w');
    this.child = spawn('java', ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx128m', '-Dzookeeper.preAllocSize=1024', '-cp', JARS,
      'org.apache.zookeeper.server.quorum.QuorumPeerMain', path.join(this.directory, 'zoo.cfg')], {stdio: ['ignore', log, log]});
    fs.closeSync(log);
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
    this.child.on('close', () => { this.child = null; });
  }
  /** It serves, and not somebody else's server that has taken its port. */
  async ready() {
    for (const begun = Date.now(); !await this.serves(); await pause(50))
      if (!this.child || Date.now() - begun > STARTS_WITHIN_MS) throw new Error(`ZooKeeper does not start: ${fs.readFileSync(path.join(this.directory, 'log'), 'utf8')}`);
  }
  async serves() {
    if (!/^Mode: /m.test(await ask(this.port, 'srvr'))) return false;
    return (await ask(this.port, 'conf')).includes(`dataDir=${this.directory}/`);
  }
  async kill() {
    if (!this.child) return;
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

class ZooKeeper {
  /** `count`: 1 or 3. On other ports where somebody has taken one of them meanwhile. */
  async start(count = 1, tries = 3) {
    await this.prepare(count);
    try {
      return await this.launch();
    } catch (error) {
      await this.stop();
      if (tries === 1 || !error.message.includes('BindException')) throw error;
      return this.start(count, tries - 1);
    }
  }
  async prepare(count) {
    this.directory = temporaryDirectory();
    this.nodes = [];
    const ports = [];
    for (let i = 0; i < 3 * count; ++i) ports.push(await freePort());
    const servers = count === 1 ? [] : Array.from({length: count}, (_, i) => `server.${i + 1}=127.0.0.1:${ports[count + 2 * i]}:${ports[count + 2 * i + 1]}`);
    for (let i = 0; i < count; ++i) {
      const directory = path.join(this.directory, String(i + 1)), data = path.join(directory, 'data');
      this.nodes.push(new Node(directory, ports[i], ['tickTime=200', 'initLimit=20', 'syncLimit=10', 'minSessionTimeout=400', 'maxSessionTimeout=60000',
        `dataDir=${data}`, `clientPort=${ports[i]}`, 'clientPortAddress=127.0.0.1', 'admin.enableServer=false', 'maxClientCnxns=0', '4lw.commands.whitelist=*', ...servers]));
      fs.writeFileSync(path.join(data, 'myid'), `${i + 1}\n`);
    }
  }
  get addresses() {
    return this.nodes.map((node) => `127.0.0.1:${node.port}`);
  }
  async launch() {
    for (const node of this.nodes) if (!node.child) node.launch();
    await Promise.all(this.nodes.map((node) => node.ready()));
    return this;
  }
  /** The node that leads, once one does; its own word is asked, as an operator would. */
  async leader() {
    for (const begun = Date.now(); Date.now() - begun < STARTS_WITHIN_MS; await pause(20))
      for (const node of this.nodes)
        if (node.child && /^Mode: leader/m.test(await ask(node.port, 'srvr'))) return node;
    throw new Error('no node of ZooKeeper leads');
  }
  /** What an operator types into ZooKeeper's own shell; `user`: name:password. Resolves with all that it prints. */
  shell(user, ...lines) {
    return new Promise((resolve) => {
      const child = spawn('java', ['-XX:TieredStopAtLevel=1', '-cp', JARS, 'org.apache.zookeeper.ZooKeeperMain', '-server', this.addresses[0]], {stdio: ['pipe', 'pipe', 'pipe']});
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { text += data; });
      child.on('close', () => resolve(text));
      child.stdin.end([`addauth digest ${user}`, ...lines, 'quit', ''].join('\n'));
    });
  }
  /** As kill -9 of all of them: what they have acknowledged is on disk. */
  async kill() {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }
  async stop() {
    await this.kill();
    fs.rmSync(this.directory, {recursive: true, force: true});
  }
}

module.exports = {ZooKeeper};
