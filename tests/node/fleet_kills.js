'use strict';
// An operator moves vnodes by hand, and at each move a router is killed at one of its writes to ZooKeeper: before that is sent; when it
// is sent, and arrives after the router's end; or when it is done, before the router hears of it.
const {Ledger, Mover, randomOf} = require('./fleet_ledger');
const {PNODES, pause, until} = require('./fleet_scene');

/** As many as a router writes within one move: its answers to a block, and to three stages, and its ring. */
const WRITES = 5;
const WAYS = ['before', 'late', 'after'];

class Kills {
  /** Each member of `scene` reaches ZooKeeper through something that can be cut. */
  constructor(scene, seed) {
    // How often the ledger asks for a number is not known.
    const random = randomOf(seed * 7919), ledger = new Ledger(scene, randomOf(seed));
    Object.assign(this, {scene, random, ledger, mover: new Mover(scene, random), kills: {}});
    for (const of of ledger.keys) of.key = `kills${seed}.${of.key}`;
  }

  async kill(member, way, cut) {
    await member.kill();  // it has gone before anything passes again
    if (way === 'before') cut.reset();
    else cut.mend();
    await pause(this.random.below(1000));
    await member.start();
  }

  /** One move, and one kill in it, unless the router writes less than that. */
  async round() {
    const {random, scene, mover} = this, [first] = scene.members;
    const {vnode, pnode} = await first.result('locate', 'b', random.among(this.ledger.keys).key);
    const member = random.among(scene.members), cut = scene.cuts[member.name], way = random.among(WAYS), nth = 1 + random.below(WRITES);
    let count = 0;
    const done = cut.stopAt(() => ++count === nth, way === 'after' ? 'after' : 'before').then(async (stopped) => {
      const kind = stopped ? way : 'none';
      this.kills[kind] = (this.kills[kind] || 0) + 1;
      if (stopped) await this.kill(member, way, cut);
    });
    await mover.move(String(vnode), pnode, random.among(PNODES.filter((other) => other !== pnode)));
    cut.forget();
    await done;
  }

  /** What so many rounds came to. */
  async run(rounds) {
    const {ledger, mover, scene} = this;
    for (const of of ledger.keys) await scene.members[0].put(of.key, {n: 0});
    ledger.start();
    try {
      for (let i = 0; i < rounds; ++i) {
        await until(() => scene.members[0].client, 'the first serves');
        await this.round();
        await until(async () => {
          const {change, members} = await scene.json('status');
          return change === null && members.every(({state}) => state === 'serves');
        }, 'all are in step');
      }
    } finally {
      await ledger.stop();
    }
    await ledger.check();
    return {moved: mover.moved, refused: mover.refused, writes: ledger.writes, reads: ledger.reads, errors: ledger.refused, kills: this.kills};
  }
}

module.exports = {Kills};
