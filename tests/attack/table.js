'use strict';
// The table of docs/reliability.md that a run writes; rows of attacks that did not run stay as they are.
const {execFileSync} = require('child_process');
const fs = require('fs');
const path = require('path');

const {MB, listed} = require('./judge');

const BEGIN = '<!-- attacks: begin -->', END = '<!-- attacks: end -->';
const HEAD = ['attack', 'commit', 'day', 'seconds', 'acts', 'polite requests', 'wrong, lost, unanswered', 'errors at attacked shards', 'MB before, most, after', 'descriptors before, most, after',
  'others\' p50, p99, most ms before', 'during', 'after', 'recovered, ms', 'outcome'];

const megabytes = ({own}) => Math.round(own / MB);
const latency = ({p50, p99, most}) => p50 === null ? '–' : `${p50}, ${p99}, ${most}`;

/** What a report says in the table's columns from `acts` on. */
function cells({acts, requests, wrong, lost, unanswered, attackedErrors, memory, descriptors, latency: times, recoveredMs, notes}, faults) {
  const noted = Object.keys(notes).length > 0 ? ` (${listed(Object.fromEntries(Object.entries(notes).filter(([, n]) => n > 0)))})` : '';
  return [acts, requests, `${wrong}, ${lost}, ${unanswered}`, listed(attackedErrors) || '–', [memory.before, memory.most, memory.after].map(megabytes).join(', '),
    [descriptors.before, descriptors.most, descriptors.after].join(', '), latency(times.before), latency(times.during), latency(times.after),
    recoveredMs === null ? 'never' : recoveredMs, `${faults.length === 0 ? 'stood' : `FAILED: ${faults.join('; ')}`}${noted.replace(' ()', '')}`];
}

/** `reports`: [{attack, report, faults, seconds}]; `command`: as it can be run again. */
function record(file, command, reports) {
  const text = fs.readFileSync(file, 'utf8'), begin = text.indexOf(BEGIN), end = text.indexOf(END);
  if (begin < 0 || end < 0) throw new Error(`${file} has no place for it: ${BEGIN} and ${END} are missing`);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {cwd: __dirname, encoding: 'utf8'}).trim();
  const day = new Date().toLocaleDateString('en-GB', {day: 'numeric', month: 'long', year: 'numeric'});
  const rows = new Map(text.slice(begin, end).split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| attack ')).map((line) => [line.split('|')[1].trim(), line]));
  for (const {attack, report, faults, seconds} of reports)
    rows.set(attack.name, `| ${[attack.name, commit, day, seconds, ...cells(report, faults).map((cell) => String(cell).replaceAll('|', '·'))].join(' | ')} |`);
  const {ATTACKS} = require('./catalogue');
  const table = [`Command: \`${command}\``, '', `| ${HEAD.join(' | ')} |`, `|${'---|'.repeat(HEAD.length)}`, ...ATTACKS.map(({name}) => rows.get(name)).filter(Boolean)];
  fs.writeFileSync(file, `${text.slice(0, begin + BEGIN.length)}\n${table.join('\n')}\n${text.slice(end)}`);
}

module.exports = {HEAD, cells, record};
