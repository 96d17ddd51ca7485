#pragma once

#include <string>
#include <vector>

#include "reshard/tables.hpp"

/// What a table is beside its rows, as texts that two databases can compare.
namespace reshard {

/// One thing that a table has, or one of its partitions and children.
struct Feature {
  std::string kind;  ///< `column`, `index`, `trigger`, …
  std::string name;  ///< by which it is found again; of an index or a constraint: for people only
  std::string text;  ///< all of it, with all names qualified
  bool operator==(const Feature&) const = default;
};

/// A difference between two tables of one bucket.
struct Unlikeness {
  std::string kind;  ///< a feature's
  std::string what;  ///< `column n is numeric at the source and text at the target`
  /// Rows of one table are not always rows of the other, or not written alike. Else it is only
  /// stored or read in another way.
  bool matters = true;
  bool operator==(const Unlikeness&) const = default;
};

/// All of a table's. Opens a transaction of its own. Throws SessionError. O(its catalogue's rows):
/// about a millisecond.
std::vector<Feature> features(backends::postgres::Session& session, const Table& table);

/// What one table has and the other has not, or has otherwise. Indexes and constraints are told by
/// what they are, whatever their names; ids may have four bytes or eight. Pure.
std::vector<Unlikeness> compare_features(const std::vector<Feature>& source,
                                         const std::vector<Feature>& target);

/// Part of what rows are, and not only of what is allowed or kept beside them.
bool is_structure(const Unlikeness& unlikeness);

/// The first of those that matter; empty: none.
std::string difference(const std::vector<Unlikeness>& all);

}  // namespace reshard
