#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "reshard/plan.hpp"

namespace CLI {
class App;
}

namespace reshard::cli {

/// What `reshard plan` is told of the site's dump lock.
struct DumpLockWords {
  std::string where;  ///< `zookeeper`; empty: hooks, or nobody, take it
  std::string path = DumpLockOptions().path;
  std::optional<std::uint64_t> wait_seconds;
  std::uint64_t alarm_seconds = DumpLockOptions().alarm_seconds;
};

/// `--dump-lock` and what belongs to it. `words` outlives the command.
void add_dump_lock(CLI::App& command, DumpLockWords& words);

/// For a plan that has its token and hooks; nullopt: it takes no such lock. Throws
/// std::runtime_error naming what is wrong: a hook of the site's lock, no fleet, a path.
std::optional<DumpLockOptions> dump_lock_of(const DumpLockWords& words,
                                            const config::Config& config, const Plan& plan);

}  // namespace reshard::cli
