'use strict';
// A real DNS server on a free loopback port, whose records can be changed.
const {spawn} = require('child_process');

const {freeUdpPort} = require('./free_port');

class Dnsmasq {
  /** `ttl`: of its own answers, in seconds. */
  static async start(records, {ttl = 1} = {}) {
    const server = new Dnsmasq();
    server.ttl = ttl;
    server.port = await freeUdpPort();
    await server.serve(records);
    return server;
  }

  /** `records`: dnsmasq options. Who asks while they change gets no answer. */
  async serve(records) {
    await this.stop();
    const options = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--log-facility=-', '--user=',
      '--bind-interfaces', '--listen-address=127.0.0.1', '--pid-file=', `--port=${this.port}`, `--local-ttl=${this.ttl}`, '--local=/test/', ...records];
    this.child = spawn('/usr/sbin/dnsmasq', options, {stdio: ['ignore', 'ignore', 'pipe']});
    let errors = '';
    await new Promise((resolve, reject) => {
      this.child.stderr.on('data', (data) => {
        errors += data;
        if (/started/.test(errors)) resolve();
      });
      this.child.on('error', reject);
      this.child.on('exit', () => reject(new Error(`dnsmasq: ${errors}`)));
    });
  }

  async stop() {
    if (!this.child) return;
    const ended = new Promise((resolve) => this.child.removeAllListeners('exit').on('exit', resolve));
    this.child.kill('SIGTERM');
    await ended;
    this.child = undefined;
  }
}

module.exports = {Dnsmasq};
