#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/shard.hpp"
#include "budget/budget.hpp"
#include "router/serve/shard_spec.hpp"
#include "router/serve/shard_turns.hpp"

namespace router {

/// Makes a shard for one worker. Called on that worker.
using ShardFactory = std::function<std::unique_ptr<backends::Shard>(
    const ShardSpec& spec, boost::asio::io_context& loop, budget::Account& memory)>;

/// One worker's shards. A shard whose description does not change lives on from ring to ring;
/// one that left takes no new work and goes with its last answer. Lives on that worker.
class ShardSet {
 public:
  /// `memory`: what the worker's clients and shards draw on. It and `turns` outlive us.
  ShardSet(ShardFactory factory, boost::asio::io_context& loop, budget::Account& memory,
           Turns& turns)
      : factory_(std::move(factory)), loop_(loop), memory_(memory), turns_(turns) {}

  /// The shards of a new ring, in the order of `specs`. O(specs) where most keep their places.
  void publish(const std::vector<ShardSpec>& specs);

  /// Destroys retired shards that are idle, and for which nothing waits.
  void collect();
  void retire_all();

  struct Held {
    ShardSpec spec;
    std::unique_ptr<backends::Shard> shard;
    std::unique_ptr<ShardTurns> turns;
  };
  /// As published.
  [[nodiscard]] const std::vector<Held>& shards() const { return shards_; }
  [[nodiscard]] bool all_idle() const;

 private:
  Held take(const ShardSpec& spec, std::size_t place);

  ShardFactory factory_;
  boost::asio::io_context& loop_;
  budget::Account& memory_;
  Turns& turns_;
  std::vector<Held> shards_;
  std::vector<Held> retired_;
};

}  // namespace router
