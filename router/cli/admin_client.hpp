#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace router::cli {

using Json = nlohmann::ordered_json;

/// How `admin` ends, for scripts (docs/admin.md).
enum class AdminExit : int {
  done = 0,
  refused = 1,
  indeterminate = 3,  ///< a block's vnodes have writes whose outcome nobody knows
  not_drained = 4,    ///< a block's earlier writes have not ended in the time given
};

/// Sends a command to a router's admin socket and prints its answer: for people, or as it came
/// with `json`. Errors go to stderr, naming the socket or what the router refused.
AdminExit tell_router(const std::string& socket, bool json, const std::string& command,
                      const Json& arguments);

/// A list of vnodes as operators name them: numbers and ranges; `@FILE`: a file's; `-`: stdin's.
/// Short: ranges are joined. Throws std::runtime_error naming what is wrong, and where.
std::string read_vnodes(const std::string& given);

}  // namespace router::cli
