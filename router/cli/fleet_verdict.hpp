#pragma once

#include <cstdint>
#include <optional>

#include "fleet/protocol/state.hpp"
#include "router/cli/fleet_reports.hpp"

namespace router::cli {

/// What a fleet's state was, by what its routers say, where the service has lost it. `members` are
/// all routers that take part, and there is at least one. Each throws std::runtime_error, for
/// people, where what they say does not go together, or does not tell. Pure. O(members).

/// The change that routers have agreed to, and of which nobody has told them how it was closed.
std::optional<fleet::Record> open_record(const MemberReports& members);

/// What a person says of that change.
enum class Said : std::uint8_t { nothing, committed, not_committed };

/// Whether it was committed. A member that has closed it knows; so does one that has never agreed
/// to it, without which it was not. A person says it where all have agreed, and none has closed it.
bool was_committed(const fleet::Record& record, const MemberReports& members, Said said);

/// The ring that all have; `generation`: which of several, by a person's word; 0: nobody has said.
fleet::RingName ring_by(const MemberReports& members, std::uint64_t generation);

/// As all members have them on their disks; but for that of the change that was open.
fleet::Blocks blocks_by(const MemberReports& members, const std::optional<fleet::Record>& record);

}  // namespace router::cli
