'use strict';
// All attacks; and which of them are part of the short form that CI runs.
const ATTACKS = ['clients', 'readers', 'shards', 'lies', 'names', 'pages', 'system'].flatMap((file) => require(`./${file}`));

/** Attacks whose bounds the program does not keep yet: a name leaves this list with the change that makes it stand. */
const NOT_YET = [];
/** Those whose like is in CI, and that take seconds each. */
const LONG_ONLY = ['names_slow', 'names_garbage', 'names_truncated', 'names_elsewhere'];
const NOT_IN_CI = new Set([...NOT_YET, ...LONG_ONLY]);

module.exports = {ATTACKS, NOT_IN_CI};
