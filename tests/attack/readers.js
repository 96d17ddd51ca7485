'use strict';
// Hostile clients that do not take what they are answered, or leave before it comes.
const {pause, request} = require('./hostile');
const {LONG_REQUEST} = require('./stage');

const EIGHT_MB = 8_000_000, OBJECTS = 3;

/** Objects of 8 MB, and as many gets of them, pipelined. */
async function largeObjects(stage) {
  const {directory} = await stage.directoryAt(0);
  for (let i = 0; i < OBJECTS; ++i) await stage.ask('putObject', ['manta', `${directory}/r${i}`, {n: i, text: 'x'.repeat(EIGHT_MB)}, LONG_REQUEST]);
  return (count) => Buffer.concat(Array.from({length: count}, (_, i) => request(i + 1, 'getObject', ['manta', `${directory}/r${i % OBJECTS}`, {noCache: true}])));
}

/** A connection that is not read shows its end when something is written to it: a ping, where there is room. */
function nudge(one) {
  one.pings = (one.pings || 0) + 1;
  if (one.socket.writableLength === 0) one.socket.write(request(1e6 + one.pings, 'ping', [{}]));
}

/** Keeps one connection that has sent `bytes`; when it is cut, another one does the same. */
async function readsNothing(stage, bytes, acts) {
  let one;
  await stage.lasts(async () => {
    if (one && !one.closed) {
      nudge(one);
      return;
    }
    if (one) stage.note('cut');
    one = await stage.connect({reads: false});
    await one.send(bytes);
    stage.acts += acts;
  });
}

const readsNothingOf = (kind) => ({
  name: `reads_nothing_${kind}`, about: `900 pipelined gets of objects of 8 MB by a client that reads nothing (${kind})`, shards: [kind, 'embedded', 'embedded'],
  async setup(stage) { this.gets = await largeObjects(stage); },
  attack(stage) { return readsNothing(stage, this.gets(900), 900); },
  check: (stage) => stage.eventually('nothing is under way any more', async () => (await stage.status()).shards.every(({inFlight}) => inFlight === 0)),
});
const leavesOf = (kind) => ({
  name: `leaves_${kind}`, about: `clients that ask for 300 objects of 8 MB, and leave (${kind})`, least: 900, shards: [kind, 'embedded', 'embedded'],
  async setup(stage) { this.gets = await largeObjects(stage); },
  async attack(stage) {
    const bytes = this.gets(300), most = stage.long ? 6000 : 900;
    await stage.lasts(async () => {
      if (stage.acts >= most) return;
      const one = await stage.connect();
      await one.send(bytes);
      await pause(50);
      one.leave();
      stage.acts += 300;
    });
  },
  check: (stage) => stage.eventually('nothing is under way any more', async () => (await stage.status()).shards.every(({inFlight}) => inFlight === 0)),
});

const pingsUnread = {
  name: 'pings_unread', about: 'pings without an end by a client that reads nothing', least: 20_000,
  async attack(stage) {
    const pings = Buffer.concat(Array.from({length: 500}, (_, i) => request(i + 1, 'ping', [{}])));
    let one;
    const send = async () => {
      // Ends when the router reads no more, which is as it should be.
      for (const mine = one; stage.goOn() && await mine.send(pings);) stage.acts += 500;
    };
    await stage.lasts(async () => {
      if (one && !one.closed) return;
      if (one) stage.note('cut');
      one = await stage.connect({reads: false});
      send();
    });
  },
};

const slowReadersOf = (kind, readers) => ({
  name: `slow_readers_${kind}`, about: `${readers} clients that read nothing of a find of 8 MB (${kind})`, shards: [kind, 'embedded', 'embedded'],
  async setup(stage) {
    this.directory = (await stage.directoryAt(0)).directory;
    await stage.ask('createBucket', ['testmanta', {index: {n: {type: 'number'}}}, LONG_REQUEST]);
    await stage.fill('testmanta', this.directory, 2000, 4000);
  },
  async attack(stage) {
    const find = request(1, 'findObjects', ['testmanta', '(n>=0)', {hashkey: this.directory, noLimit: true, no_count: true, noCache: true, timeout: 60_000}]);
    let open = [];
    await stage.lasts(async () => {
      const left = open.filter((one) => !one.closed);
      stage.note('cut', open.length - left.length);
      const more = await stage.connectAll(readers - left.length, {reads: false}, (one) => one.send(find));
      stage.acts += more.length;
      open = [...left, ...more];
      for (const one of open) {
        one.socket.read(256);  // slowly
        nudge(one);
      }
    });
  },
});

module.exports = [readsNothingOf('embedded'), readsNothingOf('postgres'), leavesOf('embedded'), leavesOf('postgres'), pingsUnread, slowReadersOf('embedded', 140), slowReadersOf('postgres', 16)]
  .map((attack) => ({kind: 'client', ...attack}));
