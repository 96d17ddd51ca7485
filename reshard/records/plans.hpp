#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reshard/journal.hpp"
#include "reshard/plan.hpp"

namespace reshard {

/// The turn to say that a plan takes the site's lock, or gives it back: one process has it at a
/// time among all that share a place of plans, for as long as it takes to look at the other plans'
/// journals and to write one record. It ends with the object.
class LockTurn {
 public:
  LockTurn() = default;
  virtual ~LockTurn() = default;
  LockTurn(const LockTurn&) = delete;
  LockTurn& operator=(const LockTurn&) = delete;
};

/// What a plan begins with, beside its definition.
struct Begun {
  State state;
  std::string event;
};

/// Where plans are kept, with all that is recorded of them. Made by `std::make_shared`. Lives on
/// one thread; several may look at the same place.
class Plans : public std::enable_shared_from_this<Plans> {
 public:
  Plans() = default;
  virtual ~Plans() = default;
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;

  /// Ascending. Throws std::runtime_error.
  [[nodiscard]] virtual std::vector<std::uint64_t> numbers() = 0;
  /// Throws std::runtime_error where there is none of that number.
  [[nodiscard]] virtual Journal open(std::uint64_t number) = 0;
  /// A new one, whole or not at all. Throws std::runtime_error where its number has one.
  virtual Journal create(const Plan& plan, const std::optional<Begun>& begun) = 0;
  Journal create(const Plan& plan) { return create(plan, std::nullopt); }
  /// What is kept here of a plan, and `forget` is to take away at that side. Throws SessionError.
  virtual void forget(const Plan& /*plan*/, backends::postgres::Session& /*side*/) {}

  /// Places that `numbers` could not look at, for people; empty: it has seen all.
  [[nodiscard]] virtual std::vector<std::string> unseen() const { return {}; }
  /// Databases whose numbers a plan between these two must exceed, and whose it becomes.
  [[nodiscard]] virtual std::vector<Side> numbered_with(const Side& from, const Side& to) const = 0;
  /// The last number that this place itself knows of.
  [[nodiscard]] virtual std::uint64_t last_number() = 0;

  /// Throws Waiting where another process has it, ActFailed where nobody can have it now.
  [[nodiscard]] virtual std::unique_ptr<LockTurn> lock_turn() = 0;

  /// What a command needs to find this place: ` --state DIR`, or nothing.
  [[nodiscard]] virtual std::string words() const = 0;
  /// For people: where a plan is.
  [[nodiscard]] virtual std::string place_of(const Plan& plan) const = 0;
};

}  // namespace reshard
