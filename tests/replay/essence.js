'use strict';
// What a request to a shard means, apart from members that say what is understood without them.

const UNDERSTOOD = {headers: {}, no_count: false, sql_only: false, requireOnlineReindexing: false, requireIndexes: false,
  readOnlyOverride: false};

// Options that moray reads in these RPCs only; electric-moray's client adds them elsewhere too.
const READ_ONLY_BY = {noCache: ['getObject', 'findObjects'], bucket: []};

/** Name and arguments of a request; `withRequestId` tells whether the client gave a req_id. */
function essence(json, withRequestId) {
  const {m: {name}, d} = JSON.parse(json);
  return {name, d: d.map((argument, i) => finite(option(argument, withRequestId, i === d.length - 1 ? name : undefined)))};
}

/** JSON has no infinity: electric-moray wrote null where a client's number was too large. */
function finite(value) {
  return JSON.parse(JSON.stringify(value));
}

function option(argument, withRequestId, optionsOf) {
  if (argument === null || typeof argument !== 'object') return argument;
  // An array in place of options is options without members.
  if (Array.isArray(argument)) return argument.length ? argument.map((entry) => option(entry, withRequestId)) : {};
  const copy = Object.fromEntries(Object.entries(argument).filter(([name, value]) => {
    if (optionsOf && Object.hasOwn(READ_ONLY_BY, name) && !READ_ONLY_BY[name].includes(optionsOf)) return false;
    if (name === '_value' || (name === 'req_id' && !withRequestId)) return false;
    if ((name === 'pre' || name === 'post') && Array.isArray(value) && value.length === 0) return false;
    return !(Object.hasOwn(UNDERSTOOD, name) && JSON.stringify(value) === JSON.stringify(UNDERSTOOD[name]));
  }));
  return copy;
}

module.exports = {essence};
