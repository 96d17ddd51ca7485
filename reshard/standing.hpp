#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reshard/database.hpp"
#include "reshard/plan.hpp"
#include "reshard/step.hpp"

/// What a plan's databases say of it, whether or not a coordinator lives: only looked at, by
/// sessions of their own.
namespace reshard {

/// A session of a database, for people.
struct SessionSeen {
  std::uint64_t process = 0;  ///< 0: a prepared transaction
  std::string application, user, address;
  std::string since;   ///< ISO time: of a coordinator its session's begin, else its query's
  double seconds = 0;  ///< the age of that
  std::string query;   ///< its first characters; empty where this role may not see it
  std::string what;    ///< why it is shown, e.g. `holds a lock that the plan waits for`
};

struct SideStanding {
  std::string problem;  ///< not empty: it could not be asked, and the rest says nothing
  std::string state;    ///< of the plan's row; empty: there is none
  std::uint64_t attempt = 0;
  bool decided = false;
  std::optional<SessionSeen> coordinator;  ///< who holds the plan's lock
  std::vector<SessionSeen> holders;        ///< whom the plan waits for here; at most `kHoldersMost`
  std::uint64_t log_entries = 0, log_bytes = 0;
  bool log_longer = false;  ///< not all of its entries were counted
  std::uint64_t taken_back_by =
      0;  ///< a plan that has taken this one back, as its row says; 0: none
};

inline constexpr std::size_t kHoldersMost = 20;

/// Source and target, asked at once; each within about `limit`, whatever becomes of it (libpq
/// counts whole seconds, two at least, for each host of a URL). Throws nothing. Any thread.
std::array<SideStanding, 2> standing_of(const Plan& plan, std::chrono::seconds limit);

/// Whether a coordinator has the plan's lock at either side, where it is at that act; nullopt:
/// neither does as far as they answer, and the side that decides does not. Each is asked for about
/// two seconds. Throws nothing. Any thread.
std::optional<bool> has_coordinator(const Plan& plan, Act act);

/// Whose lock makes a process the coordinator of what comes at an act. Pure.
Role decided_by(Act act);

/// What a coordinator that takes over goes by, where a failover may have taken the end of the
/// journal away: a row, of either side, that says more is believed. What is left of the source's
/// journal was true for the source; the target may be further. Empty states: unknown, or no row.
/// The target's end of a soak is not believed to be more than the soak: it also says that the log
/// has been given up. Pure.
Progress believed(Progress recorded, const std::string& source, const std::string& target);

/// Where a plan is, by its journal and its rows: a coordinator that died within the block has not
/// written down how far it came, and the rows know. Empty states: unknown. Pure.
Act true_act(const Progress& recorded, const std::string& source, const std::string& target);

}  // namespace reshard
