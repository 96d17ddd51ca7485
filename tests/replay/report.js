'use strict';
// Counts cases, prints what differs, and uses each listed improvement.
const fs = require('fs');
const path = require('path');

const listed = JSON.parse(fs.readFileSync(path.join(__dirname, 'improvements.json'), 'utf8'));

class Report {
  /** `shards`: embedded, postgres or scripted. An improvement may hold for one of them only, or for
   *  all that keep objects themselves ("own"). */
  constructor(suite, shards) {
    this.suite = suite;
    this.name = shards ? `${suite} over ${shards} shards` : suite;
    this.improvements = new Map(listed
      .filter((entry) => entry.suite === suite && (!entry.shards || entry.shards === shards || (entry.shards === 'own' && shards !== 'scripted')))
      .map((entry) => [entry.case, {...entry, used: false}]));
    this.counts = {same: 0, improved: 0, 'without sql': 0, 'not recorded whole': 0, different: 0};
  }

  improvement(id) {
    const entry = this.improvements.get(id);
    if (entry) entry.used = true;
    return entry;
  }

  same() { this.counts.same += 1; }
  improved() { this.counts.improved += 1; }
  notWhole() { this.counts['not recorded whole'] += 1; }
  withoutSql() { this.counts['without sql'] += 1; }

  different(id, request, lines) {
    this.counts.different += 1;
    console.log(`\n${this.name}: ${id}\n  request  ${request.length > 400 ? request.slice(0, 400) + '…' : request}`);
    for (const line of lines.slice(0, 12)) console.log(`  ${line}`);
    if (lines.length > 12) console.log(`  and ${lines.length - 12} more differences`);
  }

  /** Files one case's differences under what they mean. */
  file(id, request, lines) {
    if (lines.length) this.different(id, request, lines);
    else if (this.improvements.has(id)) this.improved();
    else this.same();
  }

  /** Whether all is well; an improvement whose case does not exist is an error in the list. */
  finish() {
    const unused = [...this.improvements.values()].filter((entry) => !entry.used).map((entry) => entry.case);
    if (unused.length) console.log(`${this.name}: listed improvements of no case: ${unused.join(', ')}`);
    const counts = Object.entries(this.counts).filter(([, count]) => count).map(([what, count]) => `${count} ${what}`);
    console.log(`${this.name}: ${counts.join(', ')}`);
    return this.counts.different === 0 && unused.length === 0;
  }
}

module.exports = {Report};
