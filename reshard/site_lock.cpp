#include "reshard/site_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <system_error>
#include <vector>

#include "reshard/database.hpp"
#include "reshard/journal.hpp"

namespace reshard {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int reason) {
  throw ActFailed("the site's lock: " + path.string() + ": " +
                  std::generic_category().message(reason));
}

std::vector<std::uint64_t> plans_of(const std::filesystem::path& plans) {
  try {
    return plans_in(plans);
  } catch (const std::filesystem::filesystem_error& error) {
    fail(plans, error.code().value());
  }
}

}  // namespace

LockTurn::LockTurn(const std::filesystem::path& plans) {
  const std::filesystem::path path = plans / ".lock";
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) fail(path, errno);
  if (flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  close(file_);
  if (reason != EWOULDBLOCK) fail(path, reason);
  throw Waiting("another plan takes the site's lock, or gives it back, at this moment");
}

LockTurn::~LockTurn() { close(file_); }

LockHolders other_lock_holders(const std::filesystem::path& plans, const Plan& plan) {
  struct Holder {
    std::uint64_t number, reverts;
    bool giving_back;
  };
  std::vector<Holder> holders;
  std::set<std::uint64_t> taken_back{plan.reverts};
  for (const std::uint64_t number : plans_of(plans)) {
    if (number == plan.number) continue;
    try {
      const Journal journal(plans / std::to_string(number));
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
