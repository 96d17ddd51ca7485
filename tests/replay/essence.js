'use strict';
// What a request to a shard means, apart from members that say what is understood without them.

const UNDERSTOOD = {headers: {}, no_count: false, sql_only: false, requireOnlineReindexing: false, requireIndexes: false,
  readOnlyOverride: false};

/** Name and arguments of a request; `withRequestId` tells whether the client gave a req_id. */
function essence(json, withRequestId) {
  const {m: {name}, d} = JSON.parse(json);
  return {name, d: d.map((argument) => option(argument, withRequestId))};
}

function option(argument, withRequestId) {
  if (argument === null || typeof argument !== 'object') return argument;
  // An array in place of options is options without members.
  if (Array.isArray(argument)) return argument.length ? argument.map((entry) => option(entry, withRequestId)) : {};
  const copy = Object.fromEntries(Object.entries(argument).filter(([name, value]) => {
    if (name === '_value' || (name === 'req_id' && !withRequestId)) return false;
    if ((name === 'pre' || name === 'post') && Array.isArray(value) && value.length === 0) return false;
    return !(Object.hasOwn(UNDERSTOOD, name) && JSON.stringify(value) === JSON.stringify(UNDERSTOOD[name]));
  }));
  return copy;
}

module.exports = {essence};
