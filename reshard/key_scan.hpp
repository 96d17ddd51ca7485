#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/postgres/wire/session.hpp"
#include "reshard/tables.hpp"
#include "ring/ring.hpp"
#include "ring/vnode_set.hpp"

/// What rows say of their vnodes, against what their keys say.
namespace reshard {

/// Which rows are looked at.
enum class Scan : std::uint8_t {
  all,            ///< O(rows)
  without_vnode,  ///< those whose `_vnode` is NULL
};

/// Streams a table's keys with what their rows say: nullopt where `_vnode` is NULL. A sink that
/// throws ends the session's connection. Throws SessionError.
void scan_keys(
    backends::postgres::Session& session, const Table& table, Scan scan,
    const std::function<void(std::string_view key, std::optional<std::uint64_t> stored)>& sink);

/// The vnode that a row's key has. Pure.
std::uint64_t vnode_of_key(const ring::Ring& ring, const std::string& bucket, std::string_view key);

/// Rows whose keys have one of these vnodes although the rows don't say so: by their stored vnode
/// nobody finds them. `sink`: told of some thousand keys at a time. Their number.
std::uint64_t find_strays(backends::postgres::Session& session, const Table& table,
                          const ring::Ring& ring, const ring::VnodeSet& vnodes, Scan scan,
                          const std::function<void(const std::vector<std::string>& keys)>& sink);

}  // namespace reshard
