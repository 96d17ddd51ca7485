'use strict';
// The table of docs/reliability.md that a soak writes.
const {execFileSync} = require('child_process');
const fs = require('fs');

const {MB, listed} = require('../attack/judge');
const {KINDS} = require('./soak');
const {LONG_SECONDS, partsOf} = require('./verdict');

const BEGIN = '<!-- soak: begin -->', END = '<!-- soak: end -->';
const one = (value) => Math.round(10 * value) / 10;
/** Nothing where the sources are no git repository. */
const git = (...words) => {
  try {
    return execFileSync('git', words, {cwd: __dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']}).trim();
  } catch {
    return '';
  }
};
const counted = (names) => {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] || 0) + 1;
  return counts;
};
/** Rows of what is to be flat; medians of quarters, and a line through the second and third third. */
function levelRows(flat, judged) {
  const rows = [], names = {own: ['memory of its own', ' MB'], descriptors: ['descriptors', ''], p99: ['p99', ' ms']};
  for (const [which, levels] of Object.entries(flat))
    for (const [name, {second, last, slope, interval, flat: holds, bound}] of Object.entries(levels)) {
      const [words, unit] = names[name];
      rows.push([`${words}, ${which}: second quarter, last quarter; slope`, `${one(second)}, ${one(last)}${unit}; ${slope} ± ${interval}${unit} an hour: ${holds ? 'flat' : 'not flat'} (${bound})${judged ? '' : '; not judged of a soak this short'}`]);
    }
  return rows;
}

/** [[what, how much]]. */
function rowsOf({command, seconds, seed, short, report, faults, flat}) {
  const {load, ledger, memory, descriptors, carries, rate, points, guests, events} = report, parts = partsOf(report, seconds), judged = seconds >= LONG_SECONDS;
  const megabytes = (of) => Math.round(of / MB), range = (of) => `${Math.min(...parts.map(of))} to ${Math.max(...parts.map(of))}`;
  const hostile = new Set(Object.keys(guests)), last = points[points.length - 1] || {completed: 0, threads: 0, outOfStep: 0};
  const notes = {};
  for (const guest of Object.values(guests)) for (const [name, n] of Object.entries(guest.notes)) if (n > 0) notes[name] = (notes[name] || 0) + n;
  return [
    ['command', `\`${command}\``],
    ['commit, day', `${git('rev-parse', '--short', 'HEAD')}, ${new Date().toLocaleDateString('en-GB', {day: 'numeric', month: 'long', year: 'numeric'})}`],
    ['seconds, seed', `${seconds}, ${seed}`],
    ['set', `2 workers, shards: ${KINDS.join(', ')}; limits.memoryBytes 256 MiB`],
    ['offered, a second', carries === null ? `${rate}` : `${rate}: 70 % of ${carries}, which the set carries with its clients and databases on the same machine`],
    ['requests of the open loop; of the ledger\'s clients; that the router has completed', `${load.requests}; ${ledger.requests}; ${last.completed}`],
    ['wrong, lost, unanswered', `${report.wrong}, ${report.lost}, ${report.unanswered}`],
    ['keys that were read back', `${load.ledger + ledger.ledger}`],
    ['acts of operators, shards and databases', listed(counted(events.filter(({kind}) => !hostile.has(kind)).map(({kind}) => kind)))],
    ['hostile clients: times, acts', Object.entries(guests).map(([name, {times, acts}]) => `${name} ${times}, ${acts}`).join('; ')],
    ['what those met', listed(notes) || '–'],
    ['commands that a worker had not acknowledged after a second', report.notAcknowledged],
    ['connections to a shard that ended, since answers on them were not those that were due', last.outOfStep],
    ['errors of the open loop', listed(load.errors) || 'none'],
    ['errors of the ledger\'s clients', listed(ledger.attackedErrors) || 'none'],
    ['memory of its own, MB: fresh, at rest after the search for the rate, most, after all left', `${[memory.before, memory.rest, memory.most, memory.after].map(({own}) => megabytes(own)).join(', ')} (waited for: ${one(memory.settledMs / 1000)} s)`],
    ['RSS likewise', [memory.before, memory.rest, memory.most, memory.after].map(({resident}) => megabytes(resident)).join(', ')],
    ['most that router_memory_held_bytes told', `${megabytes(Math.max(0, ...points.map(({held}) => held)))} MB`],
    ['descriptors: at rest, most, after', `${descriptors.before}, ${descriptors.most}, ${descriptors.after}`],
    ['threads', [...new Set(points.map(({threads}) => threads))].sort((a, b) => a - b).join(', ')],
    [`p50, p99 of each ${short ? 'part' : `${one(seconds / 60)} s`}; longest`, `${range(({p50}) => p50)} ms, ${range(({p99}) => p99)} ms; ${Math.max(0, ...points.map(({longest}) => longest))} ms`],
    ['the open loop itself was late by (p99 of a second, median and most)', `${one([...points.map(({lateP99}) => lateP99)].sort((a, b) => a - b)[points.length >> 1] || 0)} ms, ${Math.max(0, ...points.map(({lateP99}) => lateP99))} ms`],
    ...levelRows(flat, judged),
    ['outcome', faults.length === 0 ? 'stood' : `FAILED: ${faults.join('; ')}`],
  ];
}

function record(file, run) {
  const text = fs.readFileSync(file, 'utf8'), begin = text.indexOf(BEGIN), end = text.indexOf(END);
  if (begin < 0 || end < 0) throw new Error(`${file} has no place for it: ${BEGIN} and ${END} are missing`);
  const rows = rowsOf(run).map((cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '·')).join(' | ')} |`);
  fs.writeFileSync(file, `${text.slice(0, begin + BEGIN.length)}\n| | |\n|---|---|\n${rows.join('\n')}\n\n![Memory, descriptors and times](soak.svg)\n${text.slice(end)}`);
}

module.exports = {record, rowsOf};
