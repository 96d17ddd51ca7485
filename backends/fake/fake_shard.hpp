#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "backends/shard.hpp"

namespace backends::fake {

/// What happens to one request on its way to the shard behind, or to its answer.
struct Fault {
  std::chrono::milliseconds delay{0};      ///< before the request goes on
  bool hang = false;                       ///< it never goes on, and is never answered
  std::optional<Failure> refuse{};         ///< `submit` fails
  std::optional<std::string> error{};      ///< answered by this ERROR payload instead
  std::optional<std::size_t> cut_after{};  ///< the connection is lost after so many DATA frames
};

/// Chooses a request's fault, in order of submission. None: the request passes.
using Script = std::function<std::optional<Fault>(const Request& request)>;

/// A shard in front of another one that delays, refuses, hangs and cuts as a script says: for
/// injecting faults in tests and benches, and for nothing else. Lives on one worker.
class FakeShard final : public Shard {
 public:
  FakeShard(boost::asio::io_context& loop, std::unique_ptr<Shard> behind, Script script = {});
  ~FakeShard() override;

  /// Requests submitted from now on follow another script.
  void follow(Script script) { script_ = std::move(script); }
  void set_healthy(bool healthy) { healthy_ = healthy; }

  Submitted submit(const Request& request, ReplySink& sink) override;
  bool cancel(Ticket ticket) override;
  void pause(Ticket ticket) override;
  void resume(Ticket ticket) override;
  void retire() override;
  [[nodiscard]] bool idle() const override;
  [[nodiscard]] bool healthy() const override {
    return healthy_ && !retired_ && behind_->healthy();
  }
  [[nodiscard]] ShardStatus status() const override;

 private:
  class Passage;

  void forget(std::uint64_t number);

  boost::asio::io_context& loop_;
  std::unique_ptr<Shard> behind_;
  Script script_;
  bool healthy_ = true;
  bool retired_ = false;
  std::uint64_t next_number_ = 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<Passage>> passages_;
};

}  // namespace backends::fake
