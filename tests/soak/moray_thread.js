'use strict';
// A moray in a thread of its own, so that hostile clients, who keep the main thread busy, do not slow its answers down.
const {once} = require('events');
const path = require('path');
const {Worker, isMainThread, parentPort, workerData} = require('worker_threads');

/** As MemoryMoray is used by the stage: `listen`, `port`, `close`. */
class MorayThread {
  constructor(pnode) { this.pnode = pnode; }

  async listen() {
    this.thread = new Worker(__filename, {workerData: {moray: this.pnode}});
    this.port = await this.told();
  }
  /** Its connections end, and for so long nobody listens at its port; its rows stay. */
  async restart(awayMs) {
    this.thread.postMessage(awayMs);
    await this.told();
  }
  async close() { await this.thread.terminate(); }
  async told() {
    const [told] = await once(this.thread, 'message');  // an error of the thread rejects it
    return told;
  }
}

async function main() {
  const {MemoryMoray} = require(path.join(__dirname, '..', 'attack', 'memory_moray'));
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const rows = new Map(), made = async (port) => {
    const moray = new MemoryMoray(workerData.moray);
    moray.objects = rows;
    await moray.listen(port);
    return moray;
  };
  let moray = await made(0);
  const {port} = moray;
  parentPort.on('message', async (awayMs) => {
    await moray.close();
    await pause(awayMs);
    moray = await made(port);
    parentPort.postMessage('serves again');
  });
  parentPort.postMessage(port);
}

if (!isMainThread && workerData && workerData.moray) main();

module.exports = {MorayThread};
