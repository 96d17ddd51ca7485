'use strict';
// Hostile clients: those that send, and how. Those that do not take their answers are in readers.js.
const {random} = require('../node/reshard_ledger');
const {header, pause, request} = require('./hostile');
const {LONG_REQUEST} = require('./stage');

const UNFINISHED_BYTES = (256 << 10) - 64, ANNOUNCED_BYTES = (64 << 20) - 1024;
const get = (msgid, directory, name = 'r0') => request(msgid, 'getObject', ['manta', `${directory}/${name}`, {noCache: true}]);

/** Keeps that many connections open, each begun with `begin`; counts those that were cut, and opens others in their place. */
async function keepOpen(stage, count, begin, each = () => {}) {
  let open = await stage.connectAll(count, {}, begin);
  stage.acts += open.length;
  await stage.lasts(async () => {
    const left = open.filter((one) => !one.closed && !one.ended);
    stage.note('cut', open.length - left.length);
    const more = await stage.connectAll(open.length - left.length, {}, begin);
    stage.acts += more.length;
    open = [...left, ...more];
    await each(open);
  });
}

const unfinishedFrames = {
  name: 'unfinished_frames', about: 'frames just under 256 KiB that lack their last bytes',
  attack: (stage) => keepOpen(stage, stage.long ? 4000 : 1500, async (one) => {
    await one.send(header(UNFINISHED_BYTES));
    await one.send(Buffer.alloc(UNFINISHED_BYTES - 100, 'x'));
  }),
};

/** Eight that announce 64 MiB each and send a byte now and then. */
async function trickle(stage, also = () => {}) {
  const begin = (one) => one.send(Buffer.concat([header(ANNOUNCED_BYTES), Buffer.alloc(1000, 'x')]));
  await keepOpen(stage, 8, begin, async (open) => {
    for (const one of open) one.socket.write('x');
    await also();
    await pause(100);
  });
}
const trickledFrames = {
  name: 'trickled_frames', about: 'eight frames of 64 MiB that come byte by byte, beside a polite client with frames of 1 MB',
  lanes: [{pnode: 1, valueBytes: 500_000}], config: {limits: {largeFramesBytesMax: 128 << 20}},
  attack: (stage) => trickle(stage),
};
const leaversInLine = {
  name: 'leavers_in_line', about: 'clients that wait for their turn with a frame over 256 KiB, after eight that trickle, and leave', 
  least: (stage) => stage.acts >= 608 && stage.measure().descriptors < 200,
  config: {limits: {largeFramesBytesMax: 128 << 20}},
  async attack(stage) {
    const most = stage.long ? 20_500 : 600;
    let left = 0;
    // Those that left are noticed while the eight go on.
    await trickle(stage, async () => {
      if (left >= most) return;
      const some = await stage.connectAll(100, {}, (one) => one.send(Buffer.concat([header(300_000), Buffer.alloc(5000, 'x')])));
      for (const one of some) one.leave();
      left += some.length;
      stage.acts += some.length;
    });
    if (stage.measure().descriptors >= 200) stage.faults.push('those that left are not noticed while the eight go on');
  },
};

const greedy = {
  name: 'greedy', about: '64 connections with 256 requests each under way, at all times', least: 30_000, shards: ['postgres', 'embedded', 'embedded'],
  async setup(stage) {
    this.directory = (await stage.directoryAt(0)).directory;
    await stage.fill('manta', this.directory, 1, 1000);
  },
  async attack(stage) {
    const {directory} = this;
    let msgid = 0;
    const onAnswer = (_, one) => {
      ++stage.acts;
      if (stage.goOn()) one.socket.write(get(msgid = msgid % 1e6 + 1, directory));
    };
    await stage.connectAll(64, {onAnswer}, (one) => one.send(Buffer.concat(Array.from({length: 256}, () => get(msgid = msgid % 1e6 + 1, directory)))));
    await stage.lasts();
  },
};

const deletedBucket = {
  name: 'deleted_bucket', about: 'delBucket of many embedded rows',
  async setup(stage) {
    const {directory} = await stage.directoryAt(0);
    await stage.ask('createBucket', ['testmanta', {index: {n: {type: 'number'}}}, LONG_REQUEST]);
    await stage.fill('testmanta', directory, stage.long ? 400_000 : 20_000, 20);
  },
  async attack(stage) {
    await stage.ask('delBucket', ['testmanta', LONG_REQUEST]);
    ++stage.acts;
    await stage.lasts();
  },
};

