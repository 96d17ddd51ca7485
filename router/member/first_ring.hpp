#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "fleet/agent/session_keeper.hpp"
#include "fleet/protocol/state.hpp"
#include "router/member/ring_fetch.hpp"
#include "router/member/settings.hpp"

namespace router {

class Log;

/// Gets a router that has no ring the one that its fleet has in force, and makes its store of it.
/// The router joins afterwards, by which it takes what has come into force since. It waits for the
/// service as long as that takes. Lives on the loop's thread.
class FirstRing {
 public:
  FirstRing(boost::asio::io_context& loop, FleetSettings settings, std::string store, Log& log);
  FirstRing(const FirstRing&) = delete;
  FirstRing& operator=(const FirstRing&) = delete;

  void start();
  [[nodiscard]] bool done() const { return done_; }
  /// Why the store can't be made, once `done`; empty: it is there.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::string waits_for() const;  ///< any thread; for people
  [[nodiscard]] const ImageHistory& images() const { return rings_.history(); }

 private:
  void look(coordination::Session& session);
  void fetch(const std::string& root, const fleet::State& state);
  void keep(const fleet::RingName& name, const ring::Ring& ring);
  void again(const std::string& why);
  void say(const std::string& what);

  const FleetSettings settings_;
  const std::string store_;
  Log& log_;
  coordination::Session* session_ = nullptr;
  bool done_ = false;
  std::string failure_;
  boost::asio::steady_timer timer_;
  RingFetch rings_;
  fleet::SessionKeeper keeper_;  // ends before what it calls

  mutable std::mutex mutex_;
  std::string waits_for_;  // guarded by mutex_
};

}  // namespace router
