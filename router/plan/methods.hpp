#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "backends/rpc.hpp"

namespace router {

/// What electric-moray's argument check asks of an argument (JavaScript's typeof).
enum class ArgumentType : std::uint8_t { string, number, object, array };

struct Argument {
  std::string_view name;
  ArgumentType type;
};

/// Which shards an RPC goes to.
enum class Route : std::uint8_t {
  by_key,      ///< bucket and key name one vnode
  by_batch,    ///< all requests of the batch must name one vnode
  by_hashkey,  ///< options.token names the shard, or options.hashkey is hashed as it is
  any_shard,   ///< one healthy shard
  all_shards,  ///< every shard, all answers joined
  here,        ///< answered by the router
};

/// How the values of the answer are edited on their way back.
enum class ReplyEdit : std::uint8_t {
  none,      ///< as they are
  add_node,  ///< `_node` is appended to each value
  object,    ///< `vnode` goes out of the value, `_node` is appended
  record,    ///< `vnode` goes out of the value
  drop,      ///< values are swallowed
};

/// Which default deadline holds (config: timeouts).
enum class DeadlineClass : std::uint8_t { object, find, long_running, none };

/// One row of the table of RPCs. Handlers don't exist: a row says it all.
struct Method {
  backends::Rpc rpc;
  std::string_view name;
  std::span<const Argument> arguments;
  Route route;
  ReplyEdit reply_edit;
  DeadlineClass deadline;
  bool write;        ///< changes data: gated, never retried
  bool bucket_wide;  ///< a write that names no vnode: refused while any vnode is read-only
  bool retryable;    ///< may be sent once more after a lost connection
  bool stream;       ///< takes a shard connection of its own

  /// Reads rows of the shard that the ring names: getObject, findObjects. (sql asks every shard
  /// whatever the ring, and is waited for as a write.)
  [[nodiscard]] constexpr bool reads_rows() const {
    return !write && (route == Route::by_key || route == Route::by_hashkey);
  }
};

/// The row of an RPC. O(1).
const Method& method_of(backends::Rpc rpc);
/// The whole table, in the order of backends::Rpc.
std::span<const Method> methods();

}  // namespace router
