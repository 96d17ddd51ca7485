'use strict';
// Two keys in vnodes that are about to change hands, read through all routers all the time, and other keys beside them.
const assert = require('node:assert');

const {Mover} = require('./fleet_ledger');
const {pause, until} = require('./fleet_scene');

class Watched {
  constructor(scene) {
    Object.assign(this, {scene, seen: new Map(), reads: 0, refused: 0, wrong: [], stops: false});
    Watched.number = (Watched.number || 0) + 1;
  }

  /** The rows are at both pnodes. Nobody but the test writes them, and only where that can't be lost. */
  async begin(from, to) {
    const [member] = this.scene.members, mover = new Mover(this.scene, null), vnodes = new Set();
    Object.assign(this, {from, to, keys: []});
    for (let i = 0; this.keys.length < 2; ++i) {
      const key = `watched${Watched.number}.${i}`, place = await member.result('locate', 'b', key);
      if (place.pnode !== from || vnodes.has(place.vnode)) continue;
      vnodes.add(place.vnode);
      this.keys.push(key);
      await this.write(member, key, 1);
      mover.copy(place.vnode, from, to);
    }
    this.vnodes = [...vnodes].join(',');
    await this.findBystander(vnodes);
    this.running = this.scene.members.flatMap((each) => [this.read(each), this.goBy(each)]);
    return this;
  }
  /** A key whose vnode stays where it is. */
  async findBystander(vnodes) {
    const [member] = this.scene.members;
    for (let i = 0; !this.bystander; ++i) {
      const key = `bystander${i}`, {vnode} = await member.result('locate', 'b', key);
      if (!vnodes.has(vnode)) this.bystander = key;
    }
    await member.put(this.bystander, {n: 0});
  }

  /** For how many ms it waited. */
  async write(member, key, n) {
    const began = Date.now();
    await member.put(key, {n});
    this.seen.set(key, Math.max(n, this.seen.get(key) || 0));
    return Date.now() - began;
  }
  async read(member) {
    for (; !this.stops; await pause(3))
      for (const key of this.keys) {
        const least = this.seen.get(key);
        try {
          const {n} = await member.get(key);
          ++this.reads;
          if (n < least) this.wrong.push(`${key} by ${member.name}: ${n}, after ${least} was seen`);
          this.seen.set(key, Math.max(n, this.seen.get(key)));
        } catch {
          ++this.refused;
        }
      }
  }
  /** What does not change hands is served all the time, cut off or not. */
  async goBy(member) {
    for (let n = 1; !this.stops; ++n, await pause(3)) {
      await member.put(this.bystander, {n}).catch((error) => this.wrong.push(`a write of ${this.bystander} by ${member.name}: ${error}`));
      await member.get(this.bystander).catch((error) => this.wrong.push(`a read of ${this.bystander} by ${member.name}: ${error}`));
    }
  }

  async stop() {
    this.stops = true;
    await Promise.all(this.running || []);
  }
  /** All routers read what was written last, and nobody has read anything older. */
  async settled() {
    for (const key of this.keys)
      for (const member of this.scene.members) assert.deepStrictEqual(await member.get(key), {n: this.seen.get(key)}, `${key} by ${member.name}`);
    await until(() => this.reads > 100, 'it has read often enough');
    await this.stop();
    assert.deepStrictEqual(this.wrong, []);
  }
}

module.exports = {Watched};
