#include "backends/rpc.hpp"

#include <array>

namespace backends {
namespace {

constexpr std::array<std::string_view, kRpcCount> kNames{
    "createBucket", "getBucket", "listBuckets",    "updateBucket", "delBucket",
    "putObject",    "getObject", "delObject",      "findObjects",  "updateObjects",
    "deleteMany",   "batch",     "reindexObjects", "sql",          "getTokens",
    "ping",         "version",   "listen",         "unlisten",
};

}  // namespace

std::string_view to_string(Rpc rpc) { return kNames[static_cast<std::size_t>(rpc)]; }

std::optional<Rpc> rpc_named(std::string_view name) {
  for (std::size_t i = 0; i < kRpcCount; ++i)  // nearly always, a comparison is one of lengths
    if (kNames[i] == name) return static_cast<Rpc>(i);
  return std::nullopt;
}

}  // namespace backends
