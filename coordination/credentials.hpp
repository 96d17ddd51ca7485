#pragma once

#include <string>

#include "coordination/zookeeper_session.hpp"

namespace coordination {

/// User and password for `into` from a file's first line, `user:password`. No path: none, and
/// nothing is changed. Throws std::runtime_error, naming `fleet.credentialsFile` and what is wrong:
/// it can't be read, its first line is another, or others than its owner may read it.
void read_credentials(const std::string& path, ZooKeeperOptions& into);

}  // namespace coordination
