#pragma once

#include <nlohmann/json.hpp>

#include "reshard/records/records.hpp"

namespace reshard {

inline nlohmann::ordered_json json_of(const Epochs& epochs) {
  return {{"source", epochs.source}, {"target", epochs.target}};
}

/// Of what has them as `epochs`; older programs wrote none.
inline Epochs epochs_from(const nlohmann::ordered_json& json) {
  const auto found = json.find("epochs");
  if (found == json.end()) return {};
  return {found->value("source", std::uint64_t{0}), found->value("target", std::uint64_t{0})};
}

}  // namespace reshard
