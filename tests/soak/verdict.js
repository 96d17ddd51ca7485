'use strict';
// What must hold of a soak: counts always, and of one that is long enough that it ends as it began.
const {MB, judge} = require('../attack/judge');
const {MEMORY_BYTES} = require('../attack/stage');
const {percentile} = require('./series');

/** Parts of a soak by which it is judged: each a minute of an hour. */
const PARTS = 60, LONG_SECONDS = 600;
/** Of fewer parts than these nothing is told. */
const ENOUGH = 10;
const BOUNDS = {own: 20, descriptors: 10};

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length === 0 ? 0 : sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

/** Seconds in which no hostile client is there, and none has left for two seconds. */
function quiet({events, guests}, {at}) {
  return !events.some(({kind, from, until = Infinity}) => guests[kind] && at - 1 < until + 2 && at > from);
}

/** [{at, own (MB), descriptors, p50, p99}], of each part of the seconds that `counts` takes: medians, and percentiles of all requests. */
function partsOf({points, latencies}, seconds, counts = () => true) {
  const within = Array.from({length: PARTS}, () => []);
  points.forEach((point, i) => { if (counts(point)) within[Math.min(PARTS - 1, Math.floor(point.at * PARTS / seconds))].push({...point, times: latencies[i]}); });
  return within.map((some, i) => {
    const times = Float32Array.from(some.flatMap((point) => [...point.times])).sort();
    return {at: (i + 0.5) * seconds / PARTS, count: some.length, own: median(some.map(({own}) => own / MB)), descriptors: median(some.map(({descriptors}) => descriptors)),
      p50: percentile(times, 0.5), p99: percentile(times, 0.99)};
  }).filter(({count}) => count > 0);
}

/** The line through values over seconds: {slope, interval} for an hour; 95 % if parts were independent of each other. */
function fit(parts, name) {
  const n = parts.length, mean = (of) => parts.reduce((sum, part) => sum + of(part), 0) / n;
  const x = mean(({at}) => at), y = mean((part) => part[name]);
  const sxx = parts.reduce((sum, {at}) => sum + (at - x) ** 2, 0), sxy = parts.reduce((sum, part) => sum + (part.at - x) * (part[name] - y), 0);
  const slope = sxy / sxx, rest = parts.reduce((sum, part) => sum + (part[name] - y - slope * (part.at - x)) ** 2, 0);
  const round = (value) => Math.round(value * 3600 * 10) / 10;
  return {slope: round(slope), interval: round(2.02 * Math.sqrt(rest / Math.max(1, n - 2) / sxx))};
}

/** {own, descriptors, p99}: {second, last (quarter's medians), slope, interval, flat, bound: in words}. */
function levels(parts, seconds) {
  const from = (share, to) => parts.filter(({at}) => at >= share * seconds && at < to * seconds);
  const second = from(0.25, 0.5), last = from(0.75, 1), late = from(1 / 3, 1), most = Math.max(0, ...second.map(({p99}) => p99));
  const level = (name, bound, holds) => {
    const values = {second: median(second.map((part) => part[name])), last: median(last.map((part) => part[name]))};
    return {...values, ...fit(late, name), bound, flat: holds(values.last - values.second, values.last)};
  };
  return {
    own: level('own', `at most ${BOUNDS.own} MB more`, (grown) => grown <= BOUNDS.own),
    descriptors: level('descriptors', `within ${BOUNDS.descriptors}`, (grown) => Math.abs(grown) <= BOUNDS.descriptors),
    p99: level('p99', `at most the highest of a part in the second quarter, ${most} ms`, (_, value) => value <= most),
  };
}
/** The same of all seconds, and of those without hostile clients, which show less of what happens to be going on. */
function flatness(report, seconds) {
  const which = {'all seconds': partsOf(report, seconds), 'seconds without hostile clients': partsOf(report, seconds, (point) => quiet(report, point))};
  return Object.fromEntries(Object.entries(which).filter(([, parts]) => parts.length >= ENOUGH).map(([name, parts]) => [name, levels(parts, seconds)]));
}

/** Names of errors by which a router tells of what is done here to it and to its shards. */
const EXPLAINED = new Set(['ReadOnlyError', 'OverloadedError', 'NoBackendsError', 'FastProtocolError', 'TimeoutError', 'QueryTimeoutError', 'VError', 'Error']);

/**
 * What may be kept in the end: a store that was written to all the time has two memtables of 16 MiB, a sixteenth of the budget for blocks, and as much
 * for blocks of large rows (docs/embedded.md); the rest of the process has 20 MiB.
 */
const STAYS_BYTES = 2 * (16 << 20) + 2 * MEMORY_BYTES / 16 + (20 << 20);

/** {faults: what does not hold, in words; flat: see flatness}. Times, and memory that stays, are judged of long soaks only. */
function verdict(report, {seconds, sanitized}) {
  const faults = judge({}, report, {long: false, budget: true, sanitized, stays: seconds >= LONG_SECONDS ? STAYS_BYTES : 0}), flat = flatness(report, seconds);
  const names = [...Object.keys(report.load.errors).map((name) => name.split(': ')[1]), ...Object.keys(report.ledger.attackedErrors)];
  const {outOfStep} = report.points[report.points.length - 1] || {};
  if (outOfStep > 0) faults.push(`${outOfStep} connections to a shard ended, since answers on them were not those that were due`);
  for (const name of new Set(names)) if (!EXPLAINED.has(name) && name !== 'unanswered') faults.push(`${name}, which nothing here explains`);
  if (seconds < LONG_SECONDS) return {faults, flat};
  for (const [which, found] of Object.entries(flat))
    for (const [name, {flat: holds, second, last, bound}] of Object.entries(found)) if (!holds) faults.push(`${name} is not flat over ${which}: ${one(second)} in the second quarter, ${one(last)} in the last (${bound})`);
  return {faults, flat};
}
const one = (value) => Math.round(10 * value) / 10;

module.exports = {EXPLAINED, LONG_SECONDS, PARTS, STAYS_BYTES, partsOf, verdict};
