#include "router/shard_factory.hpp"

#include <stdexcept>

#include "backends/moray/moray_shard.hpp"
#include "backends/moray/resolver.hpp"

namespace router {
namespace {

namespace moray = backends::moray;

moray::MorayShardOptions moray_options(const config::Config& config, const ShardSpec& spec) {
  moray::MorayShardOptions options;
  options.connection.version = spec.fast_version == 2 ? fast::Version::v2 : fast::Version::v1;
  options.connection.frame_bytes_max = config.limits.shard_frame_bytes_max;
  options.connection.connect_limit = std::chrono::milliseconds(config.timeouts.connect_ms);
  options.in_flight_max = config.limits.shard_in_flight_max;
  options.stream_connections_max = config.pool.stream_connections_max;
  options.idle_limit = std::chrono::milliseconds(config.pool.idle_ms);
  return options;
}

}  // namespace

std::vector<config::Problem> unsupported_shards(const std::vector<config::Shard>& shards) {
  std::vector<config::Problem> problems;
  for (const config::Shard& shard : shards)
    if (shard.backend != config::Backend::moray)
      problems.push_back({"shards", "pnode \"" + shard.pnode + "\": backend \"" +
                                        std::string(config::to_string(shard.backend)) +
                                        "\" is not in this build"});
  return problems;
}

ShardFactory make_shard_factory(const config::Config& config) {
  const auto resolver = std::make_shared<moray::Resolver>(config.resolvers);
  return [config, resolver](const ShardSpec& spec, boost::asio::io_context& loop)
             -> std::unique_ptr<backends::Shard> {
    const std::string host = spec.srv.empty() ? spec.address : spec.srv;
    const auto endpoint = config::parse_address(host, spec.default_port);
    if (!endpoint) throw std::runtime_error("not an address: " + host);
    auto source = resolver->source(endpoint->host, endpoint->port, !spec.srv.empty());
    return std::make_unique<moray::MorayShard>(loop, std::move(source), moray_options(config, spec));
  };
}

}  // namespace router
