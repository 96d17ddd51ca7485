#include "backends/embedded/keys.hpp"

namespace backends::embedded::keys {
namespace {

constexpr std::size_t kIdBytes = sizeof(BucketId);

template <typename Number>
void append_big_endian(std::string& out, Number number) {
  for (int shift = 8 * (static_cast<int>(sizeof number) - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(number >> shift & 0xff);
}

std::string with_id(char kind, BucketId bucket) {
  std::string key(1, kind);
  append_big_endian(key, bucket);
  return key;
}

}  // namespace

std::string format() { return "mformat"; }
std::string next_bucket() { return "mnextBucket"; }
std::string bucket(std::string_view name) { return "b" + std::string(name); }
std::string bucket_prefix() { return "b"; }
std::string counters(BucketId bucket) { return with_id('c', bucket); }
std::string rows(BucketId bucket) { return with_id('r', bucket); }
std::string row(BucketId bucket, std::string_view key) { return rows(bucket).append(key); }
std::string unique_values(BucketId bucket) { return with_id('u', bucket); }
std::string unique_values(BucketId bucket, ColumnId column) {
  std::string key = with_id('u', bucket);
  append_big_endian(key, column);
  return key;
}
std::string unique_value(BucketId bucket, ColumnId column, std::string_view value) {
  return unique_values(bucket, column).append(value);
}
std::string dropped(BucketId bucket) { return with_id('d', bucket); }
std::string dropped_prefix() { return "d"; }

std::string_view row_key(std::string_view row) { return row.substr(1 + kIdBytes); }
std::string_view bucket_name(std::string_view bucket) { return bucket.substr(1); }
BucketId dropped_bucket(std::string_view dropped) {
  BucketId id = 0;
  for (const char byte : dropped.substr(1, kIdBytes))
    id = id << 8 | static_cast<unsigned char>(byte);
  return id;
}

}  // namespace backends::embedded::keys