const heldWrites = {
  name: 'held_writes', about: 'eight puts of 5 MiB to a held vnode, of a router with 16 workers',
  config: {workers: 16, timeouts: {holdMs: 120_000}},
  async attack(stage) {
    const {directory, vnode} = await stage.directoryAt(0), count = 8;
    await stage.line('block', {vnodes: String(vnode), mode: 'hold'});
    const put = request(1, 'putObject', ['manta', `${directory}/f`, {n: 1, text: 'x'.repeat(5 << 20)}, LONG_REQUEST]);
    const all = await stage.connectAll(count, {}, (one) => one.send(put));
    stage.acts += count;
    const answered = () => all.filter((one) => one.answers() > 0).length;
    await stage.eventually('each is held or answered', async () => (await stage.status()).gate.heldWrites + answered() >= count);
    await stage.lasts();
    await stage.line('unblock', {all: true});
    await stage.eventually('each is answered', () => answered() === count);
    for (const one of all) for (const name of Object.keys(one.errors)) stage.note(name);
    const acknowledged = all.filter(({ends}) => ends === 1).length;
    stage.note('acknowledged', acknowledged);
    if (acknowledged < count) stage.faults.push(`${count - acknowledged} of ${count} refused, though 64 MiB are for such writes`);
  },
};

/** Acts in rounds of some clients at a time, as long as it lasts, and once at least. */
async function inRounds(stage, count, act) {
  do {
    await Promise.all(Array.from({length: count}, async () => {
      ++stage.acts;
      await act(await stage.connect());
    }));
  } while (stage.goOn());
}
async function mustClose(stage, one, what) {
  if (!await one.untilClosed()) stage.note(`not closed: ${what}`);
  one.leave();
}
const noneLeftOpen = (stage) => { for (const name of Object.keys(stage.notes)) if (name.startsWith('not ')) stage.faults.push(`${stage.notes[name]} ${name}`); };

const halfClosed = {
  name: 'half_closed', about: 'clients that close their half after requests, or within one', least: 400,
  async setup(stage) {
    this.directory = (await stage.directoryAt(0)).directory;
    await stage.fill('manta', this.directory, 1, 1000);
  },
  attack(stage) {
    return inRounds(stage, 40, async (one) => {
      const inside = stage.acts % 2 === 0, requests = Buffer.concat([1, 2, 3, 4, 5].map((msgid) => get(msgid, this.directory)));
      await one.send(inside ? Buffer.concat([requests, header(1000)]) : requests);
      one.closeHalf();
      await mustClose(stage, one, 'a half-closed connection');
      if (one.ends !== 5) stage.note('not answered', 5 - one.ends);
    });
  },
  check: noneLeftOpen,
};

const LENGTHS = {
  'nothing': header(0), 'the most that fits': header(0xffffffff), 'more than the bound': header((64 << 20) + 1),
  'longer than what comes': Buffer.concat([header(1000), Buffer.alloc(500, 'x')]), 'shorter than what comes': Buffer.concat([header(10), Buffer.alloc(3000, '{')]),
  'a request that goes on after its end': Buffer.concat([get(1, '/x').subarray(0, 15), Buffer.alloc(200, ' ')]),
  'a header that ends early': header(10).subarray(0, 9), 'no version': header(10, {version: 9}), 'a status that is none': header(10, {status: 7}),
  'a message id beyond the bound': header(10, {msgid: 0xffffffff}), 'an END': header(0, {status: 2}), 'an ERROR without payload': header(0, {status: 3}),
};
const lyingLengths = {
  name: 'lying_lengths', about: 'headers whose lengths and other members lie', least: 600,
  attack(stage) {
    const names = Object.keys(LENGTHS);
    return inRounds(stage, 48, async (one) => {
      const name = names[stage.acts % names.length];
      await one.send(LENGTHS[name]);
      one.closeHalf();
      await mustClose(stage, one, name);
    });
  },
  check: noneLeftOpen,
};

const randomBytes = {
  name: 'random_bytes', about: 'bytes from a seed, some of them within frames', least: 1000,
  attack(stage) {
    const any = random(19);
    return inRounds(stage, 40, async (one) => {
      const bytes = Buffer.from(Array.from({length: 1 + any(4000)}, () => any(256)));
      await one.send(any(2) ? bytes : Buffer.concat([header(bytes.length), bytes]));
      one.closeHalf();
      await mustClose(stage, one, 'random bytes');
    });
  },
  check: noneLeftOpen,
};

const floods = {
  name: 'flood_of_connects', about: 'connects that are closed or reset at once', least: 4000,
  attack: (stage) => inRounds(stage, 200, (one) => { if (stage.acts % 2) one.leave(); else one.reset(); }),
};

module.exports = [unfinishedFrames, trickledFrames, leaversInLine, greedy, deletedBucket, heldWrites, halfClosed, lyingLengths, randomBytes, floods]
  .map((attack) => ({kind: 'client', ...attack}));
