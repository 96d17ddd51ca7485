'use strict';
// The keys of the open loop, and what may be read of each. A key has one put under way at most, so that what it was last is known.

/**
 * Keys of this bucket are `ANYTHING:PATH`, and are placed by the path's directory. Hostile clients use others: a find at an embedded
 * shard looks at all rows of a bucket, and theirs are large.
 */
const BUCKET = 'manta_uploads', PREFIX = 'soak:';
/** By these a put was not done. After any other error it may have been, or may be yet: its key is written no more. */
const NOT_DONE = new Set(['ReadOnlyError', 'OverloadedError', 'NoBackendsError']);
/** Numbers of the open loop's values begin here: no other client of the bucket has such. */
const FIRST = 1e9, EXAMPLES = 20;
const TEXT = 'x'.repeat(300);

class Account {
  /** `directories`: [{directory, shard}], each with so many keys; the keys of a directory are at one shard. `any`: numbers from a seed. */
  constructor(directories, keysEach, any) {
    Object.assign(this, {any, version: FIRST, names: 0, retired: [], wrong: 0, examples: []});
    this.slots = directories.flatMap((where) => Array.from({length: keysEach}, () => this.fresh(where)));
  }
  /** `acked`: the value that was acknowledged last; `issued`: the last one that was sent. */
  fresh({directory, shard}) { return {directory, shard, key: `${PREFIX}${directory}/o${this.names++}`, acked: null, issued: null, busy: false}; }

  /** What is asked next: a put in a quarter of the cases, a find in a twentieth; but none of an embedded shard, which looks at all rows for one. */
  next() {
    const slot = this.slots[this.any(this.slots.length)], choice = this.any(100);
    if (choice < 25 && !slot.busy) return this.put(slot);
    if (choice < 30 && slot.acked !== null && slot.shard !== 'embedded') return {kind: 'find', slot, floor: slot.acked, issued: slot.issued};
    return {kind: 'get', slot, floor: slot.acked};
  }
  put(slot) {
    Object.assign(slot, {busy: true, issued: ++this.version});
    return {kind: 'put', slot, n: this.version};
  }
  /** An RPC and its arguments. */
  call({kind, slot: {key, directory}, n, floor}) {
    const timeout = 30_000;
    if (kind === 'put') return ['putObject', [BUCKET, key, {n, text: TEXT}, {timeout}]];
    if (kind === 'get') return ['getObject', [BUCKET, key, {timeout, noCache: true}]];
    return ['findObjects', [BUCKET, `(n=${floor})`, {timeout, hashkey: directory}]];
  }

  /** Takes an answer: `rows` of it, or its error and what that says. True: that error is itself the right answer. */
  take(asked, rows, error, message) {
    const {kind, slot} = asked;
    if (kind === 'put') this.end(slot, asked.n, error);
    else if (kind === 'get' && error === 'ObjectNotFoundError') this.check(asked.floor === null && message.includes(slot.key), asked, message);
    else if (!error) this.check(kind === 'get' ? this.rightGet(asked, rows) : this.rightFind(asked, rows), asked, rows);
    return kind === 'get' && error === 'ObjectNotFoundError';
  }
  /** A put's end; without an answer it may be done later. */
  end(slot, n, error) {
    slot.busy = false;
    if (!error) slot.acked = n;
    else if (!NOT_DONE.has(error)) {
      this.retired.push(slot);
      this.slots[this.slots.indexOf(slot)] = this.fresh(slot);
    }
  }
  rightGet({slot, floor}, rows) {
    const [{key, value} = {}] = rows;
    return rows.length === 1 && key === slot.key && value.text === TEXT && value.n >= (floor || 0) && value.n <= slot.issued;
  }
  /** The row that has that number, which no other has; unless it was, or may have been, written anew meanwhile. */
  rightFind({slot, floor, issued}, rows) {
    if (rows.length === 0) return issued !== floor || slot.issued !== issued;
    return rows.length === 1 && rows[0].key === slot.key && rows[0].value.n === floor;
  }
  check(right, {kind, slot, floor}, found) {
    if (right) return;
    ++this.wrong;
    if (this.examples.length >= EXAMPLES) return;
    const told = typeof found === 'string' ? found : JSON.stringify(found.map(({key, value}) => [key, value && value.n]));
    this.examples.push(`wrong: ${kind} ${slot.key} at ${slot.shard}, acknowledged ${floor}, sent ${slot.issued}: ${told.slice(0, 300)}`);
  }

  /** Of all that was acknowledged: [slot]. */
  written() { return [...this.retired, ...this.slots].filter(({acked}) => acked !== null); }
  /** Whether such a slot, which nobody writes any more, may be read so: rows, or an error. */
  kept({acked, issued}, rows) { return rows.length === 1 && (rows[0].value.n === acked || rows[0].value.n === issued); }
}

module.exports = {Account, BUCKET, PREFIX};
