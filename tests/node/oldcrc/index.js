'use strict';
// CRC-16/XMODEM over the low 8 bits of each UTF-16 code unit: Fast version 1's checksum.
const table = Array.from({length: 256}, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

exports.crc16 = function crc16(text) {
  let crc = 0;
  for (let i = 0; i < text.length; i++)
    crc = table[((crc >> 8) ^ text.charCodeAt(i)) & 0xff] ^ ((crc << 8) & 0xffff);
  return crc;
};
