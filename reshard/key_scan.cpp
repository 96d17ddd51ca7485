#include "reshard/key_scan.hpp"

#include "reshard/rows.hpp"
#include "ring/key_transform.hpp"

namespace reshard {
namespace {

/// PostgreSQL's binary COPY: a header of 19 bytes before the first row; a row has the number of its
/// fields in 2 bytes, then for each field its length in 4 (-1: NULL) and its bytes.
constexpr std::size_t kHeaderBytes = 19, kCountBytes = 2, kLengthBytes = 4, kVnodeBytes = 8;

std::uint64_t number_at(std::string_view row, std::size_t at, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    number = number << 8 | static_cast<unsigned char>(row[at + i]);
  return number;
}

}  // namespace

void scan_keys(
    backends::postgres::Session& session, const Table& table, Scan scan,
    const std::function<void(std::string_view key, std::optional<std::uint64_t> stored)>& sink) {
  session.copy_out("COPY (SELECT _key, _vnode::bigint FROM " + table.name +
                       (scan == Scan::without_vnode ? " WHERE _vnode IS NULL" : "") +
                       ") TO STDOUT (FORMAT binary)",
                   [&](std::string_view row) {
                     if (row.starts_with("PGCOPY")) row.remove_prefix(kHeaderBytes);
                     if (row.size() < kCountBytes + 2 * kLengthBytes) return;  // the end
                     const auto length =
                         static_cast<std::size_t>(number_at(row, kCountBytes, kLengthBytes));
                     const std::size_t second = kCountBytes + kLengthBytes + length;
                     std::optional<std::uint64_t> stored;
                     if (row.size() >= second + kLengthBytes + kVnodeBytes)
                       stored = number_at(row, second + kLengthBytes, kVnodeBytes);
                     sink(row.substr(kCountBytes + kLengthBytes, length), stored);
                   });
}

std::uint64_t vnode_of_key(const ring::Ring& ring, const std::string& bucket,
                           std::string_view key) {
  return number(ring.locate(ring::transform_key(bucket, key))->vnode);
}

std::uint64_t find_strays(backends::postgres::Session& session, const Table& table,
                          const ring::Ring& ring, const ring::VnodeSet& vnodes, Scan scan,
                          const std::function<void(const std::vector<std::string>& keys)>& sink) {
  std::vector<std::string> keys;
  std::uint64_t found = 0;
  const auto tell = [&] {
    if (!keys.empty()) sink(keys);
    keys.clear();
  };
  scan_keys(session, table, scan, [&](std::string_view key, std::optional<std::uint64_t> stored) {
    if (stored && vnodes.contains(static_cast<ring::Vnode>(*stored))) return;
    const std::uint64_t own = vnode_of_key(ring, table.bucket, key);
    if (!vnodes.contains(static_cast<ring::Vnode>(own))) return;
    ++found;
    keys.emplace_back(key);
    if (keys.size() >= kKeysAtOnce) tell();
  });
  tell();
  return found;
}

}  // namespace reshard
