#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backends/dns/resolver.hpp"
#include "backends/embedded/owners.hpp"
#include "backends/postgres/operations/bucket_changes.hpp"
#include "backends/postgres/operations/listeners.hpp"
#include "config/config.hpp"
#include "router/serve/shard_set.hpp"

namespace router {

/// What the shards of all workers share: the DNS resolver and the embedded shards' stores; and the
/// making of shards out of it. Thread-safe.
class ShardSources {
 public:
  /// Is told of what a shard should never have done, which its clients hear of as a lost
  /// connection. Any thread.
  using Faults = std::function<void(const std::string& pnode, const std::string& what)>;
  explicit ShardSources(config::Config config, Faults faults = {});

  /// Limits, timeouts and pool of shards that are made from now on.
  void configure(const config::Config& config);

  /// Stores held open.
  using Opened = std::vector<std::shared_ptr<backends::embedded::Owner>>;
  /// Opens what the shards need, so that making them on the workers can't fail; hold the result
  /// for as long as they are published. Throws std::runtime_error naming what can't be opened.
  /// `at_start`: a store whose disk can't be written to is opened when it can, and its shard alone
  /// fails until then.
  Opened open(const std::vector<config::Shard>& shards, bool at_start = false);

  /// Makes one worker's shards. Holds `sources`.
  static ShardFactory factory(std::shared_ptr<ShardSources> sources);

 private:
  std::unique_ptr<backends::Shard> make(const ShardSpec& spec, boost::asio::io_context& loop,
                                        budget::Account& memory);

  const Faults faults_;
  std::mutex mutex_;
  config::Config config_;  // guarded by mutex_
  std::shared_ptr<backends::dns::Resolver> resolver_;
  backends::embedded::Owners owners_;
  std::shared_ptr<backends::postgres::Listeners> listeners_ =
      std::make_shared<backends::postgres::Listeners>();
  std::shared_ptr<backends::postgres::BucketChanges> bucket_changes_ =
      std::make_shared<backends::postgres::BucketChanges>();
};

}  // namespace router
