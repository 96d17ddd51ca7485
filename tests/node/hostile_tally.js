'use strict';
// What a run of honest and hostile clients counts, and what an error says about the request that it answers.
const {isDeepStrictEqual} = require('util');

/** By these the request may have been done or not; the client has to read back. */
const UNKNOWN = new Set(['FastProtocolError', 'FastTransportError']);
/** Faults that hostile clients cause on purpose, by which a request was not done: name, text. */
const NOT_DONE = [
  ['VError', /^Postgres client failed: terminating connection/],
  ['NoBackendsError', /./],
  ['Error', /^no active connections$/],  // the same, to finds and sql
  ['OverloadedError', /./],
  ['error', /canceling statement due to user request|deadlock detected/],
];

/** 'answered': the router's verdict on the request itself. A request to several shards may be done at some of them. */
function fateOf({name, message, ase_errors: parts}) {
  if (name === 'MultiError') return parts.some((part) => fateOf(part) === 'answered') ? 'answered' : 'unknown';
  if (UNKNOWN.has(name)) return 'unknown';
  return NOT_DONE.some(([error, text]) => error === name && text.test(message)) ? 'not done' : 'answered';
}

const add = (counts, name, by = 1) => { counts[name] = (counts[name] || 0) + by; };
const brief = (value) => { const text = JSON.stringify(value) || String(value); return text.length > 400 ? `${text.slice(0, 400)}…` : text; };

class Tally {
  constructor() {
    Object.assign(this, {honest: {}, hostile: {}, honestErrors: {}, hostileErrors: {}, slowest: {}, readBack: {}, wrong: []});
  }

  /** An honest request; `work` asks it. {answer} or {error, fate}. */
  async ask(kind, work) {
    add(this.honest, kind);
    const begun = performance.now();
    try {
      return {answer: await work()};
    } catch (error) {
      const fate = fateOf(error);
      add(this.honestErrors, fate === 'answered' ? error.name : `${error.name}, ${fate}`);
      return {error, fate};
    } finally {
      this.slowest[kind] = Math.max(this.slowest[kind] || 0, Math.round(performance.now() - begun));
    }
  }
  /** Asks until a verdict comes; for what changes nothing. */
  async askUntilAnswered(kind, work) {
    for (;; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const {answer, error, fate} = await this.ask(kind, work);
      if (!error || fate === 'answered') return {answer, error};
    }
  }

  /** A wrong answer, if `right` is not true. */
  check(right, ...words) {
    if (!right) this.wrong.push(words.map((word) => (typeof word === 'string' ? word : word instanceof Error ? `${word.name}: ${brief(word.message)}` : brief(word))).join(' '));
    return right;
  }
  same(found, expected, ...words) {
    return this.check(isDeepStrictEqual(found, expected), ...words, 'found', found, 'expected', expected);
  }

  hostileAct(kind) { add(this.hostile, kind); }
  /** Of several shards, the first one's. */
  hostileError(error) { add(this.hostileErrors, ((error.ase_errors || [])[0] || error).name); }
}

module.exports = {Tally, add};
