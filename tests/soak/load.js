'use strict';
// The open loop: requests are due at times drawn from a seed, answered or not, and each one's time counts from when it was
// due. In a thread of its own. Each answer is compared with an account of the keys, and what was acknowledged is read back in the end.
const path = require('path');
const {Worker, isMainThread, parentPort, workerData} = require('worker_threads');

const CONNECTIONS = 64, KEYS_EACH = 8, PATIENCE_MS = 40_000, TICK_MS = 1;
/** Of requests that are due, so many are sent before answers are read: who is late must not become one that does not read. */
const TICK_MOST = 200;

/** What the thread is asked from outside. */
class Load {
  /**
   * `directories`: [{directory, shard}]; `process`: {pid, directory} of the router. `second` is called each second with what it was
   * like: see Loop.second.
   */
  static async start({port, directories, process, seed}, second) {
    const load = new Load();
    Object.assign(load, {asked: new Map(), next: 1, second, thread: new Worker(__filename, {workerData: {port, directories, process, seed}})});
    await new Promise((resolve, reject) => load.thread.once('message', resolve).once('error', reject));
    load.thread.on('message', ({id, result, figures}) => {
      if (figures) load.second(figures);
      else {
        load.asked.get(id)(result);
        load.asked.delete(id);
      }
    });
    return load;
  }
  ask(command, argument) {
    const id = this.next++;
    this.thread.postMessage({id, command, argument});
    return new Promise((resolve) => this.asked.set(id, resolve));
  }
  /** Writes each key once. */
  fill() { return this.ask('fill'); }
  /** Requests a second from now on. */
  rate(perSecond) { return this.ask('rate', perSecond); }
  /** Resolves when nothing is under way, or has not been answered in 40 s. */
  idle() { return this.ask('idle'); }
  /** Reads back all that was acknowledged, and tells what was counted. */
  finish() { return this.ask('finish'); }
  async stop() { await this.thread.terminate(); }
}

/** One connection; requests under way by their message ids. In the thread. */
class Connection {
  constructor(port, cut) {
    Object.assign(this, {port, cut, pending: new Map(), msgid: 0});
    this.open();
  }
  open() {
    const {Decoder} = require(path.join(__dirname, '..', 'replay', 'fast_wire'));
    const socket = require('net').connect({host: '127.0.0.1', port: this.port, noDelay: true}), decoder = new Decoder();
    this.socket = socket;
    socket.once('connect', () => { this.from = socket.localPort; });
    socket.on('error', (error) => { this.problem = error.code; });
    this.heard = performance.now();
    socket.on('data', (chunk) => { this.heard = performance.now(); for (const frame of decoder.push(chunk)) this.take(frame); });
    socket.on('close', () => {
      const open = [...this.pending.values()];
      this.pending.clear();
      this.cut({port: this.from, at: Date.now(), problem: this.problem || 'the end of it', open: open.length, silentMs: Math.round(performance.now() - this.heard), unsent: socket.writableLength});
      this.open();
      for (const {waiter} of open) waiter.lost();
    });
  }
  /** `waiter`: its `answered` is called with rows and an error's {name, message}, or {}; or its `lost`, if the connection ends before. */
  send([method, args], waiter) {
    const {request} = require(path.join(__dirname, '..', 'attack', 'hostile'));
    this.msgid = this.msgid % 1e9 + 1;
    this.pending.set(this.msgid, {waiter, rows: []});
    this.socket.write(request(this.msgid, method, args));
  }
  take({status, msgid, json}) {
    const asked = this.pending.get(msgid), {d} = JSON.parse(json);
    if (!asked) throw new Error(`an answer to nothing: ${json}`);
    if (status === 'DATA') {
      asked.rows.push(...d);
      return;
    }
    this.pending.delete(msgid);
    asked.waiter.answered(asked.rows, status === 'ERROR' ? (d.ase_errors || [])[0] || d : {});
  }
}

/** What the router's process uses; here, since this thread is kept from nothing. null: it has ended. */
function lookAt({pid, directory}) {
  const {descriptorsOf, memoryOf} = require(path.join(__dirname, '..', 'attack', 'samples'));
  const memory = memoryOf(pid);
  return memory && {...memory, descriptors: descriptorsOf(pid, directory), threads: require('fs').readdirSync(`/proc/${pid}/task`).length};
}

