#pragma once

#include <string>
#include <string_view>

#include "fleet/protocol/state.hpp"

namespace fleet {

/// A step of a fleet's history, for people: what has become of its state, when (now), and, where
/// the state does not say it, what was done.
std::string step_of(const State& state, const std::string& note);

struct HistoryStep {
  State state;
  std::string note;
  std::int64_t at = 0;  ///< Unix time, seconds
};
/// Throws Unreadable.
HistoryStep step_from(std::string_view text);

}  // namespace fleet
