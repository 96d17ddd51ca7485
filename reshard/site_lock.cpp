#include "reshard/site_lock.hpp"

#include <set>
#include <stdexcept>
#include <vector>

#include "reshard/database.hpp"

namespace reshard {
namespace {

std::vector<std::uint64_t> all_of(Plans& plans) {
  try {
    auto numbers = plans.numbers();
    if (const auto unseen = plans.unseen(); !unseen.empty())
      throw std::runtime_error(unseen.front() + ", whose plans may hold it");
    return numbers;
  } catch (const std::exception& error) {
    throw ActFailed(std::string("the site's lock: ") + error.what());
  }
}

}  // namespace

LockHolders other_lock_holders(Plans& plans, const Plan& plan) {
  struct Holder {
    std::uint64_t number, reverts;
    bool giving_back;
  };
  std::vector<Holder> holders;
  std::set<std::uint64_t> taken_back{plan.reverts};
  for (const std::uint64_t number : all_of(plans)) {
    if (number == plan.number) continue;
    try {
      const Journal journal = plans.open(number);
      const State state = journal.read();
      if (state.lock.empty() || journal.plan().reverts == plan.number) continue;
      holders.push_back({number, journal.plan().reverts, state.lock == kLockGivenBack});
      taken_back.insert(journal.plan().reverts);
    } catch (const std::exception&) {
      holders.push_back({number, 0, false});
    }
  }
  LockHolders found;
  for (const Holder& each : holders) {
    if (taken_back.contains(each.number)) continue;
    ++found.count;
    if (each.giving_back) found.giving_back = each.number;
  }
  return found;
}

}  // namespace reshard
