#include "fleet/operator/ring_edit.hpp"

#include <algorithm>

#include "ring/ring_edit.hpp"

namespace fleet {

bool needs_drain(const ring::Ring& now, const ring::Ring& next) {
  constexpr std::string_view kNone = "1";
  const ring::Difference difference = ring::difference(now, next);
  return !difference.moves.empty() ||
         std::any_of(difference.data.begin(), difference.data.end(),
                     [&](const auto& data) { return data.from != kNone; });
}

}  // namespace fleet
