#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "fleet/operator/operator.hpp"

namespace router::cli {

/// A fleet as a table: the ring in force, the open change and whom it waits for, what is blocked,
/// and a line for each member.
std::string table_of(const std::string& name, const fleet::FleetView& view);
/// The same for programs.
nlohmann::ordered_json json_of(const std::string& name, const fleet::FleetView& view);
/// A ring's number and the begin of its digest, for people.
std::string shown_ring(const fleet::RingName& ring);
/// One after the other, for people.
std::string listed(const std::vector<std::string>& all, const char* between);
/// Columns of a table, as wide as they need to be.
std::string lines_of(const std::vector<std::vector<std::string>>& rows);
/// Steps of a fleet's history, one a line, oldest first.
std::string table_of_history(const std::vector<std::string>& steps);

}  // namespace router::cli
