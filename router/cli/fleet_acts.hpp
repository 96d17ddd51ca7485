#pragma once

#include "router/cli/fleet_command.hpp"

/// What `moray-router fleet` does, a function for each command; they print what they have to say.
/// Each throws std::exception, for people.
namespace router::cli::fleet_acts {

/// Whether that page answers: any answer at all. Throws std::exception, for people.
bool answers(const std::string& url);

FleetExit init(FleetCommand& command, const FleetOptions& given);
FleetExit status(FleetCommand& command, const FleetOptions& given);
FleetExit remap(FleetCommand& command, const FleetOptions& given);
FleetExit set_data(FleetCommand& command, const FleetOptions& given);
FleetExit publish(FleetCommand& command, const FleetOptions& given);
FleetExit image(FleetCommand& command, const FleetOptions& given);
FleetExit rollback(FleetCommand& command, const FleetOptions& given);
FleetExit block(FleetCommand& command, const FleetOptions& given);
FleetExit unblock(FleetCommand& command, const FleetOptions& given);
FleetExit remove(FleetCommand& command, const FleetOptions& given);
FleetExit add_foreign(FleetCommand& command, const FleetOptions& given);
FleetExit acknowledge(FleetCommand& command, const FleetOptions& given);
FleetExit reinit(FleetCommand& command, const FleetOptions& given);
FleetExit settle(FleetCommand& command, const FleetOptions& given);
FleetExit history(FleetCommand& command, const FleetOptions& given);

}  // namespace router::cli::fleet_acts
