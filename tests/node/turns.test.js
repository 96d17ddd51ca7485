'use strict';
// A shard to which more is sent than it can do: a client that asks for one thing after the other hardly waits for those that ask for
// hundreds at once; what has waited too long is refused, by name, and never reaches the shard.
const assert = require('node:assert');
const {after, before, describe, test} = require('node:test');
const bunyan = require('bunyan');
const moray = require('moray');
const fs = require('fs');

const {FakeMoray} = require('./fake_moray');
const {RouterProcess, temporaryDirectory, unpackRing} = require('./router_process');
const {Session} = require('../replay/session');
const {DATA, encode} = require('../replay/fast_wire');

const AT_ONCE = 2, TAKES_MS = 10, GREEDY = 8, EACH = 120, ROUNDS = 40;

/** Serves so many requests at a time, in the order in which they come. */
class BusyMoray extends FakeMoray {
  constructor(name) {
    super(name);
    Object.assign(this, {line: [], serving: 0, answered: 0});
  }

  handle(method, rpc) {
    this.seen.push({method, args: rpc.argv()});
    this.line.push(() => this[method](rpc, ...rpc.argv()));
    this.serve();
  }

  serve() {
    for (; this.serving < AT_ONCE && this.line.length > 0; ++this.serving) {
      const answer = this.line.shift();
      setTimeout(() => {
        --this.serving;
        ++this.answered;
        answer();
        this.serve();
      }, TAKES_MS);
    }
  }
}

/** Keeps so many puts under way, all to keys of its own, until it is told to stop. */
class Greedy {
  static async make(port, number, each = EACH) {
    const greedy = new Greedy();
    Object.assign(greedy, {number, session: await Session.connect(port), next: 0, done: 0, going: true, open: new Map(), refused: []});
    greedy.session.socket.on('data', () => greedy.take());
    for (let i = 0; i < each; ++i) greedy.ask();
    return greedy;
  }

  ask() {
    const msgid = ++this.next, key = `/greedy/stor/${this.number}-${msgid}`;
    this.open.set(msgid, key);
    this.session.send(encode({version: 2, status: DATA, msgid, json: JSON.stringify({m: {uts: 1, name: 'putObject'}, d: ['b', key, {n: 1}, {}]})}));
  }

  take() {
    for (const frame of this.session.frames.splice(0)) {
      if (frame.status === 'DATA') continue;
      ++this.done;
      if (frame.status === 'ERROR') this.refused.push({key: this.open.get(frame.msgid), error: JSON.parse(frame.json).d});
      this.open.delete(frame.msgid);
      if (this.going) this.ask();
    }
  }

  /** Resolves when each of its requests is answered. */
  finish() {
    this.going = false;
    return new Promise((resolve) => {
      const look = () => this.open.size === 0 ? resolve() : this.session.closed ? resolve() : setTimeout(look, 5);
      look();
    });
  }
}

