#include <algorithm>

#include "config/config.hpp"

namespace config {
namespace {

const Shard* shard_named(const Config& config, const std::string& pnode) {
  const auto endpoint = parse_pnode_url(pnode);
  for (const Shard& shard : config.shards) {
    if (shard.pnode == pnode) return &shard;
    // electric-moray compared the whole URL, so that any port but 2020 was read-only for ever.
    if (config.electric_moray && endpoint && endpoint->host == shard.srv) return &shard;
  }
  return nullptr;
}

/// By SRV of the URL's host, then by host and port.
std::optional<Shard> from_url(const std::string& pnode) {
  const auto endpoint = parse_pnode_url(pnode);
  if (!endpoint) return std::nullopt;
  Shard shard;
  shard.pnode = pnode;
  shard.srv = endpoint->host;
  shard.default_port = endpoint->port;
  return shard;
}

void resolve_electric_moray(const Config& config, const std::string& pnode,
                            ResolvedShards& result) {
  auto shard = from_url(pnode);
  if (!shard) {
    result.problems.push_back({pnode, "is not of the form tcp://host:port"});
    return;
  }
  const Shard* named = shard_named(config, pnode);
  shard->read_only = named == nullptr || named->read_only;
  if (named == nullptr)
    result.warnings.push_back({pnode, "is not in ringCfg.indexShards: it is read-only"});
  result.shards.push_back(std::move(*shard));
}

}  // namespace

ResolvedShards resolve_shards(const Config& config, const std::vector<std::string>& pnodes) {
  ResolvedShards result;
  for (const std::string& pnode : pnodes) {
    if (config.electric_moray) {
      resolve_electric_moray(config, pnode, result);
      continue;
    }
    if (const Shard* shard = shard_named(config, pnode)) {
      result.shards.push_back(*shard);
      continue;
    }
    auto derived = config.shards_from_url ? from_url(pnode) : std::nullopt;
    if (derived)
      result.shards.push_back(std::move(*derived));
    else
      result.problems.push_back({"shards", "the ring's pnode \"" + pnode + "\" has no shard"});
  }
  for (const Shard& shard : config.shards)
    if (!config.electric_moray &&
        std::find(pnodes.begin(), pnodes.end(), shard.pnode) == pnodes.end())
      result.warnings.push_back({"shards", "\"" + shard.pnode + "\" is not a pnode of the ring"});
  return result;
}

}  // namespace config
