'use strict';
// Polite clients beside an attack: node-moray's own, in a thread of their own, each in a loop of put, get and find at one shard. They
// keep a ledger: each answer is compared with it, and what was acknowledged is read back in the end.
const path = require('path');
const {Worker, isMainThread, parentPort, workerData} = require('worker_threads');

const BUCKET = 'manta', KEYS = 8, PATIENCE_MS = 40_000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the thread is asked from outside. */
class Polite {
  /** `lanes`: [{name, directory, attacked, valueBytes, timeoutMs, pauseMs: between rounds, bucket, prefix: of keys}]; the keys of a directory are at one shard. */
  static async start(port, lanes) {
    const polite = new Polite();
    Object.assign(polite, {lanes, asked: new Map(), next: 1, rounds: new Int32Array(new SharedArrayBuffer(4 * lanes.length))});
    polite.thread = new Worker(__filename, {workerData: {port, lanes, rounds: polite.rounds}});
    await new Promise((resolve, reject) => polite.thread.once('message', resolve).once('error', reject));
    polite.thread.on('message', ({id, result}) => {
      polite.asked.get(id)(result);
      polite.asked.delete(id);
    });
    return polite;
  }
  ask(command, argument) {
    const id = this.next++;
    this.thread.postMessage({id, command, argument});
    return new Promise((resolve) => this.asked.set(id, resolve));
  }
  /** before, during or after. */
  phase(name) { return this.ask('phase', name); }
  /** ms until each of them had had a put, a get and a find answered rightly, since the phase `after` began; null: it took too long. */
  recovered() { return this.ask('recovered'); }
  /** Ends the loops, reads back all that was acknowledged, and tells what was counted. */
  finish() { return this.ask('finish'); }
  async stop() { await this.thread.terminate(); }

  /** Of each lane, or of those that are not attacked. */
  roundsNow() { return this.lanes.map((_, i) => Atomics.load(this.rounds, i)); }
}

/** One client and its keys. In the thread. */
class Lane {
  constructor(options, index, tally, rounds) {
    Object.assign(this, options, {index, tally, rounds, version: (index + 1) * 1e7, keys: 0, retired: [], slots: [], clean: null});
    for (let i = 0; i < KEYS; ++i) this.slots.push(this.fresh());
  }
  fresh() { return {key: `${this.prefix || ''}${this.directory}/f${this.keys++}`, acked: null, maybe: null}; }

  async connect(port) {
    const moray = require(path.join(__dirname, '..', 'node', 'node_modules', 'moray'));
    const bunyan = require(path.join(__dirname, '..', 'node', 'node_modules', 'bunyan'));
    this.client = moray.createClient({log: bunyan.createLogger({name: 'polite', level: 'fatal'}), url: `tcp://127.0.0.1:${port}`, unwrapErrors: true, cueballOptions: {target: 1, maximum: 2}});
    await new Promise((resolve) => this.client.once('connect', resolve));
    this.loop = this.run();
  }
  options(more) { return {...this.timeoutMs ? {timeout: this.timeoutMs} : {}, ...more}; }
  call(method, ...args) {
    return new Promise((resolve, reject) => this.client[method](this.bucket || BUCKET, ...args, (error, value) => error ? reject(error) : resolve(value)));
  }
  find(filter) {
    return new Promise((resolve, reject) => {
      const found = [], stream = this.client.findObjects(this.bucket || BUCKET, filter, this.options({hashkey: this.directory}));
      stream.on('record', (record) => found.push(record)).once('end', () => resolve(found)).once('error', reject);
    });
  }

  async run() {
    const {tally} = this;
    while (!tally.stopping) {
      const begun = performance.now();
      const right = await this.round(this.slots[this.version % KEYS]);
      Atomics.add(this.rounds, this.index, 1);
      if (right && tally.afterSince !== null && begun >= tally.afterSince && this.clean === null) this.clean = performance.now() - tally.afterSince;
      await pause(right ? this.pauseMs || 2 : 20);
    }
  }
  async round(slot) {
    const n = ++this.version;
    const put = await this.tally.ask(this, 'put', () => this.call('putObject', slot.key, {n, text: 'x'.repeat(this.valueBytes || 100)}, this.options()));
    if (put.error) {
      // It may have been done, or may be yet: that key is read in the end, and written no more.
      if (slot.acked !== null) this.retired.push({...slot, maybe: n});
      this.slots[this.slots.indexOf(slot)] = this.fresh();
      return false;
    }
    slot.acked = n;
    const got = await this.tally.ask(this, 'get', () => this.call('getObject', slot.key, this.options()));
    if (!got.error) this.tally.check(got.answer.key === slot.key && got.answer.value.n === n, this, 'get', slot.key, got.answer, n);
    else if (got.error.name === 'ObjectNotFoundError') this.tally.check(false, this, 'get', slot.key, got.error, n);
    const found = await this.tally.ask(this, 'find', () => this.find(`(n=${n})`));
    if (!found.error) this.tally.check(found.answer.length === 1 && found.answer[0].key === slot.key, this, 'find', slot.key, found.answer, n);
    return !got.error && !found.error;
  }