async function metric(router, name) {
  const {text} = await router.page(router.monitorPort, '/metrics');
  return Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)`, 'm').exec(text)[1]);
}

async function until(condition, what) {
  for (let i = 0; i < 6000; ++i) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(what);
}

for (const turnMs of [40, 0]) describe(`timeouts.turnMs ${turnMs}`, () => {
  let directory, shards, router, client;
  const call = (method, ...args) => new Promise((resolve, reject) => {
    client[method](...args, (error, result) => error ? reject(error) : resolve(result));
  });
  const answered = () => shards.reduce((sum, shard) => sum + shard.answered, 0);

  before(async () => {
    directory = temporaryDirectory();
    const location = unpackRing('plain-100', directory);
    shards = await Promise.all(['1', '2', '3'].map((name) => new BusyMoray(name).listen()));
    router = await new RouterProcess({workers: 1, ring: {location}, timeouts: {turnMs},
      shards: shards.map(({port, name}) => ({pnode: `tcp://${name}.moray.example.com:2020`, address: `127.0.0.1:${port}`}))}).start();
    client = moray.createClient({log: bunyan.createLogger({name: 'client', level: 'fatal'}), url: `tcp://127.0.0.1:${router.port}`, unwrapErrors: true});
    await new Promise((resolve) => client.once('connect', resolve));
  });

  after(async () => {
    client.close();
    for (const shard of shards) shard.close();
    const {code} = await router.stop();
    fs.rmSync(directory, {recursive: true, force: true});
    assert.strictEqual(code, 0, router.errors);
  });

  test('a polite client beside greedy ones', async () => {
    const greedy = [];
    for (let i = 0; i < GREEDY; ++i) greedy.push(await Greedy.make(router.port, i));
    await until(async () => await metric(router, 'router_waiting_turns') > 0, 'nothing waits for its turn');
    // What was sent before the line began is answered first.
    await until(() => shards.every(({line}) => line.length < 40), 'the shards have as long lines as ever');
    const between = [];
    let politeRefused = 0;
    for (let i = 0; i < ROUNDS; ++i) {
      const since = answered();
      try {
        await call('putObject', 'b', `/polite/stor/${i}`, {n: i});
      } catch (error) {  // where the machine stands still for so long
        assert.strictEqual(error.name, 'OverloadedError');
        ++politeRefused;
      }
      between.push(answered() - since);
    }
    between.sort((a, b) => a - b);
    // At three shards together; without turns it is what the greedy ones have under way, nearly a thousand.
    assert.ok(between[ROUNDS / 2] < 150, `beside it ${between} were answered`);
    await until(() => turnMs === 0 || greedy.some(({refused}) => refused.length > 0), 'nothing is refused');
    await Promise.all(greedy.map((each) => each.finish()));
    const refused = greedy.flatMap((each) => each.refused), sent = new Set(shards.flatMap(({seen}) => seen.map(({args}) => args[1])));
    for (const {key, error} of refused) {
      assert.strictEqual(error.name, 'OverloadedError');
      assert.match(error.message, /its shard has more to do than it can: the request has waited \d+ ms for its turn \(timeouts.turnMs\)/);
      assert.ok(!sent.has(key), `${key} was refused, and sent`);
    }
    if (turnMs === 0) assert.strictEqual(refused.length, 0);
    assert.strictEqual(await metric(router, 'router_turns_late_total'), refused.length + politeRefused);
    for (const {number, next, refused: mine} of greedy) {
      let stored = 0;
      for (const {objects} of shards) for (const name of objects.keys()) if (name.startsWith(`b//greedy/stor/${number}-`)) ++stored;
      assert.strictEqual(stored, next - mine.length);  // every other one was done
    }
    assert.strictEqual(await metric(router, 'router_waiting_turns'), 0);
    for (const {session} of greedy) session.close();
  });

  test('one client alone, with more at once than is done in half a second', async () => {
    const late = await metric(router, 'router_turns_late_total'), before = answered();
    const alone = await Greedy.make(router.port, 200, 900);
    await until(async () => await metric(router, 'router_waiting_turns') > 0, 'nothing waits for its turn');
    await alone.finish();
    assert.deepStrictEqual(alone.refused, []);
    assert.strictEqual(answered() - before, 900);
    assert.strictEqual(await metric(router, 'router_turns_late_total'), late);
    alone.session.close();
  });

  // They have places at a shard instead of a window, and the last free place is for a client that has none.
  for (const method of ['findObjects', 'deleteMany']) test(`${method}: hundreds of one client, and one after the other of another's`, async () => {
    const hundreds = 300, session = await Session.connect(router.port), filter = (i) => `(_key=/greedy/stor/${i})`;
    const find = (msgid, path, each) => encode({version: 2, status: DATA, msgid,
      json: JSON.stringify({m: {uts: 1, name: method}, d: ['b', each, {hashkey: path, noLimit: true, no_count: true}]})});
    for (const {objects} of shards) objects.clear();  // each find would answer all of them
    const before = answered();
    session.send(Buffer.concat(Array.from({length: hundreds}, (_, i) => find(i + 1, '/greedy/stor', filter(i)))));
    await until(async () => await metric(router, 'router_waiting_turns') > 0, 'nothing waits for a place');
    const between = [];
    for (let i = 0; i < 10; ++i) {
      const since = answered();
      await new Promise((resolve, reject) => {
        const options = {hashkey: '/greedy/stor', noLimit: true, no_count: true};
        if (method === 'deleteMany') return client.deleteMany('b', `(_key=/polite/${i})`, options, (error) => error ? reject(error) : resolve());
        client.findObjects('b', `(_key=/polite/${i})`, options).on('error', reject).on('end', resolve).on('record', () => {});
      });
      between.push(answered() - since);
    }
    assert.ok(answered() - before < hundreds, 'the hundreds have ended before the others');
    assert.ok(Math.max(...between) < 20, `beside one ${between} were answered`);
    const ended = () => session.frames.filter(({status}) => status === 'END').length;
    await until(() => ended() === hundreds, 'not all are answered');
    assert.deepStrictEqual(session.frames.filter(({status}) => status === 'ERROR'), []);
    assert.strictEqual(await metric(router, 'router_waiting_turns'), 0);
    session.close();
  });

  test('one that leaves while it stands in line', async () => {
    const first = await Greedy.make(router.port, 100);
    await until(async () => await metric(router, 'router_waiting_turns') > 0, 'nothing waits for its turn');
    const leaver = await Session.connect(router.port);
    const key = (i) => `/leaver/stor/${i}`;
    const asks = Array.from({length: 200}, (_, i) =>
      encode({version: 2, status: DATA, msgid: i + 1, json: JSON.stringify({m: {uts: 1, name: 'putObject'}, d: ['b', key(i), {}, {}]})}));
    const waited = await metric(router, 'router_waiting_turns');
    leaver.send(Buffer.concat(asks));
    await until(async () => await metric(router, 'router_waiting_turns') > waited + 20, 'nothing of it waits');
    leaver.close();
    await first.finish();
    await until(async () => await metric(router, 'router_waiting_turns') === 0, 'something waits for ever');
    const seen = shards.flatMap((shard) => shard.seen).filter(({args}) => String(args[1]).startsWith('/leaver/')).length;
    assert.ok(seen < 200, `${seen} of 200 were sent`);
    await call('ping', {}).catch((error) => assert.fail(error));  // it serves on
    first.session.close();
  });
});
