#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "reshard/journal.hpp"

namespace reshard {

/// What a record says, as JSON.
nlohmann::ordered_json json_of(const State& state);
/// `time`: of the record. Also of what older programs wrote. Throws std::runtime_error, or what
/// nlohmann throws, where it can't be understood.
State state_from(const nlohmann::ordered_json& json, const std::string& time);

}  // namespace reshard
