#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "router/plan/errors.hpp"
#include "router/serve/exchange.hpp"
#include "router/serve/write_leases.hpp"

namespace router {

/// A request to every shard at once; values are passed on as they come, errors are joined into
/// one MultiError at the end. No transaction spans the shards.
///
/// A change of buckets is made in two steps where shards take them: each shard in turn says that
/// nothing stands in its way, and holds that true; then all of them do it. Where one refuses, or
/// can't be asked, none has done anything. In turn, so that changes which wait for each other's
/// connections can't wait in a circle. Lives on one worker; belongs to itself until its last shard
/// has answered.
class FanOut final : public Exchange {
 public:
  static FanOut& make(DispatchContext& context, Origin origin);

  /// Sends the payload (unedited) to every shard; `checksum`: where it is known, and the version it
  /// is of. May answer, and be over, before it returns.
  void start(std::string_view payload, std::optional<std::uint16_t> checksum,
             fast::Version checksum_version);

  void abandon() override;
  void resume() override;

 private:
  /// One shard's part.
  class Leg final : public backends::ReplySink {
   public:
    Leg(FanOut& whole, std::size_t pnode) : whole_(whole), pnode_(pnode) {}
    void on_data(const backends::Reply& reply) override;
    void on_end(const backends::Reply& reply) override;
    void on_error(const backends::Reply& reply) override;
    void on_failure(const backends::Failure& failure) override;
    void on_ready() override { whole_.leg_ready(); }

    FanOut& whole_;
    std::size_t pnode_;
    std::optional<backends::Ticket> ticket_;
    ShardTurns::Part part_;  // as long as there is one
    WriteLease lease_;       // runs while a write is with the shard
    bool heard_ = false;     // a row of its has come
    bool paused_ = false;
  };

  explicit FanOut(DispatchContext& context) : Exchange(context) {}
  backends::Submitted submit(Leg& leg, const backends::Request& request);
  void send(const backends::Request& request);
  void take_values(Leg& leg, const backends::Reply& reply);
  void add_counts();
  void add_error(const Leg& leg, fast::Error error);
  void leg_done(Leg& leg, bool by_shard);
  void aim(const Planned&) override {}
  void send_held(Planned& planned) override;
  void answer_late() override;
  void release() override;
  void await_next();
  void finish();
  // fan_out_steps.cpp
  [[nodiscard]] bool takes_two_steps() const;
  void ask_next();
  void leg_ready();
  void leg_refused(const Leg& leg);
  void take_back();
  [[nodiscard]] backends::Shard& shard_of(const Leg& leg) const;
  [[nodiscard]] std::string pending_pnodes() const;

  std::vector<std::unique_ptr<Leg>> legs_;
  std::size_t pending_ = 0;
  bool asking_ = false;    // in the first of two steps
  std::size_t asked_ = 0;  // legs that are done with it
  bool starting_ = false;
  std::vector<errors::ShardError> errors_;
  double processed_ = 0;
  std::optional<double> remaining_;
};

}  // namespace router
