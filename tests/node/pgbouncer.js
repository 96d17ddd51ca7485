'use strict';
// PgBouncer before a cluster, on a free port, as Debian ships it.
const {execFileSync, spawn} = require('child_process');
const fs = require('fs');
const path = require('path');

const {freePort} = require('./free_port');
const {temporaryDirectory} = require('./router_process');

/** `mode`: session or transaction; `ignored`: startup parameters. `end()` ends it. */
async function startBouncer(cluster, url, {mode, ignored = 'extra_float_digits'}) {
  const directory = temporaryDirectory(), port = await freePort();
  fs.writeFileSync(path.join(directory, 'users'), '"moray" ""\n');
  fs.writeFileSync(path.join(directory, 'ini'), `[databases]\n* = host=127.0.0.1 port=${cluster.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\n` +
    `auth_type = trust\nauth_file = ${directory}/users\npool_mode = ${mode}\nignore_startup_parameters = ${ignored}\n`);
  execFileSync('chown', ['-R', 'postgres', directory]);
  const child = spawn('setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', '/usr/sbin/pgbouncer', '-q', path.join(directory, 'ini')], {stdio: 'ignore'});
  const through = url.replace(`:${cluster.port}/`, `:${port}/`);
  for (;;) {
    try {
      if (cluster.query(through, 'SELECT 1') === '1') break;
    } catch { /* it does not listen yet */ }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {url: through, end: () => new Promise((resolve) => { child.on('close', resolve); child.kill('SIGINT'); })};
}

module.exports = {startBouncer};
