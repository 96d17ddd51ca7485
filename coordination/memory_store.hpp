#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordination/session.hpp"

namespace coordination {

class MemorySession;

/// The service in this process's memory, for tests and models: what an ensemble keeps, and what can
/// happen to those who use it. Lives on one thread, longer than its sessions.
class MemoryStore {
 public:
  /// Runs a call later, in the order in which they were given: never from inside `post`.
  using Post = std::function<void(std::function<void()>)>;

  explicit MemoryStore(Post post) : post_(std::move(post)) {}
  ~MemoryStore();
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  [[nodiscard]] std::unique_ptr<Session> connect();

  /// What may happen to a session, by its id: its connection is lost, or comes back; the service
  /// ends it.
  void cut(std::int64_t session);
  void reconnect(std::int64_t session);
  void expire(std::int64_t session);
  /// The answer to the session's next write is lost: `done`, after it was done; else instead.
  void lose_answer(std::int64_t session, bool done);

  /// What its clock says from now on, in milliseconds since 1970; at first 0.
  void time_is(std::int64_t now_ms) { now_ms_ = now_ms; }

  [[nodiscard]] const std::map<std::string, Node>& nodes() const { return nodes_; }
  /// How many writes were done.
  [[nodiscard]] std::int64_t writes() const { return writes_; }

 private:
  friend class MemorySession;

  struct Applied {
    Outcome outcome = Outcome::done;
    std::size_t failed = 0;
  };
  Applied apply(std::int64_t session, const std::vector<Write>& writes);
  [[nodiscard]] Outcome check(const Write& write) const;
  void change(const Write& write, std::int64_t session);
  [[nodiscard]] bool has_children(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> children_of(const std::string& path) const;
  void tell(const std::string& path, bool children);
  void end(std::int64_t session);

  Post post_;
  std::map<std::string, Node> nodes_;
  std::map<std::int64_t, MemorySession*> sessions_;  // that have not expired
  std::int64_t last_session_ = 0, writes_ = 0, now_ms_ = 0;
};

}  // namespace coordination
