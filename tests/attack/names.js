'use strict';
// Name servers that are silent, slow, lying, truncated or huge. What a shard's addresses were stays in force meanwhile.
const {random} = require('../node/reshard_ledger');
const {A, NAME_ERROR, NameServer, SRV, answerOf, u16} = require('./name_server');

/** A shard whose moray is found by its name, at a server that answers rightly before and after. */
const named = (name, about, lie, more = {}) => ({
  kind: 'names', name: `names_${name}`, about: `a name server: ${about}`, shards: ['moray', 'embedded', 'embedded'],
  async prepare(stage) {
    this.server = await new NameServer([stage.morays[0].port]).start();
    stage.closers.push(() => this.server.stop());
    stage.config.dns = {resolvers: [`127.0.0.1:${this.server.port}`]};
    stage.shards[0] = {pnode: stage.shards[0].pnode, srv: 'shard.test'};
  },
  async attack(stage) {
    const before = this.server.asked;
    this.server.lie = lie(stage);
    // A record lives for a second, so that the attack is not over before it was asked.
    while (this.server.asked < before + 2 && stage.alive() && !stage.stopped) await new Promise((resolve) => setTimeout(resolve, 20));
    await stage.lasts();
    stage.acts = this.server.asked - before;
  },
  mend() { this.server.lie = null; },
  ...more,
});

const MANY = 1000;
/** A message of many records that would not fit; over UDP only that it is truncated. */
function huge(question, send, socket, records) {
  if (socket) send(answerOf(question, records));
  else send(answerOf(question, [], {flags: 0x8780}));
}
/** Answers that are wrong for this question, one of them at a time. */
const WRONG = [
  (question) => answerOf({...question, id: question.id ^ 1}, []),
  (question) => answerOf({...question, bytes: Buffer.concat([Buffer.from([1, 120, 0]), question.bytes.subarray(-4)])}, []),
  (question) => Buffer.concat([u16(question.id, 0x8580, 1, 1, 0, 0), question.bytes, Buffer.from([0xc0, question.bytes.length + 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1])]),
  (question) => Buffer.concat([u16(question.id, 0x8580, 1, 65535, 65535, 65535), question.bytes]),
  (question) => Buffer.concat([u16(question.id, 0x8580, 1, 1, 0, 0), question.bytes, u16(0xc00c, question.type, 1, 0, 1, 60000)]),
  (question) => u16(question.id, 0x8580, 1),
  (question) => answerOf(question, [], {flags: 0x8582}),
  (question) => answerOf(question, [], {flags: 0x0100}),
];

module.exports = [
  named('silent', 'says nothing', () => () => {}),
  named('slow', 'answers after two seconds', (stage) => (question, right, send) => {
    const timer = setTimeout(() => send(right()), 2000);
    stage.closers.push(() => clearTimeout(timer));
  }),
  named('refused', 'knows no such name', () => (question, _, send) => send(answerOf(question, [], {flags: 0x8580 | NAME_ERROR}))),
  named('garbage', 'answers in random bytes', () => {
    const any = random(53);
    return (question, _, send) => send(Buffer.concat([u16(question.id), Buffer.from(Array.from({length: any(500)}, () => any(256)))]));
  }),
  named('malformed', 'answers with messages that are wrong in eight ways', () => {
    let turn = 0;
    return (question, _, send) => send(WRONG[turn++ % WRONG.length](question));
  }),
  named('truncated', 'says that its answer is truncated, and closes the connection that is made for the whole', () =>
    (question, _, send, socket) => socket ? socket.destroy() : send(answerOf(question, [], {flags: 0x8780}))),
  named('half_whole', 'says that its answer is truncated, and sends half of the whole', () =>
    (question, right, send, socket) => socket ? socket.write(Buffer.concat([u16(5000), right()])) : send(answerOf(question, [], {flags: 0x8780}))),
  named('huge', `gives ${MANY} addresses, of which one serves`, (stage) => (question, right, send, socket) => {
    if (question.type === A) huge(question, send, socket, Array.from({length: MANY}, (_, i) => i === 0 ? '127.0.0.1' : `127.1.${i >> 8}.${i & 255}`));
    else send(question.type === SRV ? answerOf(question, [{port: stage.morays[0].port}]) : right());
  }, {attacked: [0]}),
  named('elsewhere', 'gives an address where nobody listens', () => (question, right, send) =>
    send(question.type === SRV ? answerOf(question, [{port: 1}]) : right()), {attacked: [0]}),
];
