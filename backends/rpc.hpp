#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace backends {

/// Every RPC that a shard may be asked for, and those that a router answers itself.
enum class Rpc : std::uint8_t {
  create_bucket,
  get_bucket,
  list_buckets,
  update_bucket,
  del_bucket,
  put_object,
  get_object,
  del_object,
  find_objects,
  update_objects,
  delete_many,
  batch,
  reindex_objects,
  sql,
  get_tokens,
  ping,
  version,
  listen,
  unlisten,
};
inline constexpr std::size_t kRpcCount = 19;

/// The name on the wire, e.g. "putObject".
std::string_view to_string(Rpc rpc);

/// The RPC of that exact name. O(1).
std::optional<Rpc> rpc_named(std::string_view name);

}  // namespace backends
