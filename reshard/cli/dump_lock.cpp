#include "reshard/cli/dump_lock.hpp"

#include <stdexcept>

#include <CLI/CLI.hpp>

#include "reshard/cli/common.hpp"
#include "reshard/dump_lock.hpp"

namespace reshard::cli {

void add_dump_lock(CLI::App& command, DumpLockWords& words) {
  CLI::Option* lock =
      command
          .add_option("--dump-lock", words.where,
                      "zookeeper: take the site's dump lock there, in the ZooKeeper of the "
                      "configuration's fleet, instead of by hooks")
          ->check(CLI::IsMember({"zookeeper"}));
  command.add_option("--dump-lock-path", words.path, "Its node")
      ->capture_default_str()
      ->needs(lock);
  command
      .add_option("--dump-lock-wait", words.wait_seconds,
                  "Seconds for which the plan waits while others have it, or dumps run; then it "
                  "stops (default: it waits until they end)")
      ->needs(lock);
  command
      .add_option("--dump-lock-alarm", words.alarm_seconds,
                  "Seconds after which a lock that is held is told as an alarm")
      ->capture_default_str()
      ->needs(lock);
}

std::optional<DumpLockOptions> dump_lock_of(const DumpLockWords& words,
                                            const config::Config& config, const Plan& plan) {
  if (words.where.empty()) return std::nullopt;
  for (const char* phase : {"pre_lock", kEndHook, kAbortHook})
    if (plan.hooks.contains(phase))
      throw std::runtime_error("--hook " + std::string(phase) +
                               " takes the site's lock, or gives it back, which --dump-lock "
                               "zookeeper does: give one of the two");
  const auto fleet = fleet_of(config);
  if (!fleet)
    throw std::runtime_error(
        "--dump-lock zookeeper: the configuration has no fleet, which names the servers");
  if (!can_be_lock(words.path))
    throw std::runtime_error("--dump-lock-path " + words.path +
                             ": an absolute path, without a slash at its end");
  if (words.alarm_seconds == 0)
    throw std::runtime_error("--dump-lock-alarm must be at least a second");
  DumpLockOptions lock;
  lock.path = words.path;
  lock.fleet = *fleet;
  lock.token = plan.token;
  lock.wait_seconds = words.wait_seconds;
  lock.alarm_seconds = words.alarm_seconds;
  return lock;
}

}  // namespace reshard::cli
