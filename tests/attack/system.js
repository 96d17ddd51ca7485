'use strict';
// What the system gives is used up: descriptors, and the disk of an embedded shard.
const fs = require('fs');
const path = require('path');

const descriptorsUsedUp = {
  kind: 'system', name: 'descriptors_used_up', about: 'more clients than a process with 200 descriptors can have', descriptors: 200,
  async attack(stage) {
    const starved = () => stage.router.lines.some(({msg, of}) => /can't be accepted/.test(msg) && of === 'clients');
    // No more than the system's queue of connections takes: others would wait for minutes.
    await stage.connectAll(stage.long ? 1000 : 400, {}, () => { ++stage.acts; });
    await stage.eventually('the log tells of it', starved);
    await stage.lasts(async () => {
      stage.notes['operators answered'] = (stage.notes['operators answered'] || 0) + ((await stage.line('status')).ok ? 1 : 0);
      if ((await stage.router.page(stage.router.statusPort, '/ready')).status === 200) stage.note('pages answered');
    });
  },
};

const diskFull = {
  kind: 'system', name: 'disk_full', about: 'the disk of an embedded shard is full', attacked: [1], least: (stage) => stage.roundsSince(1) >= 5, needs: 'MORAY_ROUTER_FULL_DISK',
  prepare(stage) {
    this.flag = path.join(stage.directory, 'full');
    stage.environment = {LD_PRELOAD: process.env.MORAY_ROUTER_FULL_DISK, FULL_DISK_FLAG: this.flag, FULL_DISK_PATH: '/shard-1/'};
  },
  async attack(stage) {
    fs.writeFileSync(this.flag, '');
    stage.acts = 1;
    await stage.lasts();
  },
  mend() { fs.rmSync(this.flag); },
};

const faultsToLog = {
  kind: 'system', name: 'faults_by_the_thousand', about: 'faults by the thousand, each of which the log could tell of', least: 2000,
  async attack(stage) {
    const lines = stage.router.lines.length;
    await stage.lasts(async () => {
      for (const one of await stage.connectAll(50, {}, (each) => each.send('x'.repeat(64)))) {
        ++stage.acts;
        one.leave();
      }
    });
    stage.notes['log lines'] = stage.router.lines.length - lines;
  },
};

module.exports = [descriptorsUsedUp, diskFull, faultsToLog];
