'use strict';
// Morays that stop, hang, are slow or go away. What they may say that is not so is in lies.js.
const {pause, request} = require('./hostile');
const {MemoryMoray} = require('./memory_moray');
const {NameServer} = require('./name_server');

const FIRST_IS_A_MORAY = ['moray', 'embedded', 'embedded'];
const base = {kind: 'shard', shards: FIRST_IS_A_MORAY, attacked: [0]};

/** Clients that put 250 KB at a time to the first shard, and take the answers: {done, refused: the keys that were answered with an error}. */
async function putMany(stage, clients, puts) {
  const {directory} = await stage.directoryAt(0), text = 'x'.repeat(250_000), refused = new Set(), used = [];
  const work = Array.from({length: clients}, async (_, c) => {
    const key = (msgid) => `${directory}/c${c}-${msgid}`;
    let one = null;
    for (let msgid = 1; msgid <= puts && stage.goOn(); ++msgid) {
      if (!one || one.closed) {
        if (one) stage.note('cut');
        one = await stage.connect({onAnswer: ({msgid: of, error}) => { if (error) { refused.add(key(of)); stage.note(error); } }});
        used.push(Object.assign(one, {sent: 0}));
      }
      if (!await one.send(request(msgid, 'putObject', ['manta', key(msgid), {n: 1, text}, {}]))) continue;
      ++one.sent;
      ++stage.acts;
    }
  });
  // A put that is not taken whole is not due an answer.
  return {done: Promise.all(work), refused, answered: () => used.every((one) => one.closed || one.answers() >= one.sent)};
}

const stopped = {
  ...base, name: 'stopped_shard', about: '16 clients that put 250 KB at a time to a shard that was stopped and takes nothing', least: 1600,
  async attack(stage) {
    stage.morays[0].stop();
    const {done, refused, answered} = await putMany(stage, 16, stage.long ? 998 : 100);
    this.refused = refused;
    await Promise.race([done, stage.lasts()]);
    await stage.lasts();
    // Each has its answer before the shard wakes, by its deadline of a second.
    await stage.eventually('each put is answered', answered);
    this.before = stage.morays[0].puts.length;
  },
  mend(stage) { stage.morays[0].wake(); },
  check(stage) {
    // What the system's buffers held, about 6 MB for each connection, can't be taken back.
    const late = stage.morays[0].puts.slice(this.before).filter((key) => this.refused.has(key)).length;
    stage.notes['sent though refused'] = late;
    if (late > 100) stage.faults.push(`${late} puts were sent to the shard after their clients had been told of an error`);
  },
};

const slow = {
  ...base, name: 'slow_shard', about: '4 clients that put 250 KB at a time to a shard that takes a little every 50 ms', least: 400,
  async attack(stage) {
    let slowly = true;
    const [moray] = stage.morays, taking = (async () => {
      for (; slowly; await pause(50)) {
        moray.wake();
        await pause(1);
        moray.stop();
      }
      moray.wake();
    })();
    const {done} = await putMany(stage, 4, 1000);
    await Promise.race([done, stage.lasts()]);
    await stage.lasts();
    slowly = false;
    await taking;
  },
};

const timeoutZero = {
  ...base, name: 'timeout_zero', about: 'requests with timeout 0 to a shard that hangs; their clients leave', least: 2000, config: {limits: {shardInFlightMax: 200}},
  async attack(stage) {
    stage.morays[0].hang();
    const {directory} = await stage.directoryAt(0);
    await stage.lasts(async () => {
      const one = await stage.connect();
      await one.send(Buffer.concat(Array.from({length: 100}, (_, i) => request(i + 1, 'getObject', ['manta', `${directory}/f`, {timeout: 0}]))));
      stage.acts += 100;
      await pause(20);
      one.leave();
    });
    // Nobody waits for them, and the shard that hangs says nothing: the router itself must give them up.
    await stage.eventually('what nobody waits for is not under way', async () => (await stage.status()).shards[0].inFlight < 50);
  },
  mend(stage) { stage.morays[0].serve(); },
};

/** Of the clients of the attacked shard. */
const fewestRounds = (stage) => Math.min(...stage.polite.lanes.map(({attacked}, i) => attacked ? stage.roundsSince(i) : Infinity));

/** One name, two addresses: the second begins to hang. */
const besideHealthy = {
  ...base, name: 'hung_beside_healthy', about: 'a moray that hangs beside a healthy address of the same shard', shards: ['embedded', 'moray', 'embedded'], attacked: [0],
  // A key's requests go to one of the addresses: several clients, so that both are asked.
  lanes: Array.from({length: 5}, () => ({pnode: 0})), least: (stage) => fewestRounds(stage) >= 60,
  async prepare(stage) {
    const [, healthy] = stage.morays;
    this.other = new MemoryMoray(healthy.pnode);
    this.other.objects = healthy.objects;  // one database
    await this.other.listen();
    const dns = await new NameServer([healthy.port, this.other.port]).start();
    stage.closers.push(() => this.other.close(), () => dns.stop());
    stage.config.dns = {resolvers: [`127.0.0.1:${dns.port}`]};
    stage.shards[0] = {pnode: stage.shards[0].pnode, srv: 'shard.test'};
    stage.shards[1] = {pnode: stage.shards[1].pnode, address: `127.0.0.1:${healthy.port}`};
  },
  async attack(stage) {
    this.other.hang();
    await stage.lasts(() => { stage.acts = this.other.connects; });
    this.rounds = fewestRounds(stage);
  },
  mend() { this.other.serve(); },
  judge({attackedErrors}, faults) {
    // Some are lost until the one that hangs is given up; after that, others are served as ever.
    const lost = Object.values(attackedErrors).reduce((sum, n) => sum + n, 0);
    if (lost > 40) faults.push(`${lost} requests were lost to a moray that hangs, though another one serves`);
    if (this.rounds < 60) faults.push(`${this.rounds} rounds at a shard of which one moray serves`);
  },
};

const loneHung = {
  ...base, name: 'hung_alone', about: 'the only moray of a shard hangs', least: (stage) => stage.roundsSince(0) >= 3,
  async attack(stage) {
    const [moray] = stage.morays, before = moray.connects;
    moray.hang();
    await stage.lasts(() => { stage.acts = moray.connects - before; });
    if (stage.acts > 20 + 10 * stage.seconds) stage.faults.push(`${stage.acts} connects to a moray that hangs`);
  },
  mend(stage) { stage.morays[0].serve(); },
};

const closesAtOnce = {
  ...base, name: 'shard_closes', about: 'a moray that takes connections and closes them', least: 10,
  async attack(stage) {
    const [moray] = stage.morays, before = moray.connects;
    moray.closesAtOnce = true;
    moray.dropConnections();
    await stage.lasts(() => { stage.acts = moray.connects - before; });
    if (stage.acts > 100 + 50 * stage.seconds) stage.faults.push(`${stage.acts} connects to a moray that closes them`);
  },
  mend(stage) { stage.morays[0].serve(); },
};

const flapping = {
  ...base, name: 'shard_drops', about: 'a moray whose connections end in the middle of requests, again and again', least: 20,
  async attack(stage) {
    await stage.lasts(() => {
      stage.morays[0].dropConnections();
      ++stage.acts;
    });
  },
};

module.exports = [stopped, slow, timeoutZero, besideHealthy, loneHung, closesAtOnce, flapping];
