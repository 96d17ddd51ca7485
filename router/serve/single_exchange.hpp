#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "router/plan/plan.hpp"
#include "router/serve/exchange.hpp"
#include "router/serve/reads_under_way.hpp"
#include "router/serve/write_leases.hpp"

namespace router {

/// A request to one shard: named by its key, or any that is healthy. Lives on one worker, in the
/// context's spare list between requests.
class SingleExchange final : public Exchange, private backends::ReplySink {
 public:
  explicit SingleExchange(DispatchContext& context) : Exchange(context) {}

  /// A fresh exchange, or a finished one used again. It belongs to itself until it is over.
  static SingleExchange& make(DispatchContext& context, Origin origin);

  /// Sends the frame's request, changed by `edits`. `target` as planned; nullopt: any healthy
  /// shard. May answer, and finish, before it returns.
  void start(std::optional<ToShard> target, Edits& edits, const fast::Frame& frame);

  /// Sends it once more after a lost connection, planned anew on today's ring.
  void retry();

  void abandon() override;
  void resume() override;

 private:
  void on_data(const backends::Reply& reply) override;
  void on_end(const backends::Reply& reply) override;
  void on_error(const backends::Reply& reply) override;
  void on_failure(const backends::Failure& failure) override;

  bool submit(const backends::Request& request);
  void forget_ticket(bool answered);
  void choose_shard();
  void submit_somewhere(backends::Request& request);
  void refuse_unserved();
  [[nodiscard]] bool may_retry(const backends::Failure& failure) const;
  void relay(fast::Status status, const backends::Reply& reply);
  std::size_t relay_values(fast::Status status, const backends::Reply& reply);
  void answer_failure(const backends::Failure& failure);
  void fail(const fast::Error& error);
  void give_up_shard();
  void aim(const Planned& planned) override;
  void send_held(Planned& planned) override;
  void answer_late() override;
  void release() override;  ///< back to the context's spare list
  void end_lease(const backends::Failure* failure = nullptr);
  void send_again(Edits& edits);

  backends::Shard* shard_ = nullptr;
  std::optional<backends::Ticket> ticket_;  // set while the shard knows our sink
  ShardTurns::Part part_;                   // as long
  WriteLease lease_;                        // runs while a write is with the shard
  ReadUnderWay read_;                       // runs until a read's first answer
  ToShard target_;
  bool any_shard_ = false;
  bool paused_ = false;
  std::optional<backends::Failure> lost_;  // why a second attempt is made
  bool data_seen_ = false;
  std::uint8_t attempts_ = 0;
};

}  // namespace router
