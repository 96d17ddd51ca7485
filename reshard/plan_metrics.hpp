#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reshard/journal.hpp"
#include "reshard/plan.hpp"

namespace reshard {

/// What a coordinator counts of its work, for people and for Prometheus. Lives on its thread.
struct PlanFigures {
  using Clock = std::chrono::steady_clock;

  std::string work;                   ///< `copy manta`; empty: none that can be measured
  std::uint64_t done = 0, total = 0;  ///< of it; 0: nobody knows the total
  Clock::time_point began{};
  std::map<std::string, std::uint64_t> rows;  ///< by kind of work: `copy`, `verify`, `clean`
  std::uint64_t log_entries = 0;              ///< applied by the last cycle of the pump
  std::uint64_t log_waiting = 0;  ///< entries that no cycle has carried over, when it was measured
  std::uint64_t log_bytes = 0;    ///< of the server's disk, that they take
  std::string current_to;         ///< ISO time: what was written before it is at the other side
  std::uint64_t alarms = 0;
  std::optional<std::chrono::nanoseconds> block, longest_block;  ///< how long writes were held
  std::uint64_t routers_behind = 0;  ///< that have not taken the new ring, since it was decided
  std::optional<Clock::time_point> behind_since;

  void begin(const std::string& name, std::uint64_t all);
  void add(std::uint64_t amount);
  void end();
  void held(std::chrono::nanoseconds time);
  void behind(std::uint64_t routers, Clock::time_point decided);
  /// Rows a second, and what is left; as JSON's members.
  [[nodiscard]] std::string to_json_text(Clock::time_point now) const;
};

/// When each hook was done, in seconds since 1970.
using HookTimes = std::map<std::string, std::time_t>;

/// By the journal's lines; torn ones are passed by.
HookTimes hook_times(const std::vector<std::string>& history);

/// Prometheus's text form, for node_exporter's textfile collector.
std::string metrics_text(const Plan& plan, const State& state, const PlanFigures& figures,
                         const HookTimes& hooks);

/// Full hours (UTC, `2026-11-21T23`) that began while a site's lock was held, by a plan that has
/// given it back: a dump that begins with the hour was missed.
std::vector<std::string> hours_locked(const HookTimes& hooks);
/// The same of a lock that was held since then (ISO time), and is given back now.
std::vector<std::string> hours_since(const std::string& time);

}  // namespace reshard
