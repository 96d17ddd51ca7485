'use strict';
// What a process uses, looked at every 50 ms: memory and descriptors.
const fs = require('fs');

const EVERY_MS = 50;

/**
 * Of a process's memory: {resident, own} in bytes. `own` leaves out pages of files, which an embedded shard maps and which the
 * system takes back when it likes; bounds are about that. null: the process has ended.
 */
function memoryOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (name) => 1024 * Number((new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text) || [0, 0])[1]);
    return {resident: bytes('VmRSS'), own: bytes('RssAnon')};
  } catch {
    return null;
  }
}

/** Descriptors of a process; `besides`: those of files below that directory are left out. */
function descriptorsOf(pid, besides) {
  const folder = `/proc/${pid}/fd`, link = (name) => { try { return fs.readlinkSync(`${folder}/${name}`); } catch { return besides; } };
  try {
    const names = fs.readdirSync(folder);
    return besides ? names.filter((name) => !link(name).startsWith(besides)).length : names.length;
  } catch {
    return 0;
  }
}

class Samples {
  /** `tooMuch` is called once, if the process takes more than `bytesMost`. */
  constructor(pid, bytesMost, tooMuch) {
    Object.assign(this, {pid, most: {resident: 0, own: 0, descriptors: 0}});
    this.timer = setInterval(() => {
      const memory = memoryOf(pid);
      if (!memory) return;
      const {most} = this;
      most.resident = Math.max(most.resident, memory.resident);
      most.own = Math.max(most.own, memory.own);
      most.descriptors = Math.max(most.descriptors, descriptorsOf(pid));
      if (memory.resident <= bytesMost) return;
      const tell = tooMuch;
      tooMuch = () => {};
      tell();
    }, EVERY_MS);
  }
  stop() { clearInterval(this.timer); }
}

module.exports = {Samples, descriptorsOf, memoryOf};
