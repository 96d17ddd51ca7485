#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backends/shard.hpp"

/// A shard that a test answers for, request by request.
class StandInShard final : public backends::Shard {
 public:
  struct Pending {
    backends::ReplySink* sink;
    backends::Rpc rpc;
    bool stream, two_steps, paused = false;
    std::string payload;
  };
  std::map<std::uint64_t, Pending> pending;
  bool up = true, steps = false;
  std::function<void(const backends::Request&, const std::string& payload)> on_submit;

  backends::Submitted submit(const backends::Request& request, backends::ReplySink& sink) override {
    if (!up) return {std::nullopt, {backends::FailureKind::no_connections, "nobody is there"}};
    std::string payload;
    for (const std::string_view piece : request.pieces) payload += piece;
    if (on_submit) on_submit(request, payload);
    pending.emplace(++last_, Pending{&sink, request.rpc, request.stream, request.two_steps, false,
                                     std::move(payload)});
    return {backends::Ticket{last_}, {}};
  }
  /// A stream can be cancelled, and a change of buckets before its second step.
  bool cancel(backends::Ticket ticket) override {
    const auto found = pending.find(ticket.number);
    if (found == pending.end() || !(found->second.stream || found->second.two_steps)) return false;
    pending.erase(found);
    return true;
  }
  void pause(backends::Ticket ticket) override { pending.at(ticket.number).paused = true; }
  void resume(backends::Ticket ticket) override { pending.at(ticket.number).paused = false; }
  [[nodiscard]] bool takes_two_steps() const override { return steps; }
  void proceed(backends::Ticket ticket) override { pending.at(ticket.number).two_steps = false; }
  void retire() override {}
  [[nodiscard]] bool idle() const override { return pending.empty(); }
  [[nodiscard]] bool healthy() const override { return up; }
  [[nodiscard]] backends::ShardStatus status() const override { return {}; }

  /// Ends a request: the sink is forgotten before it is told.
  template <class Tell>
  void finish(std::uint64_t ticket, Tell tell) {
    backends::ReplySink* sink = pending.at(ticket).sink;
    pending.erase(ticket);
    tell(*sink);
  }
  /// Every connection is lost.
  void lose_all() {
    for (const auto& [ticket, each] : std::exchange(pending, {}))
      each.sink->on_failure({backends::FailureKind::connection_lost, "lost"});
  }

 private:
  std::uint64_t last_ = 0;
};
