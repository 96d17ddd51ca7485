'use strict';
// How long a router's workers leave a ping unanswered, looked at every 10 ms from a thread that does nothing else. A ping is
// answered by the worker of its connection, without a shard. On a machine that is busy with clients and databases, most of the
// longest times is spent in the system's queue for a processor; so it is also said how long it was without that, and for how much
// of a ping's time the worker ran.
const fs = require('fs');
const {Worker, isMainThread, parentPort, workerData} = require('worker_threads');

const EVERY_MS = 10;

class StallProbe {
  /** Before any other client connects: the router gives its clients to its workers in turn. */
  static async start(port, pid, workers) {
    const probe = new StallProbe();
    probe.thread = new Worker(__filename, {workerData: {port, pid, workers}});
    await new Promise((resolve, reject) => probe.thread.once('message', resolve).once('error', reject));
    return probe;
  }
  /**
   * For each worker {pings, longest, own, ran}, in ms: the longest time to an answer; the longest without the time that the worker
   * and the probe's thread were in the queue for a processor; the most that the worker ran until the probe had the answer.
   */
  async stop() {
    const told = new Promise((resolve) => this.thread.once('message', resolve));
    this.thread.postMessage('stop');
    const found = await told;
    await this.thread.terminate();
    return found;
  }
}

async function main({port, pid, workers}) {
  const {Session} = require('../replay/session');
  const {encode} = require('../replay/fast_wire');
  const threads = fs.readdirSync(`/proc/${pid}/task`);
  const numbers = (file) => fs.readFileSync(file, 'utf8').trim().split(' ').map(Number);
  const ran = (thread) => numbers(`/proc/${pid}/task/${thread}/schedstat`)[0] / 1e6;
  const queued = (thread) => (numbers(`/proc/${pid}/task/${thread}/schedstat`)[1] + numbers('/proc/thread-self/schedstat')[1]) / 1e6;
  const ping = (msgid) => encode({version: 2, status: 1, msgid, json: '{"m":{"uts":1,"name":"ping"},"d":[{}]}'});
  const lanes = [];
  for (let i = 0; i < workers; ++i) {
    const session = await Session.connect(port), before = threads.map(ran);
    for (let msgid = 1; msgid <= 300; ++msgid) {
      session.send(ping(msgid));
      await session.until(() => session.answered(msgid), 10_000);
      session.frames = [];
    }
    const used = threads.map((thread, j) => ran(thread) - before[j]);  // by the one that has answered
    lanes.push({session, thread: threads[used.indexOf(Math.max(...used))], pings: 0, longest: 0, own: 0, ran: 0, asked: null});
  }
  for (const lane of lanes) {
    lane.session.socket.on('data', () => {
      if (!lane.asked || !lane.session.answered(lane.asked.msgid)) return;
      const took = performance.now() - lane.asked.at, own = took - (queued(lane.thread) - lane.asked.queued);
      Object.assign(lane, {longest: Math.max(lane.longest, took), own: Math.max(lane.own, own), ran: Math.max(lane.ran, ran(lane.thread) - lane.asked.ran)});
      Object.assign(lane, {asked: null, pings: lane.pings + 1});
      lane.session.frames = [];
    });
  }
  let msgid = 1000, stopping = false;
  parentPort.once('message', () => { stopping = true; });
  parentPort.postMessage('ready');
  for (;; await new Promise((resolve) => setTimeout(resolve, EVERY_MS))) {
    for (const lane of lanes) {
      if (lane.asked || lane.session.closed || stopping) continue;
      lane.asked = {msgid: ++msgid, queued: queued(lane.thread), ran: ran(lane.thread), at: performance.now()};
      lane.session.send(ping(msgid));
    }
    if (stopping && lanes.every(({asked, session}) => !asked || session.closed)) break;
  }
  const tenth = (ms) => Math.round(ms * 10) / 10;
  parentPort.postMessage(lanes.map(({pings, longest, own, ran: most, session}) => ({pings, longest: tenth(longest), own: tenth(own), ran: tenth(most), ...session.closed ? {closed: true} : {}})));
}

if (!isMainThread && workerData && workerData.port) main(workerData);

module.exports = {StallProbe};
