#pragma once

#include <filesystem>
#include <vector>

#include "config/config.hpp"

namespace router::cli {

/// Serves by all of these in one process, each on a thread of its own, until SIGINT or SIGTERM:
/// members of one fleet, which is made of the ring in `directory`/rings where there is none. Leaves
/// there `config.json`, for `moray-router fleet`. Throws std::runtime_error.
void serve_dev_fleet(const std::vector<config::Config>& routers,
                     const std::filesystem::path& directory);

}  // namespace router::cli
