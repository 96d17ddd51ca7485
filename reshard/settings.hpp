#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "reshard/plan.hpp"

namespace reshard {

/// Options of a plan that may be changed while it runs. They are kept beside the plan, which never
/// changes. A coordinator takes them where nothing is blocked; throttles take them at once.
struct Settings {
  /// Absent: as the plan says.
  std::optional<std::uint64_t> max_block_ms, soak_seconds, copy_bytes_per_second,
      cleanup_rows_per_second;
  /// The longest lease that any of these options has needed; it never becomes shorter, since what a
  /// router was given by a longer one is waited for after a commit.
  std::uint64_t lease_ms = 0;
  bool operator==(const Settings&) const = default;

  [[nodiscard]] bool empty() const { return *this == Settings(); }
};

/// The largest values: what is added to them in milliseconds must fit.
inline constexpr std::uint64_t kBlockMost = 600'000;           ///< ten minutes
inline constexpr std::uint64_t kSoakMost = 10 * 366 * 86'400;  ///< ten years
inline constexpr std::uint64_t kRateMost = 1'000'000'000'000;

/// Why the options can't be those; empty: they can. Pure.
std::string problem_of(const Settings& settings);

/// The options in force: the plan's own, with these. Pure.
PlanOptions in_force(const PlanOptions& planned, const Settings& settings);

/// `newer` over `older`. Pure.
Settings merged(const Settings& older, const Settings& newer, const PlanOptions& planned);

/// As they are kept. `place`: where the text is, for its errors. Throws std::runtime_error naming
/// it where it can't be understood.
Settings settings_from_json(const std::string& text, const std::string& place);
std::string to_json_text(const Settings& settings);

/// For people: `max-block 500 ms, soak 600 s`; only those that are there.
std::string to_text(const Settings& settings);

}  // namespace reshard
