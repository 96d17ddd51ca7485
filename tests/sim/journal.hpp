#pragma once

#include <array>
#include <cstdint>

#include "reshard/step.hpp"
#include "tests/sim/ring.hpp"

namespace sim {

inline constexpr int kPlansMost = 8;

/// The bucket's table, by what the catalogue says of it.
struct Table {
  int oid = 1;
  int version = 1;  ///< rises with each change of its definition
  bool trigger = false, enabled = true;
  bool unique_index = true;
  bool operator==(const Table&) const = default;
};

/// What a database was when it was compared last.
struct Noted {
  int timeline = 0;
  Table table;
  bool operator==(const Noted&) const = default;
};

/// What outlives coordinators, and not what it is kept on: a disk of its own, or both databases.
struct Journal {
  reshard::Progress progress;
  int writer = 0;        ///< the epoch of the coordinator that took over last
  long fails_until = 0;  ///< nothing can be written until then
  bool noted_servers = false, noted_tables = false;
  std::array<Noted, 2> noted{};  ///< of source and target
  std::uint8_t copied = 0;       ///< keys, a bit each
  bool copy_begun = false, unique_made = false;
  int soaked = 0;
  bool irreversible = false;
  bool stopped = false;  ///< a person has to look
  int stops = 0;
  Ring bound;         ///< that the plan was bound to last
  int unbound = 0;    ///< in a row
  int elsewhere = 0;  ///< cutovers that were refused for another ring, in a row
  int failed = 0;     ///< cutovers
  bool operator==(const Journal&) const = default;
};

/// As a database keeps it, beside rows and log: a failover takes its end away with theirs.
struct KeptJournal {
  Journal journal;
  int seq = 0;     ///< grows with each record; 0: there is none here
  int writer = 0;  ///< the epoch of the coordinator that took this side last
};

inline bool ended_by(const Journal& journal) {
  return journal.progress.act == reshard::Act::finished ||
         journal.progress.act == reshard::Act::aborted;
}

}  // namespace sim
