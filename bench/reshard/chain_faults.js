'use strict';
// What happens to routers and servers while plans run.
const path = require('path');

const {pause} = require(path.join(__dirname, '..', '..', 'tests', 'node', 'reshard_system'));

const stop = (child) => child.kill('SIGSTOP');
const goOn = (child) => { if (child.exitCode === null) child.kill('SIGCONT'); };

class Faults {
  constructor(system, clusters, relays, outcomes, {serversStay = false} = {}) { Object.assign(this, {system, clusters, relays, outcomes, serversStay, busy: new Set(), pending: new Set(), begun: []}); }

  /** One of all kinds, drawn by `any`; it may last beyond this call. A server or router has one at a time. */
  begin(any) {
    const kinds = ['router_dies', 'router_hangs', ...(this.serversStay ? [] : ['server_restarts', 'server_hangs', 'cuts'])];
    const kind = kinds[any(kinds.length)];
    const which = this.serversStay ? this.system.routers.length - 1 : any(kind.startsWith('router') ? this.system.routers.length : this.clusters.length);
    const ms = 300 + any(3000);
    const name = `${kind.split('_')[0]} ${which}`;
    if (this.busy.has(name)) return;
    this.outcomes.faults[kind] = (this.outcomes.faults[kind] || 0) + 1;
    this.busy.add(name);
    this.begun.push(name);
    const lasting = this[kind](which, ms).catch((error) => this.outcomes.broken.push(`${kind}: ${error.message}`)).finally(() => {
      this.busy.delete(name);
      this.pending.delete(lasting);
    });
    this.pending.add(lasting);
  }
  /** Says later whether nothing was wrong, from now until then, with what has such a name: `router`; `server` or `cuts`. */
  calm(names) {
    const concerns = (name) => names.test(name);
    const begun = this.begun.filter(concerns).length;
    return [...this.busy].some(concerns) ? () => false : () => this.begun.filter(concerns).length === begun;
  }
  /** Until no server hangs or restarts: who then looks at them at once, and synchronously, gets an answer. */
  async serversBack() {
    while ([...this.busy].some((name) => name.startsWith('server'))) await Promise.race(this.pending);
  }
  async over() { while (this.pending.size > 0) await Promise.all(this.pending); }

  async router_dies(which) { await this.system.crashRouter(which); }
  async router_hangs(which, ms) {
    const {child} = this.system.routers[which];
    stop(child);
    await pause(ms);
    goOn(child);
  }
  async server_restarts(which) { this.clusters[which].restart(); }
  async server_hangs(which, ms) {
    this.clusters[which].freeze();
    await pause(ms);
    this.clusters[which].thaw();
  }
  async cuts(which, ms) {
    for (let i = 0; i < ms; i += 150) {
      this.relays[which].cut(3, i);
      await pause(150);
    }
  }
}

module.exports = {Faults};
