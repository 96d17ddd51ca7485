#pragma once

#include <memory>
#include <string>

#include "config/config.hpp"
#include "reshard/records/plans.hpp"

namespace CLI {
class App;
}

namespace reshard::cli {

/// Where a command finds its plans, as its words say.
struct Place {
  std::string config;   ///< a router's configuration
  std::string state;    ///< empty: kStateDirectory
  std::string journal;  ///< `database`, `directory`; empty: as the configuration and `state` say
};

/// `--config` (unless the command has its own), `--state` and `--journal`.
void add_place(CLI::App& command, Place& place, bool with_config = true);

/// Plans of a fleet are kept in the databases of its shards; those of a configuration without a
/// fleet, of no configuration, or of a directory that is named, in a directory. Throws
/// std::runtime_error naming what is wrong with the configuration.
std::shared_ptr<Plans> plans_of(const Place& place);
/// The same with the configuration that `place` names, which has been read.
std::shared_ptr<Plans> plans_of(const Place& place, const config::Config& config);

/// A configuration without a problem. Throws std::runtime_error.
config::Config configuration(const std::string& file);

}  // namespace reshard::cli
