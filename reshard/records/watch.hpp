#pragma once

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "reshard/records/records.hpp"
#include "reshard/records/side_session.hpp"
#include "reshard/records/tables.hpp"

namespace reshard {

/// Asks of a coordinator, looked for in both databases of its plan about five times a second, and
/// what it shows, written there: beside it, so that it never waits for either, in a block least of
/// all. Members may be called from any thread; the work is done on a thread of its own, which ends
/// with the object.
class Watch {
 public:
  /// Asks that were there are known when it returns.
  explicit Watch(const Plan& plan);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  [[nodiscard]] kept::Asks asks() const;
  /// What this process has asked, or taken back.
  void note(const kept::Asks& asks);
  /// The text replaces one that is not written yet. `changed`: at once, not within a second.
  void show(std::string text, const std::optional<Epochs>& coordinator, bool changed);

 private:
  struct Shown {
    std::string text;
    std::optional<Epochs> coordinator;
  };
  void run();
  void look();
  void write(const Shown& shown);

  const Plan plan_;
  std::array<SideSession, 2> sides_;  // of the thread, once it runs
  mutable std::mutex mutex_;
  std::condition_variable woken_;
  kept::Asks asks_;
  std::optional<Shown> shown_;
  bool at_once_ = false, over_ = false;
  std::thread thread_;
};

}  // namespace reshard
