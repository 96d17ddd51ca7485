'use strict';
// `moray-router admin` as tests call it.
const assert = require('node:assert');
const {execFile} = require('child_process');
const net = require('net');

/** Functions for the router whose admin socket `socket()` names. */
function adminOf(socket) {
  /** Runs a command; `input` goes to its stdin. */
  function admin(...words) {
    return new Promise((resolve) => {
      execFile(process.env.MORAY_ROUTER_BIN, ['admin', '--socket', socket(), ...words], {maxBuffer: 64 << 20},
        (error, stdout, stderr) => resolve({code: error ? error.code : 0, stdout, stderr}));
    });
  }
  /** What a command that must succeed answers. */
  async function result(...words) {
    const {code, stdout, stderr} = await admin('--json', ...words);
    assert.strictEqual(code, 0, stderr + stdout);
    return JSON.parse(stdout).result;
  }
  /** Why a command was refused, in words. */
  async function refusal(...words) {
    const {code, stderr} = await admin(...words);
    assert.strictEqual(code, 1, stderr);
    return stderr;
  }
  return {admin, result, refusal};
}

/** Without a program: `line(command, arguments)` sends one to that socket, and resolves with the line that comes back. */
function lineOf(socket) {
  return (command, args = {}) => new Promise((resolve, reject) => {
    const connection = net.connect(socket(), () => connection.write(JSON.stringify({v: 1, command, arguments: args}) + '\n'));
    let text = '';
    connection.on('data', (data) => {
      text += data;
      if (!text.endsWith('\n')) return;
      connection.destroy();
      resolve(JSON.parse(text));
    });
    connection.on('error', reject);
  });
}

/** What a command that must succeed answers to such a line, and why one that must be refused with that code was. */
function answersOf(line) {
  async function result(command, args) {
    const answer = await line(command, args);
    assert.ok(answer.ok, JSON.stringify(answer));
    return answer.result;
  }
  async function refused(code, command, args) {
    const answer = await line(command, args);
    assert.strictEqual(answer.ok ? 'ok' : answer.error.code, code, JSON.stringify(answer));
    return answer.error.message;
  }
  return {result, refused};
}

module.exports = {adminOf, answersOf, lineOf};
