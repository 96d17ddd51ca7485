#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include <boost/asio/io_context.hpp>

#include "backends/embedded/outbox.hpp"
#include "backends/embedded/owner.hpp"
#include "backends/shard.hpp"

namespace backends::embedded {

/// A shard kept in a LevelDB directory of this machine: moray's RPCs but for sql, listen,
/// unlisten and getTokens, with no server. One worker's view of an Owner that all workers share.
/// Lives on: one worker.
class EmbeddedShard final : public Shard {
 public:
  /// `in_flight_max`: requests outstanding here; more are refused as overloaded.
  EmbeddedShard(boost::asio::io_context& loop, std::shared_ptr<Owner> owner, std::string directory,
                std::size_t in_flight_max);
  ~EmbeddedShard();

  Submitted submit(const Request& request, ReplySink& sink) override;
  /// True: the owner had not begun the request, a write too, and never will; or it was a find,
  /// which ends. False: it has been begun, and its answer comes.
  bool cancel(Ticket ticket) override;
  void pause(Ticket ticket) override;
  void resume(Ticket ticket) override;
  /// One thread does it all: finds by slices, in turn, so many of a worker (`OwnerLimits`), and one
  /// change after the other. Changes that wait together share a sync.
  [[nodiscard]] Places places() const override { return {.streams = 64, .changes = 16}; }
  void retire() override { retired_ = true; }
  [[nodiscard]] bool idle() const override { return retired_ && pending_.empty(); }
  [[nodiscard]] bool healthy() const override { return !retired_; }
  [[nodiscard]] ShardStatus status() const override;

 private:
  struct Pending {
    ReplySink* sink = nullptr;
    std::shared_ptr<Stream> stream;  // finds only
    bool paused = false;
    std::deque<Message> held;  // in order; more than one only while paused
  };

  Task task_of(const Request& request);
  void deliver(std::vector<Message> messages);
  void hand_over_held(std::uint64_t number);
  void took(const Pending& pending, const Message& message);

  std::shared_ptr<Owner> owner_;
  std::shared_ptr<Outbox> outbox_;
  std::string directory_;
  std::size_t in_flight_max_;
  bool retired_ = false;
  std::uint64_t next_number_ = 1;
  std::unordered_map<std::uint64_t, Pending> pending_;
};

}  // namespace backends::embedded
