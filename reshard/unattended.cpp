#include "reshard/unattended.hpp"

namespace reshard {

std::vector<std::uint64_t> Unattended::due(const std::vector<PlanSeen>& seen, Time now) {
  std::vector<std::uint64_t> plans;
  std::map<std::uint64_t, Time> since;
  for (const PlanSeen& each : seen) {
    if (!each.to_be_carried_on || each.carried_on.value_or(false)) continue;
    const auto before = since_.find(each.number);
    if (!each.carried_on) {
      if (before != since_.end()) since.insert(*before);
      continue;
    }
    const Time begun = before == since_.end() ? now : before->second;
    since[each.number] = begun;
    const auto refused = not_before_.find(each.number);
    if (now < begun + gone_ || (refused != not_before_.end() && now < refused->second)) continue;
    plans.push_back(each.number);
  }
  since_ = std::move(since);
  return plans;
}

}  // namespace reshard
