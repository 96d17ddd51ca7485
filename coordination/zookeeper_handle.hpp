#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <zookeeper/zookeeper.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "coordination/zookeeper_session.hpp"

namespace coordination {

/// What a call of ZooKeeper's library has come to.
struct ZooKeeperAnswer {
  int code = ZOK;
  Node node;
  std::vector<std::string> names;
};

/// What the library's threads and a session's loop share. The library calls back with pointers to
/// tickets, which live here until they are answered or the handle is closed: where it calls none,
/// or late, nothing is leaked, and nothing used again. Its threads do nothing but post to the loop.
/// Lives on the loop's thread.
class ZooKeeperHandle : public std::enable_shared_from_this<ZooKeeperHandle> {
 public:
  using Answer = ZooKeeperAnswer;
  using Take = std::function<void(Answer)>;

  /// One call that the library will answer, and what it needs until then.
  struct Ticket {
    ZooKeeperHandle* handle;
    std::uint64_t number;
    Take take;
    std::vector<Write> writes;
    std::vector<zoo_op_t> operations;
    std::vector<zoo_op_result_t> results;
  };

  ZooKeeperHandle(boost::asio::io_context& loop, ZooKeeperOptions options);
  ~ZooKeeperHandle() { close(); }
  ZooKeeperHandle(const ZooKeeperHandle&) = delete;
  ZooKeeperHandle& operator=(const ZooKeeperHandle&) = delete;

  /// Connects. Throws std::system_error.
  void open();
  /// The library's threads have ended after it, and nothing is called back any more.
  void close();

  [[nodiscard]] zhandle_t* zookeeper() const { return zookeeper_; }
  [[nodiscard]] Session::State state() const { return state_; }
  [[nodiscard]] std::int64_t id() const { return id_; }
  void on_state(std::function<void(Session::State)> changed) { changed_ = std::move(changed); }

  Ticket& ticket(Take take);
  /// `code`: of the library's call. One that it has not taken is answered with that.
  void began(const Ticket& ticket, int code);
  /// Any thread.
  static void answer(const void* ticket, Answer answer);
  /// What `on_watch` is to be given for a watch of that path; always the same.
  void* watch_number(const std::string& path, bool children);
  /// The library has set such a watch.
  void enter(const std::string& path, bool children, Session::Watch changed);
  static void on_watch(zhandle_t* zookeeper, int type, int state, const char* path, void* number);
  /// Who may do what with a new node. As long as the handle.
  [[nodiscard]] const ACL_vector& allowed(const Create& create) const {
    return allowed_[create.world_reads ? 1 : 0];
  }

 private:
  /// The library tells a watch once, however many reads have set it, where all of them have the
  /// same number: of a path, which it keeps.
  struct Watching {
    std::uint64_t number = 0;
    std::vector<Session::Watch> changed;
  };

  static void on_event(zhandle_t* zookeeper, int type, int state, const char* path, void* handle);
  void tell(std::uint64_t watch);
  void tell(const std::vector<Session::Watch>& watches);
  void became(int state, std::int64_t session);
  void log_in();

  boost::asio::io_context& loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  ZooKeeperOptions options_;
  std::array<ACL, 2> rights_;  // of its user, to do anything; of the world, to read
  std::array<ACL_vector, 2> allowed_;
  zhandle_t* zookeeper_ = nullptr;
  Session::State state_ = Session::State::connecting;
  std::int64_t id_ = 0;
  std::function<void(Session::State)> changed_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Ticket>> tickets_;
  std::map<std::pair<std::string, bool>, Watching> watching_;  // by path, and whether its children
};

}  // namespace coordination
