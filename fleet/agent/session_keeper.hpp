#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "coordination/session.hpp"

namespace fleet {

/// Makes a session; throws std::exception where it can't.
using MakeSession = std::function<std::unique_ptr<coordination::Session>()>;

/// Keeps a session with the service: another one where one has expired, after half a second to
/// five, so that a fleet does not come back at once; and where none of its servers has taken it for
/// a while. Lives on the loop's thread.
class SessionKeeper {
 public:
  struct Told {
    /// Of which nothing is known yet; the one before is gone by then.
    std::function<void(coordination::Session&)> began;
    /// No request of it is answered any more.
    std::function<void()> ended;
    std::function<void(bool there)> connection;
    std::function<void(std::string)> problem;  ///< for people
  };

  SessionKeeper(boost::asio::io_context& loop, MakeSession make, Told told);
  ~SessionKeeper();
  SessionKeeper(const SessionKeeper&) = delete;
  SessionKeeper& operator=(const SessionKeeper&) = delete;

  void start() { open(); }
  /// How often a session has expired.
  [[nodiscard]] std::uint64_t expired() const { return expired_; }

 private:
  void open();
  void open_later();
  void watch_silence();
  void became(coordination::Session::State state);
  void end(bool at_once);

  boost::asio::io_context& loop_;
  MakeSession make_;
  Told told_;
  std::unique_ptr<coordination::Session> session_;
  bool began_ = false;  // told so
  std::uint64_t expired_ = 0;
  boost::asio::steady_timer timer_, silence_;
  std::minstd_rand random_{std::random_device{}()};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace fleet
