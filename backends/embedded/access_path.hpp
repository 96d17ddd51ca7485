#pragma once

#include <string>

#include "backends/embedded/table.hpp"
#include "backends/embedded/transaction.hpp"
#include "objects/condition.hpp"

namespace backends::embedded {

/// Where the rows that a condition may select lie: all rows whose stored key begins with `prefix`.
struct AccessPath {
  std::string prefix;
  bool exact = false;  ///< only the row of exactly that key
};

/// The narrowest that `_key=…` and `_key=…*` allow; else the whole bucket. Pure.
AccessPath access_path(const Table& table, const objects::Condition& condition);

}  // namespace backends::embedded
