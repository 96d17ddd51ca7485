#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backends/shard.hpp"
#include "fast/decoder.hpp"
#include "fast/error_payload.hpp"

/// The one table of what the router itself answers to clients. Names and texts that existing
/// clients match on are electric-moray's, word for word (docs/compatibility.md).
namespace router::errors {

fast::Error unsupported_method(std::string_view name, std::uint32_t message_id);
fast::Error not_well_formed(std::uint32_t message_id);
fast::Error too_deep(std::uint32_t message_id);
fast::Error protocol(const fast::DecodeFailure& failure);
/// A valid frame whose payload is not JSON, or not an object with an array `d`.
fast::Error bad_payload(std::string_view reason);

fast::Error invocation(std::string message);
fast::Error plain(std::string message);
fast::Error operation_not_supported();
fast::Error read_only_vnodes();
fast::Error read_only(std::string message);
fast::Error read_only_pnodes(std::string_view names);
fast::Error shutting_down();
fast::Error overloaded(std::string message);
/// Nothing was done: the router holds as much for its clients as it may.
fast::Error over_budget(std::size_t bytes_max);
/// Nothing was sent: the shard has not answered as much as it may hold of the router's memory.
fast::Error shard_over_budget(std::string_view pnode);
/// Nothing was sent: the shard has more to do than it can, and the request has waited for so long.
fast::Error turn_late(std::chrono::milliseconds waited);
/// A read was done, and its answer of so many bytes has no room in what waits for its client.
fast::Error answer_dropped(std::size_t bytes);

/// A read of vnodes that may be another shard's by now: nothing was sent, it may be tried again.
fast::Error not_served();

/// `stream`: findObjects and sql name a lost shard otherwise than the rest.
fast::Error from_failure(const backends::Failure& failure, bool stream);
fast::Error deadline(std::chrono::milliseconds limit, std::string_view pnode, std::string_view rpc,
                     std::chrono::milliseconds elapsed);

/// One shard's error inside a MultiError.
struct ShardError {
  std::string pnode;
  fast::Error error;
};
/// `first of N errors: …`; `errors` in the order of completion, at least one.
fast::Error multi(std::span<const ShardError> errors);

}  // namespace router::errors
