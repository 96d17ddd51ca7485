'use strict';
// A steady load of writes and reads by real node-moray clients, for looking on while vnodes move. Each second a
// line: operations, the slowest of them, errors. Ends with Ctrl-C, and then says whether every key is what was
// acknowledged last.
//   node bench/reshard/writers.js [--port 2020] [--keys 2000] [--clients 8]
const path = require('path');
const modules = path.join(__dirname, '..', '..', 'tests', 'node', 'node_modules');
const bunyan = require(path.join(modules, 'bunyan'));
const moray = require(path.join(modules, 'moray'));

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const port = option('port', 2020), keys = option('keys', 2000), clients = option('clients', 8);
const BUCKET = 'walk_through';
const written = new Map();
let operations = 0, slowest = 0, errors = 0, stopped = false, version = 0;

const call = (client, method, ...args) =>
  new Promise((resolve, reject) => client[method](...args, (error, value) => error ? reject(error) : resolve(value)));
const connect = () => new Promise((resolve) => {
  const client = moray.createClient({log: bunyan.createLogger({name: 'writers', level: 'fatal'}), url: `tcp://127.0.0.1:${port}`, unwrapErrors: true});
  client.once('connect', () => resolve(client));
  client.on('error', () => {});  // a router that goes away: its operations tell
});

/** Each writer has keys of its own, so that the last acknowledged value is known. */
async function write(client, number) {
  for (let i = number; !stopped; i = (i + clients) % keys || number) {
    const key = `key-${i}`, value = {version: ++version, text: 'x'.repeat(300)};
    const begun = process.hrtime.bigint();
    try {
      await call(client, 'putObject', BUCKET, key, value);
      written.set(key, value.version);
      const {value: read} = await call(client, 'getObject', BUCKET, key, {noCache: true});
      if (read.version !== value.version) throw new Error(`${key} reads ${read.version}, ${value.version} was acknowledged`);
    } catch (error) {
      ++errors;
      console.log(`${error.name}: ${error.message}`);
    }
    slowest = Math.max(slowest, Number(process.hrtime.bigint() - begun) / 1e6);
    operations += 2;
  }
}

async function main() {
  const first = await connect();
  await call(first, 'putBucket', BUCKET, {index: {version: {type: 'number'}}});
  const tick = setInterval(() => {
    console.log(`${operations} operations/s, slowest put and get ${slowest.toFixed(1)} ms, ${errors} errors`);
    operations = slowest = 0;
  }, 1000);
  process.once('SIGINT', () => { stopped = true; });
  process.once('SIGTERM', () => { stopped = true; });
  const all = [];
  for (let i = 0; i < clients; ++i) all.push(write(await connect(), i));
  await Promise.all(all);
  clearInterval(tick);
  let wrong = 0;
  for (const [key, acknowledged] of written)
    if ((await call(first, 'getObject', BUCKET, key)).value.version !== acknowledged) ++wrong;
  console.log(`${written.size} keys read again: ${wrong} are not what was acknowledged last; ${errors} errors`);
  process.exit(wrong + errors === 0 ? 0 : 1);
}

main();
