#pragma once

#include <array>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "reshard/journal.hpp"
#include "reshard/standing.hpp"

namespace reshard::cli {

/// For each database of a status.
inline constexpr std::chrono::seconds kStandingLimit{2};

/// Whether a plan has a coordinator that lives.
struct Coordinator {
  std::optional<bool> lives;  ///< none: the database that would know can't be asked
  SessionSeen session;        ///< of one that lives
  std::string last_seen;      ///< ISO time of its last sign; empty: there was never one
  std::string other_plan;     ///< the plan whose coordinator has the lock instead; empty: none
};

/// By the plan's lock at its databases. `act`: where the plan is.
Coordinator coordinator_of(const Journal& journal, Act act,
                           const std::array<SideStanding, 2>& sides);

/// Where a plan is: by its journal, which is written only where a coordinator that goes on would
/// begin with something else; by what its coordinator has shown since; and by its rows.
Act act_of(const Journal& journal, const std::array<SideStanding, 2>& sides);
/// The same without the databases.
Act act_of(const Journal& journal);

/// The plan that has taken this one back, by its journal or another's of the same place; 0:
/// none. `under_way`: one that is about to, and is not over.
struct TakenBack {
  std::uint64_t by = 0, under_way = 0;
};
TakenBack taken_back(const Journal& journal);

/// Everything that `status --json` shows. `sides`: none: the databases are not asked.
nlohmann::ordered_json status_of(const Journal& journal,
                                 const std::optional<std::array<SideStanding, 2>>& sides);

/// The same for people: a line for each fact, or one line for all.
std::string to_lines(const nlohmann::ordered_json& status);
std::string to_line(const nlohmann::ordered_json& status);

}  // namespace reshard::cli
