#include "fleet/service/history.hpp"

#include <ctime>

#include <nlohmann/json.hpp>

#include "fleet/protocol/text.hpp"
#include "json/nesting.hpp"

namespace fleet {

using Json = nlohmann::ordered_json;

/// A state as an object, with members more.
std::string step_of(const State& state, const std::string& note) {
  Json out = Json::parse(to_text(state));
  out["at"] = static_cast<std::int64_t>(std::time(nullptr));
  if (!note.empty()) out["note"] = note;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HistoryStep step_from(std::string_view text) {
  HistoryStep step{state_from(text), {}, 0};
  const auto in = json::parse_bounded<Json>(text);
  try {
    step.note = in.value("note", "");
    step.at = in.value("at", std::int64_t{0});
  } catch (const nlohmann::json::exception& error) {
    throw Unreadable(std::string("a step: ") + error.what());
  }
  return step;
}

}  // namespace fleet
