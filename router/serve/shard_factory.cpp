#include "router/serve/shard_factory.hpp"

#include <algorithm>
#include <stdexcept>

#include "backends/embedded/embedded_shard.hpp"
#include "backends/moray/moray_shard.hpp"
#include "backends/postgres/postgres_shard.hpp"

namespace router {
namespace {

namespace moray = backends::moray;

moray::MorayShardOptions moray_options(const config::Config& config, const ShardSpec& spec) {
  moray::MorayShardOptions options;
  options.pool.connection.version = spec.fast_version == 2 ? fast::Version::v2 : fast::Version::v1;
  options.pool.connection.frame_bytes_max = config.limits.shard_frame_bytes_max;
  options.pool.connection.connect_limit = std::chrono::milliseconds(config.timeouts.connect_ms);
  options.in_flight_max = config.limits.shard_in_flight_max;
  // What a worker's shard may hold while nobody else holds anything.
  options.unsent_bytes_max = config::memory_bytes(config) / 8;
  options.pool.point_connections = config.pool.point_connections;
  options.pool.stream_connections_max = config.pool.stream_connections_max;
  options.pool.idle_limit = std::chrono::milliseconds(config.pool.idle_ms);
  return options;
}

backends::postgres::PostgresShardOptions postgres_options(
    const config::Config& config, const ShardSpec& spec,
    std::shared_ptr<backends::postgres::Listeners> listeners,
    std::shared_ptr<backends::postgres::BucketChanges> bucket_changes,
    std::shared_ptr<backends::dns::Resolver> resolver) {
  backends::postgres::PostgresShardOptions options;
  options.pool.url = spec.url;
  options.pool.point_connections = config.pool.postgres_point_connections;
  options.pool.exclusive_connections = config.pool.stream_connections_max;
  options.pool.connect_limit = std::chrono::milliseconds(config.timeouts.connect_ms);
  options.pool.idle_limit = std::chrono::milliseconds(config.pool.idle_ms);
  // The server's verdict, "not done", comes before the router's own deadline, which knows nothing.
  const auto deadline = config.timeouts.object_ms;
  options.pool.point_limit =
      std::chrono::milliseconds(deadline - std::min<std::uint64_t>(1'000, deadline / 10));
  options.in_flight_max = config.limits.shard_in_flight_max;
  options.listeners = std::move(listeners);
  options.bucket_changes = std::move(bucket_changes);
  options.pool.resolver = std::move(resolver);
  return options;
}

/// Not counted by the budget, so that all stores together take a small part of what it is.
std::size_t cache_bytes(const config::Config& config) {
  constexpr std::size_t kMost = 64u << 20, kLeast = 1u << 20;
  const auto stores = std::count_if(
      config.shards.begin(), config.shards.end(),
      [](const config::Shard& shard) { return shard.backend == config::Backend::embedded; });
  const auto each = config::memory_bytes(config) / 16 / std::max<std::size_t>(1, stores);
  return std::clamp<std::size_t>(each, kLeast, kMost);
}

backends::embedded::StoreOptions store_options(const std::string& path, bool may_begin_down,
                                               std::size_t cache_bytes_max) {
  backends::embedded::StoreOptions options;
  options.directory = path;
  options.may_begin_down = may_begin_down;
  options.cache_bytes = cache_bytes_max;
  return options;
}

}  // namespace

ShardSources::ShardSources(config::Config config, Faults faults)
    : faults_(std::move(faults)), config_(std::move(config)),
      resolver_(std::make_shared<backends::dns::Resolver>(config_.resolvers)) {}

void ShardSources::configure(const config::Config& config) {
  const std::scoped_lock lock(mutex_);
  config_ = config;
}

ShardSources::Opened ShardSources::open(const std::vector<config::Shard>& shards, bool at_start) {
  Opened opened;
  const std::size_t cache_bytes_max = [this] {
    const std::scoped_lock lock(mutex_);
    return cache_bytes(config_);
  }();
  for (const config::Shard& shard : shards)
    if (const auto problem = shard.backend == config::Backend::postgres
                                 ? backends::postgres::problem_of_url(shard.url)
                                 : std::nullopt)
      throw std::runtime_error("pnode \"" + shard.pnode +
                               "\": its url is not libpq's: " + *problem);
    else if (shard.backend == config::Backend::embedded)
      opened.push_back(
          owners_.open(store_options(shard.path, at_start, cache_bytes_max), shard.sync));
  return opened;
}

ShardFactory ShardSources::factory(std::shared_ptr<ShardSources> sources) {
  return [sources = std::move(sources)](const ShardSpec& spec, boost::asio::io_context& loop,
                                        budget::Account& memory) {
    return sources->make(spec, loop, memory);
  };
}

std::unique_ptr<backends::Shard> ShardSources::make(const ShardSpec& spec,
                                                    boost::asio::io_context& loop,
                                                    budget::Account& memory) {
  const std::scoped_lock lock(mutex_);
  if (spec.backend == config::Backend::embedded)
    return std::make_unique<backends::embedded::EmbeddedShard>(
        loop, owners_.open(store_options(spec.path, false, cache_bytes(config_)), spec.sync),
        spec.path, config_.limits.shard_in_flight_max);
  if (spec.backend == config::Backend::postgres) {
    auto options = postgres_options(config_, spec, listeners_, bucket_changes_, resolver_);
    options.pool.memory = &memory;
    if (faults_)
      options.pool.out_of_step = [faults = faults_, pnode = spec.pnode](const std::string& what) {
        faults(pnode, what);
      };
    return std::make_unique<backends::postgres::PostgresShard>(loop, std::move(options));
  }
  const std::string host = spec.srv.empty() ? spec.address : spec.srv;
  const auto endpoint = config::parse_address(host, spec.default_port);
  if (!endpoint) throw std::runtime_error("not an address: " + host);
  auto source = resolver_->source(endpoint->host, endpoint->port, !spec.srv.empty());
  return std::make_unique<moray::MorayShard>(loop, std::move(source), moray_options(config_, spec));
}

}  // namespace router
