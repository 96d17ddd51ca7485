'use strict';
// What must hold of each attack's report. Counts and bounds; times are told of and not judged.
const {MEMORY_BYTES, STAYS_BYTES} = require('./stage');

const MB = 1 << 20;
const listed = (counts) => Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(', ');

/** What does not hold, in words; none: it has stood. `budget`: as of the stage. `stays`: bytes that may be kept; 0: not judged. */
function judge(attack, report, {budget, sanitized, stays = STAYS_BYTES}) {
  const faults = [...report.faults], {memory, descriptors} = report;
  const grew = (sample) => Math.round((sample.own - memory.before.own) / MB);
  if (report.stopped === 'memory') faults.push(`stopped at ${Math.round(memory.most.resident / MB)} MB`);
  if (!report.alive) faults.push('the process has not lived');
  if (report.end !== 0) faults.push(`it ended with ${report.end}`);
  if (report.wrong > 0) faults.push(`${report.wrong} wrong answers`);
  if (report.lost > 0) faults.push(`${report.lost} acknowledged writes lost`);
  if (report.unanswered > 0) faults.push(`${report.unanswered} polite requests without an answer`);
  if (Object.keys(report.errors).length > 0) faults.push(`polite clients of other shards: ${listed(report.errors)}`);
  if (report.starved.length > 0) faults.push(`only ${report.starved.join(', ')}`);
  if (report.recoveredMs === null) faults.push('polite clients were not all served again');
  if (descriptors.after > descriptors.before + 5) faults.push(`${descriptors.after - descriptors.before} descriptors more than before`);
  if (budget && !sanitized && grew(memory.most) * MB > 1.2 * MEMORY_BYTES) faults.push(`${grew(memory.most)} MB more than before, of a budget of ${MEMORY_BYTES / MB}`);
  if (stays > 0 && !sanitized && grew(memory.after) * MB > stays) faults.push(`${grew(memory.after)} MB stay`);
  if (attack.judge) attack.judge(report, faults);
  return faults;
}

module.exports = {MB, judge, listed};
