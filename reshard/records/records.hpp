#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "reshard/plan.hpp"

namespace backends::postgres {
class Session;
}

namespace reshard {

/// By how many coordinators each side of a plan had been taken when one became its coordinator; 0:
/// that one has not taken that side.
struct Epochs {
  std::uint64_t source = 0, target = 0;
  /// Another coordinator, which has taken a side of this one's, has done so later.
  [[nodiscard]] bool outranked_by(const Epochs& other) const {
    return (source != 0 && other.source > source) || (target != 0 && other.target > target);
  }
  bool operator==(const Epochs&) const = default;
};

/// A side as its coordinator has it: its locked session, and its epoch; none, and 0: it has not
/// taken that side.
struct TakenSide {
  backends::postgres::Session* session = nullptr;
  std::uint64_t epoch = 0;
};

/// What a coordinator has taken when it records something.
struct Tenure {
  TakenSide source, target;
  /// Whose word counts where the plan is: a record must be kept there, if that side is taken.
  Role deciding = Role::source;
  [[nodiscard]] Epochs epochs() const { return {source.epoch, target.epoch}; }
};

/// Where the records of one plan are kept. Lives on one thread.
class Records {
 public:
  Records() = default;
  virtual ~Records() = default;
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  /// Oldest first. Throws std::runtime_error where they can't be read: none that can't be read are
  /// no empty ones, since their plan would begin anew.
  [[nodiscard]] virtual std::vector<std::string> lines() const = 0;
  /// Kept, over a crash, when it returns. `line`: a JSON object's text. Throws std::runtime_error
  /// or what derives from it; SessionError where that says no more than that a server was lost,
  /// NotCoordinator where another coordinator has taken over.
  virtual void append(const std::string& line, const Tenure& by) = 0;

  /// A coordinator begins: from now on asks and options cost it no round trip.
  virtual void carried_on() {}
  /// It has taken that side, whose records are made whole by what this process knows of the
  /// other's. Throws SessionError.
  virtual void taken(Role /*role*/, const TakenSide& /*side*/) {}
  /// It has none of the sides any more.
  virtual void let_go() {}
  /// Whether each side has records of its own, so that one may lack what the other has.
  [[nodiscard]] virtual bool by_side() const { return false; }
  /// Of records that a failover may take back: the states of the plan's row at source and target,
  /// which may say more. Empty: no such row, no answer, or no need.
  [[nodiscard]] virtual std::array<std::string, 2> row_states() const { return {}; }

  /// Kept when it returns. Throws std::runtime_error.
  virtual void ask(const std::string& what) = 0;
  virtual void unask(const std::string& what) = 0;
  [[nodiscard]] virtual std::optional<std::string> asked_at(const std::string& what) const = 0;

  /// The text of a JSON object; empty: none. Throws std::runtime_error.
  [[nodiscard]] virtual std::string options() const = 0;
  virtual void set_options(const std::string& text) = 0;
  /// For people: where the options are.
  [[nodiscard]] virtual std::string options_place() const = 0;

  /// False: another process has the plan, and nothing of this one is shown. May throw.
  virtual bool show(const std::string& json, const std::string& writer,
                    const std::optional<Epochs>& coordinator) = 0;
  [[nodiscard]] virtual std::string shown() const = 0;

  /// For metrics and dumps; made where it can be.
  [[nodiscard]] virtual const std::filesystem::path& directory() const = 0;
};

}  // namespace reshard