  /** How many of the acknowledged writes are not there, where that can be read. */
  async readBack() {
    const deadline = Date.now() + PATIENCE_MS;
    let lost = 0;
    for (const {key, acked, maybe} of [...this.retired, ...this.slots]) {
      if (acked === null) continue;
      for (;;) {
        const {answer, error} = await this.tally.ask(this, 'get', () => this.call('getObject', key, this.options()));
        if (error && error.name !== 'ObjectNotFoundError') {
          if (Date.now() > deadline) return lost;  // the errors are counted
          await pause(50);
          continue;
        }
        if (error || (answer.value.n !== acked && answer.value.n !== maybe)) ++lost;
        break;
      }
    }
    return lost;
  }
}

/** What all of them count. In the thread. */
class Tally {
  constructor() {
    Object.assign(this, {phase: 'before', afterSince: null, stopping: false, requests: 0, wrong: 0, examples: [], unanswered: 0, errors: {}, attackedErrors: {}});
    this.times = {before: [], during: [], after: []};
  }
  /** {answer} or {error}. Times are those of lanes that are not attacked themselves. */
  async ask(lane, kind, work) {
    const begun = performance.now(), phase = this.phase;
    let patience;
    ++this.requests;
    try {
      const never = new Promise((_, reject) => { patience = setTimeout(() => reject(Object.assign(new Error(), {name: 'unanswered'})), PATIENCE_MS); });
      return {answer: await Promise.race([work(), never])};
    } catch (error) {
      const name = ((error.ase_errors || [])[0] || error).name;
      if (name === 'unanswered') ++this.unanswered;
      const counts = lane.attacked ? this.attackedErrors : this.errors;
      counts[name] = (counts[name] || 0) + 1;
      if (this.examples.length < 5 && !lane.attacked) this.examples.push(`${lane.name} ${kind}: ${name}: ${String(error.message).slice(0, 200)}`);
      return {error};
    } finally {
      clearTimeout(patience);
      if (!lane.attacked) this.times[phase].push(performance.now() - begun);
    }
  }
  check(right, lane, ...words) {
    if (right) return;
    ++this.wrong;
    if (this.examples.length < 5) this.examples.push(`wrong: ${lane.name} ${words.map((word) => word instanceof Error ? `${word.name}: ${word.message}` : JSON.stringify(word).slice(0, 200)).join(' ')}`);
  }
  told() {
    const {requests, wrong, examples, unanswered, errors, attackedErrors} = this;
    const of = (times, share) => times.length === 0 ? null : Math.round(10 * times.sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))]) / 10;
    const latency = Object.fromEntries(Object.entries(this.times).map(([phase, times]) => [phase, {p50: of(times, 0.5), p99: of(times, 0.99), most: of(times, 1)}]));
    return {requests, wrong, examples, unanswered, errors, attackedErrors, latency};
  }
}

async function main({port, lanes: wanted, rounds}) {
  const tally = new Tally(), lanes = wanted.map((options, i) => new Lane(options, i, tally, rounds));
  for (const lane of lanes) await lane.connect(port);
  const commands = {
    phase(name) {
      tally.phase = name;
      if (name === 'after') tally.afterSince = performance.now();
    },
    async recovered() {
      const deadline = Date.now() + PATIENCE_MS;
      while (lanes.some(({clean}) => clean === null)) {
        if (Date.now() > deadline) return null;
        await pause(10);
      }
      return Math.round(Math.max(...lanes.map(({clean}) => clean)));
    },
    async finish() {
      tally.stopping = true;
      await Promise.all(lanes.map(({loop}) => loop));
      const lost = (await Promise.all(lanes.map((lane) => lane.readBack()))).reduce((sum, n) => sum + n, 0);
      for (const {client} of lanes) client.close();
      return {...tally.told(), lost, ledger: lanes.reduce((sum, {retired, slots}) => sum + retired.length + slots.length, 0)};
    },
  };
  parentPort.on('message', async ({id, command, argument}) => parentPort.postMessage({id, result: await commands[command](argument)}));
  parentPort.postMessage('ready');
}

if (!isMainThread && workerData && workerData.lanes) main(workerData);

module.exports = {BUCKET, Polite};
