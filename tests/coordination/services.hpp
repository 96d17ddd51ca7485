#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "coordination/memory_store.hpp"
#include "coordination/zookeeper_session.hpp"
#include "tests/support/zookeeper_server.hpp"

/// The services that tests of a fleet run on: each has `connect`, `cut` and `restore` of all
/// connections, a loop, and a path that no other test uses.
namespace services {

using coordination::MemoryStore;
using coordination::Session;
using coordination::ZooKeeperOptions;
using coordination::ZooKeeperSession;

inline constexpr std::chrono::seconds kLimit{120};

inline void run_until(boost::asio::io_context& loop, const std::function<bool()>& there) {
  for (const auto until = std::chrono::steady_clock::now() + kLimit; !there();) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    if (loop.stopped()) loop.restart();
    loop.run_one_for(std::chrono::milliseconds(10));
  }
}

class InMemory {
 public:
  std::unique_ptr<Session> connect() { return store_.connect(); }
  void expire(Session& session) { store_.expire(session.id()); }
  void cut() {
    for (const std::int64_t each : all_) store_.cut(each);
  }
  void restore() {
    for (const std::int64_t each : all_) store_.reconnect(each);
  }
  void expire() {
    for (const std::int64_t each : all_) store_.expire(each);
  }
  void known(const Session& session) { all_.push_back(session.id()); }
  boost::asio::io_context& loop() { return loop_; }
  std::string root() { return "/memory"; }

 private:
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};  // so that who waits sleeps
  MemoryStore store_{
      [this](std::function<void()> call) { boost::asio::post(loop_, std::move(call)); }};
  std::vector<std::int64_t> all_;
};

class OfZooKeeper {
 public:
  std::unique_ptr<Session> connect() {
    ZooKeeperOptions options;
    options.servers = {server().address()};
    options.session = kSession;
    options.user = "fleet";
    options.password = "secret";
    return std::make_unique<ZooKeeperSession>(loop_, options);
  }
  void cut() { server().kill(); }
  void restore() { server().start(); }
  void known(const Session&) {}
  boost::asio::io_context& loop() { return loop_; }
  /// Of the server.
  std::uint16_t port() const {
    const std::string address = server().address();
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  }
  /// Tests share a server.
  std::string root() { return root_; }

  static constexpr std::chrono::milliseconds kSession{10'000};

 private:
  static test_support::ZooKeeperServer& server() {
    static test_support::ZooKeeperServer server;
    return server;
  }
  static int& made() {
    static int made = 0;
    return made;
  }
  boost::asio::io_context loop_;
  std::string root_ = "/test" + std::to_string(++made());
};

}  // namespace services
