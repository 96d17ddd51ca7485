'use strict';
// Fast frames on the wire, written apart from the router's own code and from npm's.

const HEADER_BYTES = 15;
const DATA = 1, END = 2, ERROR = 3;
const STATUS_NAMES = {[DATA]: 'DATA', [END]: 'END', [ERROR]: 'ERROR'};

// Version 1: CRC-16/XMODEM (most significant bit first); version 2: CRC-16/ARC (reflected).
const xmodem = table((byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});
const arc = table((byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
});

function table(entry) {
  return Uint16Array.from({length: 256}, (_, byte) => entry(byte));
}

/** The checksum of a payload; `bytes` is its UTF-8 form. Version 1 sums low bytes of UTF-16 units. */
function checksum(version, text, bytes) {
  let crc = 0;
  if (version === 1) {
    for (let i = 0; i < text.length; i++)
      crc = xmodem[((crc >> 8) ^ text.charCodeAt(i)) & 0xff] ^ ((crc << 8) & 0xffff);
  } else {
    for (const byte of bytes) crc = arc[(crc ^ byte) & 0xff] ^ (crc >> 8);
  }
  return crc;
}

/** `crcOffset` makes the checksum wrong by so much. */
function encode({version, status, msgid, json, crcOffset = 0}) {
  const bytes = Buffer.from(json, 'utf8');
  const frame = Buffer.alloc(HEADER_BYTES + bytes.length);
  frame[0] = version;
  frame[1] = 1;
  frame[2] = status;
  frame.writeUInt32BE(msgid, 3);
  frame.writeUInt32BE(checksum(version, json, bytes) + crcOffset, 7);
  frame.writeUInt32BE(bytes.length, 11);
  bytes.copy(frame, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into frames. A frame whose checksum is wrong throws. */
class Decoder {
  constructor() {
    this.chunks = [];
    this.size = 0;
  }

  push(chunk) {
    this.chunks.push(chunk);
    this.size += chunk.length;
    const frames = [];
    for (let frame; (frame = this.next()); ) frames.push(frame);
    return frames;
  }

  next() {
    if (this.size < HEADER_BYTES) return undefined;
    if (this.chunks[0].length < HEADER_BYTES) this.chunks = [Buffer.concat(this.chunks)];
    const bytes = HEADER_BYTES + this.chunks[0].readUInt32BE(11);
    if (this.size < bytes) return undefined;
    const all = Buffer.concat(this.chunks);
    this.chunks = [all.subarray(bytes)];
    this.size = this.chunks[0].length;
    return decode(all.subarray(0, bytes));
  }
}

function decode(bytes) {
  const payload = bytes.subarray(HEADER_BYTES);
  const frame = {
    version: bytes[0], status: STATUS_NAMES[bytes[2]], msgid: bytes.readUInt32BE(3),
    json: payload.toString('utf8'),
  };
  const expected = checksum(frame.version, frame.json, payload);
  const found = bytes.readUInt32BE(7);
  if (found !== expected) throw new Error(`checksum ${found} where ${expected} is right: ${frame.json}`);
  return frame;
}

module.exports = {DATA, END, ERROR, Decoder, encode};
