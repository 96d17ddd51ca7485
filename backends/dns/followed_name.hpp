#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "backends/dns/addresses.hpp"

struct ares_channeldata;

namespace backends::dns {

/// One name, its last answer and those who watch it. Questions are asked and answered on the
/// resolver's thread; watchers come and go on any.
class FollowedName final : public AddressSource, public std::enable_shared_from_this<FollowedName> {
 public:
  using Clock = std::chrono::steady_clock;

  FollowedName(std::string name, std::uint16_t port, bool srv)
      : name_(std::move(name)), port_(port), srv_(srv) {}

  std::shared_ptr<void> watch(boost::asio::io_context& loop, Changed changed) override;

  /// Resolver's thread: asks when due. Returns when to call again.
  Clock::time_point ask_if_due(ares_channeldata* channel, Clock::time_point now);

 private:
  struct Watcher {
    boost::asio::io_context* loop;
    Changed changed;
    std::mutex mutex;      // held while `changed` runs and while `watching` falls
    bool watching = true;  // guarded by mutex
  };
  struct Round;

  static void tell(const std::shared_ptr<Watcher>& watcher, const Addresses& addresses);
  void ask_addresses(ares_channeldata* channel, const std::shared_ptr<Round>& round,
                     const std::string& host, std::uint16_t port);
  void finish(const Round& round);

  std::string name_;
  std::uint16_t port_;
  bool srv_;
  bool asking_ = false;      // resolver's thread
  Clock::time_point due_{};  // resolver's thread
  std::mutex mutex_;
  Addresses addresses_;                         // guarded by mutex_
  bool answered_ = false;                       // guarded by mutex_
  std::list<std::weak_ptr<Watcher>> watchers_;  // guarded by mutex_
};

}  // namespace backends::dns
