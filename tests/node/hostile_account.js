'use strict';
// An honest client's keys in one bucket, and what each of them must be: every answer is compared with that.
const {call, find} = require('./hostile_clients');
const {add} = require('./hostile_tally');

const LETTERS = ['a', 'ab', 'b', 'c', 'Ä'];
const ABSENT = {value: null, etag: null};

class Account {
  /**
   * `groups`: lists of keys; those of one are found together, by the options that `where` gives for it (several: of several shards).
   * Values have the fields d (the group's number and the client's), n, s and u, which is unique.
   */
  constructor({tally, any, client, number, bucket, groups, where}) {
    Object.assign(this, {tally, any, client, number, bucket, where, changes: 0});
    this.groups = groups.map((keys, i) => ({keys, name: `${number}-${i}`, where: where(i)}));
    this.entries = new Map(groups.flat().map((key) => [key, ABSENT]));
  }

  value(group) {
    const size = this.any(40) === 0 ? 20_000 : this.any(200);
    return {d: group.name, n: this.any(10), s: LETTERS[this.any(LETTERS.length)], u: `${this.number}-${++this.changes}`, text: 'ü€x'.repeat(size / 3)};
  }
  pick() {
    const group = this.groups[this.any(this.groups.length)];
    return {group, key: group.keys[this.any(group.keys.length)]};
  }
  /** An etag option, and whether a write with it is refused. */
  condition({value, etag}) {
    const choice = this.any(6);
    if (choice === 0) return {options: {etag: null}, refused: value !== null};
    if (choice === 1) return {options: {etag: 'DEADBEEF'}, refused: true};
    if (choice === 2 && value !== null && etag !== undefined) return {options: {etag}, refused: false};
    return {options: {}, refused: false};
  }

  async put() {
    const {group, key} = this.pick(), entry = this.entries.get(key), value = this.value(group);
    const {options, refused} = this.condition(entry);
    const other = group.where.length === 1 && this.any(12) === 0 ? group.keys.find((each) => each !== key && this.entries.get(each).value !== null) : undefined;
    if (other) value.u = this.entries.get(other).value.u;  // which is taken
    const {answer, error, fate} = await this.tally.ask('put', () => call(this.client, 'putObject', this.bucket, key, value, options));
    if (error && fate !== 'answered') return this.readBack(fate, [key], [{value}]);
    if (refused || other) {
      const names = [refused && 'EtagConflictError', other && 'UniqueAttributeError'];
      return this.tally.check(error && names.includes(error.name), this.bucket, key, 'put', options, error || 'done', 'though due:', names);
    }
    if (this.tally.check(!error && answer.etag, this.bucket, key, 'put', options, error)) this.entries.set(key, {value, etag: answer.etag});
  }

  async get() {
    const {key} = this.pick();
    const {answer, error, fate} = await this.tally.ask('get', () => call(this.client, 'getObject', this.bucket, key));
    if (error && fate !== 'answered') return;
    this.compare(key, this.entries.get(key), error, answer, 'get');
  }
  compare(key, entry, error, answer, what) {
    if (entry.value === null || error) {
      return this.tally.check(entry.value === null && error && error.name === 'ObjectNotFoundError', this.bucket, key, what, error || answer, 'expected', entry);
    }
    this.tally.check(answer.key === key && answer.bucket === this.bucket, what, key, answer.bucket, answer.key);
    if (this.tally.same(answer.value, entry.value, this.bucket, key, what)) this.sameEtag(key, entry, answer._etag, what);
  }
  /** An etag that is not known (what an updateObjects gives) is from its first reading on. */
  sameEtag(key, entry, etag, what) {
    if (entry.etag === undefined) this.entries.set(key, {...entry, etag});
    else this.tally.same(etag, entry.etag, this.bucket, key, what, 'etag');
  }

  async remove() {
    const {key} = this.pick(), entry = this.entries.get(key), {options, refused} = this.condition(entry);
    const {error, fate} = await this.tally.ask('delete', () => call(this.client, 'delObject', this.bucket, key, options));
    if (error && fate !== 'answered') return this.readBack(fate, [key], [ABSENT]);
    // To a delete an etag of null is no condition.
    const due = entry.value === null ? 'ObjectNotFoundError' : refused && options.etag !== null ? 'EtagConflictError' : null;
    if (due) return this.tally.check(error && error.name === due, this.bucket, key, 'delete', options, error || 'done', 'though due:', due);
    if (this.tally.check(!error, this.bucket, key, 'delete', options, error)) this.entries.set(key, ABSENT);
  }

  /** All of a batch or nothing; one request in it may be refused. */
  async batch() {
    const {group} = this.pick(), keys = group.keys.filter(() => this.any(2) === 0);
    if (keys.length === 0) return;
    let due = null;
    const after = [], requests = keys.map((key) => {
      const entry = this.entries.get(key), removes = this.any(4) === 0 && entry.value !== null;
      const {options, refused} = this.any(8) === 0 ? this.condition(entry) : {options: {}, refused: false};
      if (refused && !removes) due = 'EtagConflictError';
      after.push(removes ? ABSENT : {value: this.value(group)});
      return removes ? {bucket: this.bucket, key, operation: 'delete'} : {bucket: this.bucket, key, value: after.at(-1).value, options};
    });
    const {answer, error, fate} = await this.tally.ask('batch', () => call(this.client, 'batch', requests));
    if (error && fate !== 'answered') return this.readBack(fate, keys, after);
    if (due) return this.tally.check(error && error.name === due, this.bucket, keys, 'batch', error || 'done', 'though due:', due);
    if (!this.tally.check(!error, this.bucket, keys, 'batch', error)) return;
    keys.forEach((key, i) => {
      const told = answer.etags[i];
      if (after[i] !== ABSENT) this.tally.check(told && told.key === key && told.etag, this.bucket, keys, 'batch', answer);
      this.entries.set(key, after[i] === ABSENT ? ABSENT : {...after[i], etag: told.etag});
    });
  }

