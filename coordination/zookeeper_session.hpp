#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "coordination/session.hpp"

namespace coordination {

class ZooKeeperHandle;

struct ZooKeeperOptions {
  std::vector<std::string> servers;           ///< host:port each
  std::chrono::milliseconds session{10'000};  ///< without a word, after which it expires
  /// Empty: none; then what is created is open to all. Sent in clear: Debian's client library has
  /// no TLS.
  std::string user, password;
};

/// A session with an ensemble of ZooKeeper's, over its C library, of which only calls that return
/// at once are made. Lives on the loop's thread; the library has two threads of its own, which do
/// nothing but post to the loop, and keep it running while the session lives. The constructor looks
/// up the servers' names. The destructor waits for the threads to end: milliseconds, but seconds
/// for a server that does not answer.
class ZooKeeperSession final : public Session {
 public:
  /// Connects, and goes on trying, as long as it lives. Throws std::system_error where there are no
  /// descriptors or threads, or the list of servers is none.
  ZooKeeperSession(boost::asio::io_context& loop, ZooKeeperOptions options);
  ~ZooKeeperSession() override;
  ZooKeeperSession(const ZooKeeperSession&) = delete;
  ZooKeeperSession& operator=(const ZooKeeperSession&) = delete;

  [[nodiscard]] State state() const override;
  [[nodiscard]] std::int64_t id() const override;
  void on_state(std::function<void(State)> changed) override;
  void get(const std::string& path, Watch watch, GotNode got) override;
  void children(const std::string& path, Watch watch, GotChildren got) override;
  void create(Create create, Done done) override;
  void set(Set set, Done done) override;
  void remove(Remove remove, Done done) override;
  void transact(std::vector<Write> writes, GotAll done) override;

 private:
  void await_creation(const std::string& path, Watch watch, GotNode got);
  void write_one(Write write, Done done);
  void later(std::function<void()> call);

  boost::asio::io_context& loop_;
  std::shared_ptr<ZooKeeperHandle> handle_;
};

}  // namespace coordination
