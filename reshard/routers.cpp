#include "reshard/routers.hpp"

#include <nlohmann/json.hpp>

#include "reshard/database.hpp"

namespace reshard {

using Json = nlohmann::ordered_json;

Rehearsal agreed(const std::vector<RouterAnswer>& rehearsed) {
  Rehearsal rehearsal;
  BoundRings& rings = rehearsal.rings;
  for (const RouterAnswer& answer : rehearsed) {
    const std::string named = "router " + answer.router;
    if (!answer.answered) throw Waiting(named + " does not answer: " + answer.message);
    if (answer.code == "not_owner")
      throw Stuck(named + ": somebody else has moved vnodes of the plan: " + answer.message);
    if (!answer.ok) throw Waiting(named + ": " + answer.message);
    const Json json = Json::parse(answer.result);
    const BoundRings here{json.at("baseDigest").get<std::string>(),
                          json.at("digest").get<std::string>()};
    if (!rings.before.empty() && !(here == rings))
      throw Waiting(named + " is on the ring " + here.before + ", router " +
                    rehearsed.front().router + " on " + rings.before);
    rings = here;
    const auto hold = json.value("holdMs", std::uint64_t{0});
    if (hold > 0 && (rehearsal.hold_ms == 0 || hold < rehearsal.hold_ms)) rehearsal.hold_ms = hold;
  }
  return rehearsal;
}

}  // namespace reshard
