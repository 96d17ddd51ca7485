#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "reshard/journal.hpp"

namespace reshard::cli {

/// What became of something that was asked of a plan's coordinator.
enum class Heard : std::uint8_t {
  yes,
  no,      ///< there seems to be one, and it has not done it within the limit
  nobody,  ///< there is none
};

/// Waits until `heard`, until it is known that nobody carries the plan on, or until the limit. A
/// coordinator is known by the plan's lock at the database that decides, and one whose database is
/// away by what it shows.
Heard wait_until_heard(const Journal& journal, std::chrono::milliseconds limit,
                       const std::function<bool()>& heard);

}  // namespace reshard::cli
