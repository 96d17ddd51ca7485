'use strict';
// Compares answers as JSON: members in any order, text exactly, placeholders by their pattern.

const PLACEHOLDERS = {
  '<integer>': (value) => Number.isInteger(value),
  '<iso>': (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value),
  '<u-etag>': (value) => typeof value === 'string' && /^u[0-9a-f]{7}$/.test(value),
  '<uuid>': (value) => typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value),
};

// Members whose value differs from run to run.
const VOLATILE = {_mtime: '<integer>', _id: '<integer>', uts: '<integer>', mtime: '<iso>', rpcMsgid: '<integer>', elapsedMs: '<integer>'};

/** A copy with placeholders where values differ from run to run. */
function mask(value) {
  if (Array.isArray(value)) return value.map(mask);
  if (value === null || typeof value !== 'object') return value;
  const copy = {};
  for (const [name, member] of Object.entries(value))
    define(copy, name, name in VOLATILE && Object.hasOwn(VOLATILE, name) ? VOLATILE[name] : mask(member));
  return copy;
}

function define(object, name, value) {
  Object.defineProperty(object, name, {value, enumerable: true, configurable: true, writable: true});
}

/** Differences as lines `path: expected …, got …`; none where `actual` fits. */
function differences(expected, actual, path = '') {
  if (typeof expected === 'string' && Object.hasOwn(PLACEHOLDERS, expected))
    return PLACEHOLDERS[expected](actual) || actual === expected ? [] : [line(path, expected, actual)];
  if (expected === null || typeof expected !== 'object' || actual === null || typeof actual !== 'object')
    return Object.is(expected, actual) || expected === actual ? [] : [line(path, expected, actual)];
  if (Array.isArray(expected) !== Array.isArray(actual)) return [line(path, expected, actual)];
  const names = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  return [...names].flatMap((name) => {
    const at = `${path}/${name}`;
    if (!Object.hasOwn(expected, name)) return [`${at}: unexpected ${short(actual[name])}`];
    if (!Object.hasOwn(actual, name)) return [`${at}: missing ${short(expected[name])}`];
    return differences(expected[name], actual[name], at);
  });
}

function line(path, expected, actual) {
  return `${path || '/'}: expected ${short(expected)}, got ${short(actual)}`;
}

function short(value) {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text;
}

/** Rows sorted by their text, for answers whose order nobody promised. */
function sortRows(frames) {
  const rows = frames.filter((frame) => frame[0] === 'DATA');
  const text = (frame) => JSON.stringify(frame[1]?.[0]?.key ?? frame[1]);
  rows.sort((a, b) => (text(a) < text(b) ? -1 : 1));
  return [...rows, ...frames.filter((frame) => frame[0] !== 'DATA')];
}

module.exports = {define, differences, mask, short, sortRows};
