#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "backends/embedded/owner.hpp"

namespace backends::embedded {

/// The owners of a process by directory, so that all workers' shards of one directory share one.
/// Thread-safe.
class Owners {
 public:
  /// The directory's owner, opened where nobody holds it yet; lives while somebody holds it.
  /// Throws std::runtime_error as Store does.
  std::shared_ptr<Owner> open(StoreOptions options, bool sync);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Owner>> by_directory_;
};

}  // namespace backends::embedded
