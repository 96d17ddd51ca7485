'use strict';
// A loopback port for a server that must be told which. It is none of those that the system gives to outgoing connections: one of
// these may have it before the server starts, or while it starts again.
const dgram = require('dgram');
const fs = require('fs');
const net = require('net');

const LOWEST = 10_000;

function candidate() {
  const [given] = fs.readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  const count = given - LOWEST;
  return count < 1000 ? 0 : LOWEST + Math.floor(Math.random() * count);
}

/** `listen(port)` resolves to the port that it could have, or to null. */
async function until(listen) {
  for (let i = 0; i < 100; ++i) {
    const port = await listen(candidate());
    if (port !== null) return port;
  }
  throw new Error('no port is free');
}

/** Of TCP. */
function freePort() {
  return until((port) => new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => {
      const {port: bound} = server.address();
      server.close(() => resolve(bound));
    });
  }));
}

/** Of UDP. */
function freeUdpPort() {
  return until((port) => new Promise((resolve) => {
    const socket = dgram.createSocket('udp4').once('error', () => resolve(null));
    socket.bind(port, '127.0.0.1', () => {
      const {port: bound} = socket.address();
      socket.close(() => resolve(bound));
    });
  }));
}

module.exports = {freePort, freeUdpPort};
