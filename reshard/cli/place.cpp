#include "reshard/cli/place.hpp"

#include <stdexcept>

#include <CLI/CLI.hpp>

#include "reshard/records/database_plans.hpp"
#include "reshard/records/directory.hpp"

namespace reshard::cli {
namespace {

constexpr const char* kDatabase = "database";
constexpr const char* kDirectory = "directory";

std::string directory_of(const Place& place) {
  return place.state.empty() ? kStateDirectory : place.state;
}

/// What another command needs to find the same plans.
std::string words_of(const Place& place) {
  return " --config " + place.config +
         (place.journal.empty() ? "" : " --journal " + place.journal) +
         (place.state.empty() ? "" : " --state " + place.state);
}

}  // namespace

void add_place(CLI::App& command, Place& place, bool with_config) {
  if (with_config)
    command.add_option("-c,--config", place.config,
                       "A router's configuration; one that names a fleet has the plans in the "
                       "databases of its shards");
  command.add_option("--state", place.state,
                     std::string("The directory of plans, or of their metrics (default: ") +
                         kStateDirectory + ")");
  command
      .add_option("--journal", place.journal,
                  "Where plans are kept: database (of the configuration's shards) or directory; "
                  "default: database if the configuration names a fleet and --state is not given")
      ->check(CLI::IsMember({kDatabase, kDirectory}));
}

config::Config configuration(const std::string& file) {
  config::Parsed parsed = config::load_file(file);
  if (!parsed.problems.empty()) throw std::runtime_error(config::to_text(parsed.problems));
  return std::move(parsed.config);
}

std::shared_ptr<Plans> plans_of(const Place& place, const config::Config& config) {
  const bool fleet = config.fleet.enabled() && place.state.empty();
  if (place.journal == kDirectory || (place.journal.empty() && !fleet))
    return std::make_shared<DirectoryPlans>(directory_of(place), config);
  return std::make_shared<DatabasePlans>(config, directory_of(place), words_of(place));
}

std::shared_ptr<Plans> plans_of(const Place& place) {
  if (!place.config.empty()) return plans_of(place, configuration(place.config));
  if (place.journal == kDatabase)
    throw std::runtime_error("--journal database needs --config, which names the databases");
  return std::make_shared<DirectoryPlans>(directory_of(place));
}

}  // namespace reshard::cli
