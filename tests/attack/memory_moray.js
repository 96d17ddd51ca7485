'use strict';
// A moray that keeps objects in memory, serves rightly, and can be told to stop, to hang, or to lie.
const {ScriptedShard} = require('../replay/scripted_shard');

class MemoryMoray extends ScriptedShard {
  constructor(pnode) {
    super(pnode);
    Object.assign(this, {objects: new Map(), puts: [], connects: 0, stopped: false, lie: null});
    this.answer = (text) => this.right(JSON.parse(text));
  }

  accept(socket) {
    ++this.connects;
    if (this.closesAtOnce) {
      socket.destroy();
      return;
    }
    super.accept(socket);
    if (this.stopped) socket.pause();
  }
  /** `lie(socket, request, right)`, where set, answers instead; `right` are the frames that are due. */
  handle(socket, request) {
    if (this.mode === 'hang') return;
    if (this.lie) this.lie(socket, request, () => this.answer(request.json));
    else super.handle(socket, request);
    this.seen.length = 0;
  }

  /** As a process that was stopped: connections are made, and nobody reads. */
  stop() {
    this.stopped = true;
    for (const socket of this.sockets) socket.pause();
  }
  wake() {
    this.stopped = false;
    for (const socket of this.sockets) socket.resume();
  }
  hang() { this.mode = 'hang'; }
  /** Serves from now on. What it was asked before stays without an answer, so that its connections are closed. */
  serve() {
    Object.assign(this, {mode: 'pass', lie: null, closesAtOnce: false});
    this.dropConnections();
  }

  right({m: {name}, d: [bucket, key, value]}) {
    const message = (status, body) => ({status, json: JSON.stringify({m: {uts: 1, name}, d: body})});
    const row = (path) => ({bucket, key: path.slice(bucket.length + 1), value: this.objects.get(path), _id: 1, _etag: 'ABCDEF01', _mtime: 1, _txn_snap: null, _count: 1});
    const end = message('END', []), path = `${bucket}/${key}`;
    switch (name) {
      case 'putObject':
        this.puts.push(key);
        this.objects.set(path, value);
        return [message('DATA', [{etag: 'ABCDEF01'}]), end];
      case 'getObject':
        if (this.objects.has(path)) return [message('DATA', [row(path)]), end];
        return [message('ERROR', {name: 'ObjectNotFoundError', message: `${bucket}::${key} does not exist`, info: {}, context: {}})];
      case 'findObjects': {
        const [, n] = /\(n=(\d+)\)/.exec(key) || [];
        const found = [...this.objects].filter(([at, {n: has}]) => at.startsWith(`${bucket}/`) && (n === undefined || has === Number(n)));
        return [...found.map(([at]) => message('DATA', [row(at)])), end];
      }
      default:
        return [end];
    }
  }
}

module.exports = {MemoryMoray};
