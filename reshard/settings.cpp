#include "reshard/settings.hpp"

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace reshard {
namespace {

/// Each option: what `set` calls it, its member, its unit.
struct Option {
  const char* name;
  const char* json;
  std::optional<std::uint64_t> Settings::*value;
  std::uint64_t PlanOptions::*planned;
  std::uint64_t least, most;
  const char* unit;
};

constexpr Option kOptions[] = {
    {"max-block", "maxBlockMilliseconds", &Settings::max_block_ms, &PlanOptions::max_block_ms, 1,
     kBlockMost, " ms"},
    {"soak", "soakSeconds", &Settings::soak_seconds, &PlanOptions::soak_seconds, 0, kSoakMost,
     " s"},
    {"copy-bytes-per-second", "copyBytesPerSecond", &Settings::copy_bytes_per_second,
     &PlanOptions::copy_bytes_per_second, 0, kRateMost, ""},
    {"cleanup-rows-per-second", "cleanupRowsPerSecond", &Settings::cleanup_rows_per_second,
     &PlanOptions::cleanup_rows_per_second, 0, kRateMost, ""},
};

}  // namespace

std::string problem_of(const Settings& settings) {
  for (const Option& option : kOptions) {
    const auto& value = settings.*option.value;
    if (value && (*value < option.least || *value > option.most))
      return "--" + std::string(option.name) + " " + std::to_string(*value) + ": it is between " +
             std::to_string(option.least) + " and " + std::to_string(option.most) + option.unit;
  }
  return "";
}

PlanOptions in_force(const PlanOptions& planned, const Settings& settings) {
  PlanOptions options = planned;
  for (const Option& option : kOptions)
    if (const auto& value = settings.*option.value) options.*option.planned = *value;
  options.lease_ms = std::max(options.lease_ms, settings.lease_ms);
  return options;
}

Settings merged(const Settings& older, const Settings& newer, const PlanOptions& planned) {
  Settings all = older;
  for (const Option& option : kOptions)
    if (const auto& value = newer.*option.value) all.*option.value = value;
  // A block within which a lease runs out would be given up by its routers.
  const std::uint64_t needed = router_lease(all.max_block_ms.value_or(planned.max_block_ms));
  if (needed > planned.lease_ms) all.lease_ms = std::max(all.lease_ms, needed);
  return all;
}

Settings settings_from_json(const std::string& text, const std::string& place) {
  try {
    const auto json = nlohmann::json::parse(text);
    Settings settings;
    for (const Option& option : kOptions)
      if (json.contains(option.json))
        settings.*option.value = json.at(option.json).get<std::uint64_t>();
    settings.lease_ms = json.value("leaseMilliseconds", std::uint64_t{0});
    if (const std::string problem = problem_of(settings); !problem.empty())
      throw std::runtime_error(place + ": " + problem);
    return settings;
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(place + ": " + error.what());
  }
}

std::string to_json_text(const Settings& settings) {
  nlohmann::ordered_json json;
  for (const Option& option : kOptions)
    if (const auto& value = settings.*option.value) json[option.json] = *value;
  if (settings.lease_ms > 0) json["leaseMilliseconds"] = settings.lease_ms;
  return json.dump(2) + "\n";
}

std::string to_text(const Settings& settings) {
  std::string text;
  for (const Option& option : kOptions)
    if (const auto& value = settings.*option.value)
      text += (text.empty() ? "" : ", ") + std::string(option.name) + " " + std::to_string(*value) +
              option.unit;
  if (settings.lease_ms > 0)
    text += ", lease at least " + std::to_string(longest_hold(settings.lease_ms)) + " ms";
  return text;
}

}  // namespace reshard
