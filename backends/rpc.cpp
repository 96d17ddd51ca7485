#include "backends/rpc.hpp"

#include <array>
#include <string>
#include <unordered_map>

namespace backends {
namespace {

constexpr std::array<std::string_view, kRpcCount> kNames{
    "createBucket", "getBucket",   "listBuckets",    "updateBucket", "delBucket",
    "putObject",    "getObject",   "delObject",      "findObjects",  "updateObjects",
    "deleteMany",   "batch",       "reindexObjects", "sql",          "getTokens",
    "ping",         "version",     "listen",         "unlisten",
};

const std::unordered_map<std::string_view, Rpc>& by_name() {
  static const std::unordered_map<std::string_view, Rpc> map = [] {
    std::unordered_map<std::string_view, Rpc> made;
    for (std::size_t i = 0; i < kNames.size(); ++i) made.emplace(kNames[i], static_cast<Rpc>(i));
    return made;
  }();
  return map;
}

}  // namespace

std::string_view to_string(Rpc rpc) { return kNames[static_cast<std::size_t>(rpc)]; }

std::optional<Rpc> rpc_named(std::string_view name) {
  const auto found = by_name().find(name);
  if (found == by_name().end()) return std::nullopt;
  return found->second;
}

}  // namespace backends
