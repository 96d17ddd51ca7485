#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/postgres/wire/session.hpp"

namespace reshard {

/// Something outside of some tables without which they can't be made: a type, what a trigger or a
/// default runs, a sequence, a schema, an extension, a role.
struct Need {
  std::string kind;              ///< as PostgreSQL calls it: `type`, `function`, `extension`, …
  std::string name;              ///< for people, qualified
  std::string names, arguments;  ///< by which a server finds it: arrays, as texts
  std::string make;              ///< a statement that makes it; empty: only a person can
  std::string relation;  ///< of a sequence: its name as SQL has it, to be dumped with the tables
};

/// Of these relations of a database (their oids), and of what they need in turn; the schemas first,
/// then in the order in which the source has made them. Opens a transaction of its own. Throws
/// SessionError. O(catalogue rows that depend on each other).
std::vector<Need> needs_of(backends::postgres::Session& source,
                           const std::vector<std::uint32_t>& relations);

/// What another database makes of one of them.
struct NeedThere {
  bool there = false;
  std::string differs;  ///< not empty: it is there, and is another; for people
};
/// Throws SessionError.
NeedThere look_for(backends::postgres::Session& target, const Need& need);

}  // namespace reshard
