#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "backends/embedded/keys.hpp"
#include "backends/embedded/store.hpp"

namespace backends::embedded {

/// Removes what deleted buckets left: their rows, unique values and counters, then the marker
/// `d<bucket>`. Lives on the owner's thread.
///
/// Linear: a step goes on after the last key that was removed. From the start of the bucket it
/// would pass over all that the steps before have removed, each key again and again, since LevelDB
/// keeps deletions in the place of keys until it compacts. For the same reason the markers are read
/// once. After a crash all of it begins again, where the markers are.
class Purge {
 public:
  explicit Purge(Store& store) : store_(store) {}

  /// Any buckets that an earlier run of the program has not finished. Throws StoreError.
  void begin();
  /// What was just committed: the markers among it. Whether there is something to do.
  bool add(const Changes& committed);
  [[nodiscard]] bool pending() const { return !buckets_.empty(); }
  /// Leaves the rest to the next `begin`.
  void stop();
  /// Removes some keys, in one write; throws StoreError. A text: why writing failed; it has stopped
  /// then.
  std::optional<std::string> step();

 private:
  /// Adds keys of a range to `removed`. False: there may be more.
  bool collect(const std::string& prefix, Changes& removed);

  Store& store_;
  std::deque<keys::BucketId> buckets_;  // in order of their deletion; the first is under way
  std::string after_;                   // the last key removed of it; empty: none
};

}  // namespace backends::embedded
