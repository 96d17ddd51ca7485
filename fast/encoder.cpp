#include "fast/encoder.hpp"

#include "fast/checksum.hpp"

namespace fast {
namespace {

void put_u32(char* at, std::uint32_t number) {
  at[0] = static_cast<char>(number >> 24);
  at[1] = static_cast<char>(number >> 16);
  at[2] = static_cast<char>(number >> 8);
  at[3] = static_cast<char>(number);
}

void write_header(char* at, Version version, Status status, std::uint32_t message_id,
                  std::uint16_t checksum, std::size_t payload_bytes) {
  at[0] = static_cast<char>(version);
  at[1] = 1;  // type: JSON
  at[2] = static_cast<char>(status);
  put_u32(at + 3, message_id);
  put_u32(at + 7, checksum);
  put_u32(at + 11, static_cast<std::uint32_t>(payload_bytes));
}

}  // namespace

void append_frame(std::string& out, Version version, Status status, std::uint32_t message_id,
                  std::span<const std::string_view> pieces) {
  std::uint16_t crc = 0;
  for (const std::string_view piece : pieces) crc = checksum(version, piece, crc);
  append_frame_with_checksum(out, version, status, message_id, crc, pieces);
}

void append_frame(std::string& out, Version version, Status status, std::uint32_t message_id,
                  std::string_view payload) {
  append_frame(out, version, status, message_id, {&payload, 1});
}

void append_frame_with_checksum(std::string& out, Version version, Status status,
                                std::uint32_t message_id, std::uint16_t checksum,
                                std::span<const std::string_view> pieces) {
  std::size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size();
  char header[kHeaderBytes];
  write_header(header, version, status, message_id, checksum, bytes);
  out.append(header, kHeaderBytes);
  for (const std::string_view piece : pieces) out.append(piece);
}

std::size_t begin_frame(std::string& out) {
  const std::size_t position = out.size();
  out.append(kHeaderBytes, '\0');
  return position;
}

void finish_frame(std::string& out, std::size_t position, Version version, Status status,
                  std::uint32_t message_id) {
  const std::string_view payload = std::string_view(out).substr(position + kHeaderBytes);
  const std::uint16_t crc = checksum(version, payload);
  write_header(out.data() + position, version, status, message_id, crc, payload.size());
}

}  // namespace fast
