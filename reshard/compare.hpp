#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backends/postgres/wire/session.hpp"
#include "reshard/copy.hpp"
#include "reshard/verify.hpp"

/// Comparing both sides of a plan while others write, and while another process may carry the log
/// over. What makes that possible: a write and its log entry are one transaction, and an entry goes
/// only when the other side has its key's row. So a key that has no entry, and is the same in two
/// looks at the side that is written to, must be what the other side had between them.
namespace reshard {

/// The side that is written to and logs, and the one that is kept current; by their names for
/// people.
struct ComparedSides {
  backends::postgres::Session& from;
  backends::postgres::Session& to;
  std::string from_name, to_name;
};

/// Keys of which it is not known yet whether both sides have the same row. Lives on one thread.
class Doubts {
 public:
  static constexpr std::size_t kBytesMost = 32 << 20;  ///< of keys and their digests

  /// False: there is no room, so that the rest of the keys is not looked at.
  bool add(const std::string& bucket, const std::vector<std::string>& keys);
  /// One look at all of them: those that are alike go, and those that differ, which are returned. A
  /// key that was just written stays for another look. Two statements for some thousand keys; reads
  /// each side's rows of these keys, and the log once for each such statement.
  std::vector<DifferingRow> look(const ComparedSides& sides,
                                 const std::map<std::string, TablePair>& tables);
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  void clear();

 private:
  /// As it was at the last look; `seen`: there was one, and no entry of the log.
  struct Doubt {
    bool seen = false;
    std::string from, to;
  };
  std::map<std::string, std::map<std::string, Doubt>> keys_;  // by bucket
  std::size_t count_ = 0, bytes_ = 0;
};

struct Comparison {
  static constexpr std::size_t kListed = 1'000;

  std::uint64_t vnodes = 0, rows = 0;   ///< compared; rows at the side that is written to
  std::uint64_t pending = 0;            ///< keys whose last writes were not carried over in time
  std::uint64_t differ = 0;             ///< keys that differ
  std::vector<DifferingRow> differing;  ///< the first `kListed` of them
};

struct ComparisonTold {
  std::function<void(const std::string& bucket)> table;  ///< it begins
  std::function<void(std::uint64_t rows)> rows;          ///< so many more are compared
  std::function<bool()> stopped;                         ///< true: stop now
  /// Between two looks at keys that are not alike: carries the log over, or waits for another
  /// process that does. False: nobody does, and nothing is looked at again.
  std::function<bool()> again;
};

/// Compares all moving rows: by vnode, and by key where a vnode's rows are not alike. Changes
/// nothing. `tables`: source is the side that is written to. `groups`: of a table. Memory is
/// bounded by `Doubts::kBytesMost` and the digests of `kPartRows` rows; a vnode with more rows is
/// read in parts. Throws ActFailed ("stopped") and SessionError. O(rows).
Comparison compare_sides(const ComparedSides& sides, const std::map<std::string, TablePair>& tables,
                         const std::function<std::vector<VnodeGroup>(const Table&)>& groups,
                         const ComparisonTold& told);

}  // namespace reshard
