#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "fleet/service/roster.hpp"

namespace router::cli {

/// What a router says of itself as a member of a fleet, on its status port.
struct MemberReport {
  std::string problem;  ///< it has not said it, and why; empty: the rest is there
  std::string id, fleet;
  fleet::Entry entry;                   ///< that it has, or wants, in the roster
  std::optional<fleet::Record> record;  ///< of a change that it has agreed to
  fleet::Blocks blocks;
  std::uint64_t seq = 0, highest = 0;  ///< of the newest state that it has seen; 0: of none
  std::vector<std::string> roster;     ///< ids of all members, as it has seen them last
  bool inside = false;                 ///< it is a member, by its disk
  bool serves = false, in_touch = false;
  std::uint64_t doubt_vnodes = 0;
  std::string told;  ///< what it finds wrong; empty: nothing
};

/// By where they were asked: a member's id, or HOST:PORT.
using MemberReports = std::map<std::string, MemberReport>;

/// Asks all at once, for some seconds: members of a roster, none of which is foreign, and status
/// ports that a person has named. Runs the loop meanwhile. A member that is named both ways is
/// there once, by its id.
MemberReports ask_members(boost::asio::io_context& loop, const fleet::Roster& roster,
                          const std::vector<std::string>& ports);

/// The page of a member's status port; throws std::exception, for people.
MemberReport report_from(const std::string& page);

/// For people, as `fleet status` where the service is away.
std::string table_of(const MemberReports& reports);
/// For programs. `why`: the service has said nothing.
nlohmann::ordered_json json_of(const std::string& fleet, const std::string& why,
                               const MemberReports& reports);

}  // namespace router::cli
