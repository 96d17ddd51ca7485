'use strict';
// What is looked at each second of a soak: the process, its metrics, and the open loop's times.
/** Of a sorted list, with one place after the point. */
const percentile = (sorted, share) => sorted.length === 0 ? 0 : Math.round(10 * sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]) / 10;

class Series {
  constructor(soak) { Object.assign(this, {soak, points: [], latencies: [], waiters: [], running: false, metrics: {held: 0, completed: 0, outOfStep: 0}}); }
  begin() { Object.assign(this, {running: true, begun: performance.timeOrigin + performance.now()}); }
  end() { this.running = false; }

  /** A second of the open loop has passed. */
  take(figures) {
    for (const waiter of this.waiters) waiter(figures);
    if (!this.running || !figures.process) return;
    const at = Math.round((figures.at - this.begun) / 10) / 100;
    if (at > this.soak.duration) return;
    const sorted = figures.times.slice().sort();
    this.latencies.push(figures.times);
    this.points.push({
      at, ...figures.process, ...this.metrics,
      answered: sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), longest: percentile(sorted, 1), lateP99: Math.round(10 * figures.lateP99) / 10,
      longestAt: figures.longestAt, wrong: figures.wrong, underWay: figures.underWay, errors: figures.errors,
    });
    this.soak.sift(this.soak.router.lines.splice(0));  // an hour's log is not kept
    this.readMetrics();
  }
  /** The next so many seconds. */
  next(count) {
    return new Promise((resolve) => {
      const seen = [], waiter = (figures) => {
        seen.push(figures);
        if (seen.length < count) return;
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        resolve(seen);
      };
      this.waiters.push(waiter);
    });
  }
  /** For the next second's point. */
  async readMetrics() {
    try {
      const {text} = await this.soak.router.page(this.soak.router.monitorPort, '/metrics');
      const sum = (name) => [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))].reduce((all, [, n]) => all + Number(n), 0);
      this.metrics = {held: sum('router_memory_held_bytes'), completed: sum('fast_requests_completed'), outOfStep: Math.max(this.metrics.outOfStep, sum('router_shard_out_of_step_total'))};
    } catch {
      // The point says what was known last.
    }
  }
}

module.exports = {Series, percentile};
