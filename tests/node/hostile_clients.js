'use strict';
// Connections for honest and hostile clients of a router.
const bunyan = require('bunyan');
const moray = require('moray');

const {Session} = require('../replay/session');
const {call} = require('./reshard_ledger');

const log = bunyan.createLogger({name: 'client', level: 'fatal'});

/** A node-moray client of two connections, which the router gives to different workers. */
async function connect(port) {
  const client = moray.createClient({log, url: `tcp://127.0.0.1:${port}`, unwrapErrors: true, cueballOptions: {target: 2, maximum: 3}});
  await new Promise((resolve) => client.once('connect', resolve));
  return client;
}

/** All records of a find or of an sql, as an array. */
function records(stream) {
  return new Promise((resolve, reject) => {
    const all = [];
    stream.on('record', (record) => all.push(record)).once('end', () => resolve(all)).once('error', reject);
  });
}
const find = (client, bucket, filter, options) => records(client.findObjects(bucket, filter, options));
const sql = (client, statement, values = [], options = {}) => records(client.sql(statement, values, options));

/** An RPC over a connection of its own, in the words of the wire: the values of its answer, or its error. */
async function raw(port, method, args, ms = 120_000) {
  const session = await Session.connect(port);
  try {
    const {outcome, frames} = await session.exchange({msgid: 1, json: JSON.stringify({m: {uts: 1, name: method}, d: args})}, ms);
    const values = frames.map(({json}) => JSON.parse(json).d);
    if (outcome === 'end') return values.flat();
    throw outcome === 'error' ? Object.assign(new Error(values.at(-1).message), {name: values.at(-1).name}) : Object.assign(new Error(`${method}: ${outcome}`), {name: outcome});
  } finally {
    session.close();
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

module.exports = {call, connect, find, pause, raw, sql};
