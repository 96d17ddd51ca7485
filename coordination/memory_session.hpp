#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordination/memory_store.hpp"

namespace coordination {

/// A session with a MemoryStore. While it is cut, its requests end as unknown when it is connected
/// again, or expires; none of them is done.
class MemorySession final : public Session {
 public:
  MemorySession(MemoryStore& store, std::int64_t id);
  ~MemorySession() override;
  MemorySession(const MemorySession&) = delete;
  MemorySession& operator=(const MemorySession&) = delete;

  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::int64_t id() const override { return id_; }
  void on_state(std::function<void(State)> changed) override { changed_ = std::move(changed); }
  void get(const std::string& path, Watch watch, GotNode got) override;
  void children(const std::string& path, Watch watch, GotChildren got) override;
  void create(Create create, Done done) override;
  void set(Set set, Done done) override;
  void remove(Remove remove, Done done) override;
  void transact(std::vector<Write> writes, GotAll done) override;

 private:
  friend class MemoryStore;

  struct Watching {
    std::string path;
    bool children = false;
    Watch changed;
  };

  void become(State next);
  void tell(const std::string& path, bool children);
  void write_one(Write write, Done done);
  template <typename Call>
  void later(Call call);

  MemoryStore& store_;
  std::int64_t id_;
  State state_ = State::connected;
  std::function<void(State)> changed_;
  std::vector<Watching> watches_;
  std::vector<std::function<void()>> waiting_;  // while it is cut: they end as unknown
  std::optional<bool> lose_answer_;             // of the next write: whether it is done
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace coordination