  /** A filter of a group, and the keys that it finds. */
  filter(group) {
    const n = this.any(10), s = LETTERS[this.any(LETTERS.length)];
    const [text, fits] = [
      ['(n=*)', () => true], [`(n>=${n})`, (value) => value.n >= n], [`(n<=${n})`, (value) => value.n <= n],
      [`(!(n=${n}))`, (value) => value.n !== n], [`(|(s=${s})(n=${n}))`, (value) => value.s === s || value.n === n],
      ['(s=a*)', (value) => value.s.startsWith('a')], [`(&(s=${s})(!(n=${n})))`, (value) => value.s === s && value.n !== n],
    ][this.any(7)];
    const keys = group.keys.filter((key) => { const {value} = this.entries.get(key); return value !== null && fits(value); });
    return {text: `(&(d=${group.name})${text})`, keys};
  }
  async find() {
    const {group} = this.pick(), {text, keys} = this.filter(group), found = [];
    const sorted = group.where.length === 1 && this.any(2) === 0;
    const sort = sorted ? {sort: [{attribute: 'n', order: 'DESC'}, {attribute: '_key', order: 'ASC'}], limit: 3, offset: this.any(2)} : {};
    for (const where of group.where) {
      const {answer, error, fate} = await this.tally.ask('find', () => find(this.client, this.bucket, text, {...where, ...sort}));
      if (error && fate !== 'answered') return;
      if (!this.tally.check(!error, this.bucket, text, 'find', error)) return;
      found.push(...answer);
    }
    const n = (key) => this.entries.get(key).value.n;
    const expected = sorted ? keys.sort((a, b) => n(b) - n(a) || (a < b ? -1 : 1)).slice(sort.offset, sort.offset + 3) : keys.sort();
    const order = found.map(({key}) => key);
    if (!this.tally.same(sorted ? order : order.sort(), expected, this.bucket, text, 'find')) return;
    for (const record of found) {
      this.compare(record.key, this.entries.get(record.key), null, record, 'find');
      if (group.where.length === 1) this.tally.same(record._count, keys.length, this.bucket, text, 'count');
    }
  }

  /** updateObjects or deleteMany of a group that is at one shard: all that fit, or nothing. */
  async changeMany() {
    const {group} = this.pick();
    if (group.where.length > 1) return;
    const {text, keys} = this.filter(group), fields = this.any(3) > 0 ? {n: this.any(10)} : null;
    const after = keys.map((key) => (fields ? {value: {...this.entries.get(key).value, ...fields}} : ABSENT));
    const {answer, error, fate} = fields ?
      await this.tally.ask('updateObjects', () => call(this.client, 'updateObjects', this.bucket, fields, text, group.where[0])) :
      await this.tally.ask('deleteMany', () => call(this.client, 'deleteMany', this.bucket, text, group.where[0]));
    if (error && fate !== 'answered') return this.readBack(fate, keys, after);
    if (!this.tally.check(!error, this.bucket, text, fields, 'many', error)) return;
    this.tally.same(answer.count, keys.length, this.bucket, text, fields, 'count');
    keys.forEach((key, i) => this.entries.set(key, after[i]));
  }

  /** After an error that says nothing (or that nothing was done): what the keys are now, all of them before or all after. */
  async readBack(fate, keys, after) {
    const seen = {before: 0, after: 0};
    for (const [i, key] of keys.entries()) {
      const {answer, error} = await this.tally.askUntilAnswered('get', () => call(this.client, 'getObject', this.bucket, key));
      if (!this.tally.check(!error || error.name === 'ObjectNotFoundError', this.bucket, key, 'read back', error)) return;
      const before = this.entries.get(key), now = error ? ABSENT : {value: answer.value, etag: answer._etag};
      const is = (entry) => JSON.stringify(sorted(entry.value)) === JSON.stringify(sorted(now.value));
      const both = is(before) && is(after[i]);
      if (!both && this.tally.check(is(before) || (fate === 'unknown' && is(after[i])), this.bucket, key, `read back after an outcome that is ${fate}:`, now, 'before', before, 'after', after[i])) ++seen[is(before) ? 'before' : 'after'];
      this.entries.set(key, now);
    }
    this.tally.check(seen.before === 0 || seen.after === 0, this.bucket, keys, 'are changed in part');
    add(this.tally.readBack, `${fate}: ${seen.after ? 'done' : 'not done'}`);
  }

  /** Each key once more, in the end. */
  async audit() {
    for (const [key, entry] of this.entries) {
      const {answer, error} = await this.tally.askUntilAnswered('get', () => call(this.client, 'getObject', this.bucket, key));
      this.compare(key, entry, error, answer, 'in the end');
    }
  }
}

const sorted = (value) => (value === null ? null : Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));

module.exports = {Account};