/** In the thread. */
class Loop {
  constructor({port, directories, process, seed}) {
    const {Account} = require('./account'), {random} = require(path.join(__dirname, '..', 'node', 'reshard_ledger'));
    this.account = new Account(directories, KEYS_EACH, random(seed));
    Object.assign(this, {process, any: random(seed + 1), perSecond: 0, due: 0, turn: 0, underWay: new Set(), requests: 0, unanswered: 0, cuts: [], errors: {}, examples: [], times: [], late: [], longest: {}});
    this.connections = Array.from({length: CONNECTIONS}, () => new Connection(port, (cut) => this.cuts.push(cut)));
    setInterval(() => this.tick(), TICK_MS);
    setInterval(() => this.second(), 1000);
  }

  rate(perSecond) { Object.assign(this, {perSecond, due: performance.now()}); }
  tick() {
    if (this.perSecond === 0) return;
    const now = performance.now();
    for (let sent = 0; this.due <= now && sent < TICK_MOST; ++sent) {
      this.ask(this.account.next(), this.due, now);
      this.due -= Math.log((this.any(2 ** 32) + 1) / 2 ** 32) * 1000 / this.perSecond;
    }
  }
  ask(asked, due, now = due) {
    ++this.requests;
    this.late.push(now - due);
    this.underWay.add(Object.assign(asked, {due}));
    this.connections[this.turn++ % CONNECTIONS].send(this.account.call(asked), {
      answered: (rows, {name, message}) => {
        this.times.push(performance.now() - due);
        const {shard} = asked.slot;
        this.longest[shard] = Math.max(this.longest[shard] || 0, Math.round(performance.now() - due));
        if (this.underWay.delete(asked) && !this.account.take(asked, rows, name, message) && name) this.count(asked, name, message);
      },
      lost: () => this.giveUp(asked),
    });
  }
  count({kind, slot: {shard}}, error, message = '') {
    const name = `${shard}: ${error}`;
    this.errors[name] = (this.errors[name] || 0) + 1;
    if (this.errors[name] === 1) this.examples.push(`${kind} at ${name}: ${message.slice(0, 200)}`);
  }
  /** Its connection has ended, or it has waited for too long. */
  giveUp(asked) {
    if (!this.underWay.delete(asked)) return;
    ++this.unanswered;
    if (asked.kind === 'put') this.account.end(asked.slot, asked.n, 'unanswered');
    this.count(asked, 'unanswered');
  }
  /** Times are of what was answered in this second, in milliseconds from when it was due; `late`: the loop's own part of it. */
  second() {
    for (const asked of this.underWay) {
      if (performance.now() - asked.due < PATIENCE_MS) break;  // in order of time
      this.giveUp(asked);
    }
    const times = Float32Array.from(this.times), late = Float32Array.from(this.late).sort();
    parentPort.postMessage({figures: {at: performance.timeOrigin + performance.now(), process: lookAt(this.process), times, lateP99: late.length > 0 ? late[Math.floor(late.length * 0.99)] : 0,
      longestAt: this.longest, wrong: this.account.wrong, underWay: this.underWay.size, requests: this.requests, errors: {...this.errors}}}, [times.buffer]);
    Object.assign(this, {times: [], late: [], longest: {}});
  }

  async fill() {
    for (const slot of this.account.slots) this.ask(this.account.put(slot), performance.now());
    await this.idle();
  }
  async idle() {
    while (this.underWay.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  async finish() {
    await this.idle();
    const {account, requests, unanswered, cuts, errors} = this, written = account.written();
    let lost = 0, unread = 0;
    for (const slot of written) {
      const {rows, error} = await this.readBack(slot);
      if (error && error !== 'ObjectNotFoundError') ++unread;
      else if (error || !account.kept(slot, rows)) {
        ++lost;
        if (account.examples.length < 5) account.examples.push(`lost: ${JSON.stringify(slot)}: ${error || JSON.stringify(rows).slice(0, 200)}`);
      }
    }
    return {requests, unanswered, cuts, errors, lost, unread, ledger: written.length, wrong: account.wrong, examples: [...account.examples, ...this.examples]};
  }
  async readBack(slot) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const found = await new Promise((resolve) => {
        const timer = setTimeout(() => resolve({error: 'unanswered'}), PATIENCE_MS);
        const answered = (rows, {name}) => {
          clearTimeout(timer);
          resolve({rows, error: name});
        };
        this.connections[0].send(this.account.call({kind: 'get', slot}), {answered, lost: () => answered([], {name: 'unanswered'})});
      });
      if (!found.error || found.error === 'ObjectNotFoundError' || Date.now() > deadline) return found;
    }
  }
}

if (!isMainThread && workerData && workerData.directories) {
  const loop = new Loop(workerData);
  parentPort.on('message', async ({id, command, argument}) => parentPort.postMessage({id, result: await loop[command](argument)}));
  parentPort.postMessage('ready');
}

module.exports = {Load};
