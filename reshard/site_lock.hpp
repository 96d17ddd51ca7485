#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "reshard/plan.hpp"

namespace reshard {

/// The turn to say that a plan takes the site's lock, or gives it back: one process of a directory
/// of plans has it at a time, for as long as it takes to look at the other plans' journals and to
/// write one record. Throws Waiting where another process has it, ActFailed where the directory
/// can't be written.
class LockTurn {
 public:
  explicit LockTurn(const std::filesystem::path& plans);
  ~LockTurn();
  LockTurn(const LockTurn&) = delete;
  LockTurn& operator=(const LockTurn&) = delete;

 private:
  int file_;
};

/// Plans of a directory that hold the site's lock, or may: a plan and the one that takes it back
/// are one. A plan whose journal can't be read may.
struct LockHolders {
  std::uint64_t count = 0;
  std::optional<std::uint64_t> giving_back;  ///< one that runs its hook for that
};

/// All but `plan`, and what it takes back or is taken back by. Reads each plan's journal. Throws
/// ActFailed where the directory can't be read.
LockHolders other_lock_holders(const std::filesystem::path& plans, const Plan& plan);

}  // namespace reshard
