'use strict';
// Writers that go past the routers, as the transactions of a moray do: each in a session of its own, at the shard
// that the ring in force gives its keys to, at one of the isolation levels, some of them long. A Ledger keeps account.
const {spawn} = require('child_process');
const path = require('path');

const tests = path.join(__dirname, '..', '..', 'tests', 'node');
const {BUCKET} = require(path.join(tests, 'reshard_ledger'));
const {pause} = require(path.join(tests, 'reshard_system'));

const ISOLATIONS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];
const ANSWER_WITHIN = 30000;  // milliseconds; a server that hangs for longer has lost its client

/** What a statement's error tells for certain: nothing was done. */
class Refused extends Error {
  constructor(sqlstate) {
    super(`SQLSTATE ${sqlstate}`);
    this.name = 'ReadOnlyError';
    this.sqlstate = sqlstate;
  }
}

/** One psql, which is spoken to line by line; `ask` answers with the lines that it prints. */
class Session {
  constructor(url) {
    this.child = spawn('psql', ['-X', '-q', '-A', '-t', '-d', url], {stdio: ['pipe', 'pipe', 'ignore']});
    this.text = '';
    this.ended = false;
    this.child.stdin.on('error', () => {});
    this.child.stdout.on('data', (data) => {
      this.text += data;
      if (this.heard) this.heard();
    });
    this.child.on('close', () => {
      this.ended = true;
      if (this.heard) this.heard();
    });
  }
  /** SQLSTATE of what was asked, `00000` if it went well. Fails where the session ends first. */
  async ask(statement) {
    this.text = '';
    this.child.stdin.write(`${statement};\n\\echo :SQLSTATE\n`);
    const begun = Date.now();
    while (!this.ended && !/^[0-9A-Z]{5}$/m.test(this.text)) {
      if (Date.now() - begun > ANSWER_WITHIN) this.close();
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.heard = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const answer = /^([0-9A-Z]{5})$/m.exec(this.text);
    if (!answer) throw new Error('the session has ended');
    return answer[1];
  }
  close() { this.child.kill('SIGKILL'); }
}

class DirectWriters {
  /** `ledger`: with keys that no other writer has. */
  constructor(system, ledger, any) { Object.assign(this, {system, ledger, any, refused: {}, places: null, looked: 0}); }

  /** Until the ledger is stopped. The bucket's table must be at each shard that owns vnodes. */
  run() {
    Object.assign(this.ledger, {stopped: false, writers: ISOLATIONS.map((isolation) => this.write(isolation))});
  }
  /** As a moray behind a router with an older ring, it may be late by some moments. */
  shardOf(key) {
    if (Date.now() - this.looked > 400) {
      this.places = this.system.locate(BUCKET, [...this.ledger.keys.keys()]);
      this.looked = Date.now();
    }
    return this.system.pnodes.indexOf(this.places.get(key).pnode);
  }

  async write(isolation) {
    const sessions = new Map();  // by shard
    const {ledger} = this;
    while (!ledger.stopped) {
      await pause(5 + this.any(20));
      const group = ledger.groups[this.any(ledger.groups.length)];
      if (group.busy) continue;
      group.busy = true;
      try {
        const keys = this.any(3) === 0 ? group.keys : [group.keys[this.any(group.keys.length)]];
        const shard = this.shardOf(keys[0]);
        if (!sessions.has(shard) || sessions.get(shard).ended) sessions.set(shard, new Session(this.system.databases[shard]));
        const values = keys.map(() => ledger.value(null));
        await ledger.attempt(keys, values, () => this.transaction(sessions.get(shard), isolation, keys, values));
      } finally {
        group.busy = false;
      }
    }
    for (const session of sessions.values()) session.close();
  }

  /** Resolves when its COMMIT was answered; a Refused where it was rolled back for certain. */
  async transaction(session, isolation, keys, values) {
    const rows = keys.map((key, i) => `('${key}', '${JSON.stringify(values[i])}', 'D${values[i].v}', 7, ${values[i].n})`);
    const before = async (statement) => {
      const sqlstate = await session.ask(statement).catch(() => 'ended');  // by itself a session's end rolls back
      if (sqlstate === '00000') return;
      this.refused[`${isolation}: ${sqlstate}`] = (this.refused[`${isolation}: ${sqlstate}`] || 0) + 1;
      if (sqlstate !== 'ended') await session.ask('ROLLBACK').catch(() => {});
      throw new Refused(sqlstate);
    };
    await before(`BEGIN ISOLATION LEVEL ${isolation}`);
    if (this.any(4) === 0) {  // its snapshot is older than what it writes
      await before(`SELECT 1 FROM ${BUCKET} WHERE _key = '${keys[0]}'`);
      await pause(this.any(300));
    }
    await before(`INSERT INTO ${BUCKET} (_key, _value, _etag, _mtime, n) VALUES ${rows.join(', ')} ON CONFLICT (_key) DO UPDATE ` +
      'SET _value = excluded._value, _etag = excluded._etag, _mtime = excluded._mtime, n = excluded.n');
    if (this.any(4) === 0) await pause(this.any(this.any(4) === 0 ? 900 : 200));
    const sqlstate = await session.ask('COMMIT');
    if (sqlstate === '40001') throw new Refused(sqlstate);
    if (sqlstate !== '00000') throw new Error(`COMMIT: ${sqlstate}`);
    return {};
  }
}

module.exports = {DirectWriters};
