'use strict';
// Reads recordings, and restores the few texts that were cut for their length.
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');

const data = path.join(__dirname, '..', 'data');

function readLines(file) {
  const packed = path.join(data, file + '.gz');
  const bytes = fs.existsSync(packed) ? zlib.gunzipSync(fs.readFileSync(packed)) : fs.readFileSync(path.join(data, file));
  return bytes.toString('utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
}

/** `…xxx…(N characters)`: the text was cut inside a run of one character, and N was its length. */
function restore(text, tail) {
  const cut = /^(.*)…\((\d+) characters\)$/s.exec(text);
  if (!cut) return text;
  const [, head, length] = cut;
  return head + head.at(-1).repeat(Number(length) - head.length - tail.length) + tail;
}

module.exports = {readLines, restore};
