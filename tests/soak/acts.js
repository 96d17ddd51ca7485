'use strict';
// What happens during a soak, in turns by a seed: decks of acts, each shuffled, so that each quarter of an hour has about as many of
// each kind. Hostile clients come one kind after the other; operators' acts go on beside them.
const fs = require('fs');
const path = require('path');

const {random} = require('../node/reshard_ledger');
const clients = require('../attack/clients'), readers = require('../attack/readers');
const {pause} = require('../attack/hostile');
const {reconnects} = require('./guest');

const ATTACKS = [...clients, ...readers, reconnects];
/** Their rows of 8 MB take more of libpq's buffers than the bound on memory has room for (docs/reliability.md): in long soaks only. */
const LONG_ONLY = new Set(['reads_nothing_postgres', 'leaves_postgres']);
/** How long writes are held or refused, and a moray stays away. */
const BLOCK_MS = 200, AWAY_MS = 300;

/** Kinds from a seed, for ever: each deck has all of them. */
function* decks(kinds, any) {
  for (;;) {
    const deck = [...kinds];
    for (let i = deck.length - 1; i > 0; --i) {
      const j = any(i + 1);
      [deck[i], deck[j]] = [deck[j], deck[i]];
    }
    yield* deck;
  }
}

/** Acts of operators, databases and shards; each with the soak and numbers from its seed. */
const OPERATIONS = {
  /** The ring's own directory and a copy of it, in turns: another image for all workers. */
  async ring_swap(soak) {
    soak.swapped = !soak.swapped;
    await soak.command('reload', soak.swapped ? {ring: path.join(soak.directory, 'copy')} : {});
  },
  /** Vnodes are given to the shard that has them. */
  async remap_of_nothing(soak, any) {
    const {vnode, pnode} = soak.places[any(soak.places.length)];
    await soak.command('remap', {vnodes: String(vnode), pnode});
  },
  async read_only(soak, any) {
    const vnodes = some(soak, any);
    await soak.command('set-data', {vnodes, data: 'ro'});
    await pause(BLOCK_MS);
    await soak.command('set-data', {vnodes});
  },
  async block_hold(soak, any) { await block(soak, any, 'hold'); },
  async block_refuse(soak, any) { await block(soak, any, 'refuse'); },
  async moray_restart(soak, any) {
    const morays = soak.morays.filter(Boolean);
    await morays[any(morays.length)].restart(AWAY_MS);
  },
  async backend_terminated(soak, any) {
    const [cluster] = soak.clusters, url = cluster.url('postgres'), ours = "FROM pg_stat_activity WHERE application_name LIKE 'moray-router%'";
    const count = Number(cluster.query(url, `SELECT count(*) ${ours}`));
    if (count > 0) cluster.query(url, `SELECT pg_terminate_backend(pid) ${ours} ORDER BY pid LIMIT 1 OFFSET ${any(count)}`);
  },
};
/** Two vnodes of which the open loop's keys are. */
const some = (soak, any) => [1, 2].map(() => soak.places[any(soak.places.length)].vnode).join();
async function block(soak, any, mode) {
  const vnodes = some(soak, any);
  await soak.command('block', {vnodes, mode, wait: true, timeoutMs: 2000});
  await pause(BLOCK_MS);
  await soak.command('unblock', {vnodes});
}

/** Tells what begins and ends, until the soak is over. `each`: carries one out. */
async function turns(soak, kinds, seed, gapMs, each) {
  const any = random(seed);
  for (const kind of decks(kinds, any)) {
    await pause(gapMs / 2 + any(gapMs));
    if (soak.over) return;
    const event = {kind: kind.name || kind, from: soak.now()};
    soak.events.push(event);
    try {
      await each(kind, any, event);
    } catch (error) {
      soak.faults.push(`${event.kind}: ${error.message}`);
    }
    event.until = soak.now();
  }
}

/** A copy of the ring, for swaps. */
function copyRing(soak) { fs.cpSync(path.join(soak.directory, 'ring'), path.join(soak.directory, 'copy'), {recursive: true}); }

module.exports = {ATTACKS, LONG_ONLY, OPERATIONS, copyRing, turns};
