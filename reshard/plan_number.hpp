#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reshard/plan.hpp"

namespace reshard {

/// The number that a plan between these sides would get: above `above`, and above all that either
/// database has given. Changes nothing. Throws SessionError.
std::uint64_t next_plan_number(const std::vector<Side>& sides, std::uint64_t above);

/// The same, taken: no other plan gets it, from whichever directory of plans. Each database keeps
/// the last number that it has given in a table of its own, which outlives every plan, under the
/// lock under which rows of plans are made; both are held until both have it. Where one can't be
/// written after the other, the number is lost, which harms nothing. Throws SessionError.
std::uint64_t take_plan_number(const std::vector<Side>& sides, std::uint64_t above);

}  // namespace reshard
