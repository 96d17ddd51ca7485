'use strict';
// A moray for tests, on npm's own Fast server: keeps objects in memory and remembers what it saw.
const bunyan = require('bunyan');
const fast = require('fast');
const net = require('net');

class FakeMoray {
  constructor(name) {
    this.name = name;
    this.objects = new Map();
    this.seen = [];
    this.socket = net.createServer({allowHalfOpen: true});
    this.sockets = new Set();
    this.socket.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.server = new fast.FastServer({
      log: bunyan.createLogger({name: 'fake-moray', level: 'fatal'}),
      server: this.socket,
      crc_mode: fast.FAST_CHECKSUM_V1_V2,
    });
    const rpcs = ['putObject', 'getObject', 'delObject', 'findObjects', 'batch', 'sql', 'createBucket',
      'listBuckets', 'reindexObjects', 'deleteMany'];
    for (const rpcmethod of rpcs)
      this.server.registerRpcMethod({rpcmethod, rpchandler: (rpc) => this.handle(rpcmethod, rpc)});
  }

  listen() {
    return new Promise((resolve) => this.socket.listen(0, '127.0.0.1', () => {
      this.port = this.socket.address().port;
      resolve(this);
    }));
  }

  close() {
    this.server.close();
    this.socket.close();
  }

  connections() { return this.sockets.size; }

  dropConnections() {
    for (const socket of this.sockets) socket.destroy();
  }

  handle(method, rpc) {
    const args = rpc.argv();
    this.seen.push({method, args});
    const delay = this.delay ? this.delay(method, args) : 0;  // ms; Infinity: it never answers
    if (delay === 0) this[method](rpc, ...args);
    else if (delay !== Infinity) setTimeout(() => this[method](rpc, ...args), delay);
  }

  row(bucket, key) {
    const value = this.objects.get(bucket + '/' + key);
    return {bucket, key, value, _id: 1, _etag: 'ABCDEF01', _mtime: 1, _txn_snap: null, _count: null};
  }
  putObject(rpc, bucket, key, value) {
    this.objects.set(bucket + '/' + key, value);
    rpc.write({etag: 'ABCDEF01'});
    rpc.end();
  }
  getObject(rpc, bucket, key) {
    if (!this.objects.has(bucket + '/' + key)) {
      const error = new Error(bucket + '::' + key + ' does not exist');
      error.name = 'ObjectNotFoundError';
      rpc.fail(error);
      return;
    }
    rpc.write(this.row(bucket, key));
    rpc.end();
  }
  delObject(rpc, bucket, key) {
    this.objects.delete(bucket + '/' + key);
    rpc.write({});
    rpc.end();
  }
  findObjects(rpc, bucket) {
    for (const path of this.objects.keys()) rpc.write(this.row(bucket, path.slice(bucket.length + 1)));
    rpc.end();
  }
  batch(rpc, requests) {
    for (const request of requests) this.objects.set(request.bucket + '/' + request.key, request.value);
    rpc.write({etags: requests.map(({bucket, key}) => ({bucket, key, etag: 'ABCDEF01'}))});
    rpc.end();
  }
  deleteMany(rpc) {
    rpc.write({count: this.objects.size});
    rpc.end();
  }
  sql(rpc) {
    rpc.write({shard: this.name});
    rpc.end();
  }
  createBucket(rpc, bucket) {
    if (bucket === 'refused_by_' + this.name) {
      const error = new Error('refused');
      error.name = 'BucketConflictError';
      rpc.fail(error);
      return;
    }
    rpc.end();
  }
  listBuckets(rpc) {
    rpc.write({name: 'b', index: '{}', pre: '[]', post: '[]', options: '{}', mtime: '2026-01-01T00:00:00.000Z'});
    rpc.end();
  }
  reindexObjects(rpc) {
    rpc.write({processed: 2, remaining: 1});
    rpc.end();
  }
}

module.exports = {FakeMoray};
