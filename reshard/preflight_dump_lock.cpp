#include "reshard/preflight_dump_lock.hpp"

#include <stdexcept>

#include "reshard/dump_lock_node.hpp"
#include "reshard/dumps.hpp"

namespace reshard {
namespace {

constexpr std::chrono::seconds kAskedWithin{10};

}  // namespace

void look_at_dumps(Database& side, Preflight& found) {
  const std::string dumps = dumps_at(side);
  if (dumps.empty()) return;
  const Plan& plan = side.plan();
  found.warnings.push_back(
      dumps + ": " +
      (plan.dump_lock ? "the plan waits for its end before it copies"
                      : "rows that move meanwhile are in it twice, or not at all") +
      "; what is dumped from a standby does not show, and no lock says whether a dump runs");
}

void look_at_dump_lock(const Plan& plan, Preflight& found) {
  if (!plan.dump_lock) return;
  try {
    boost::asio::io_context loop;
    if (const auto others = dump_lock_of(plan, loop)->look(kAskedWithin))
      found.warnings.push_back("the site's lock: " + others->who +
                               ": the plan waits until it is gone before it copies");
  } catch (const std::runtime_error& error) {
    found.obstacles.push_back(
        {error.what(),
         "the plan takes the lock there before its copy: mend that, or plan without "
         "--dump-lock"});
  }
}

}  // namespace reshard
