#pragma once

#include <array>

#include "reshard/step.hpp"
#include "tests/sim/database.hpp"

namespace sim {

/// A plan that a person makes, or a rollback; what the person wants of it; and its journal.
struct Mission {
  enum class Status : std::uint8_t { unplanned, planned, running, paused, over };
  Status status = Status::unplanned;
  PlanId number = 0;
  Vnodes vnodes = 0;
  std::array<int, 2> at{};  ///< the databases of source and target
  int reverts = -1;         ///< a mission
  bool target_populated = false;
  Ring base, next;  ///< as they were when it was planned

  long plan_at = 0, start_at = 0;
  int after = -1;  ///< a mission that must be over first
  bool rolls_back = false;
  long abort_at = 0;  ///< 0: never
  bool abort_asked = false;
  int soaks = 4;

  Journal journal;   ///< as its coordinator knows it
  int last_seq = 0;  ///< of its records in the databases
  bool decided = false;
  bool aborted = false;
  bool ended = false;  ///< its journal said so
  bool left = false;   ///< ended, with a server away that has to be cleaned
  [[nodiscard]] int from() const { return at[0]; }
  [[nodiscard]] int to() const { return at[1]; }
};

/// A connection of a coordinator to one side.
struct Session {
  bool open = false;
  bool cut = false;    ///< by a coordinator that followed
  int ended = 0;       ///< how often the database's transactions had been ended when it was made
  bool stuck = false;  ///< in a transaction that only reads, and that nobody has ended
};

struct Coordinator {
  int mission = 0;
  bool alive = true;
  bool aborting = false;
  long stopped_until = 0;
  int epoch = 0;
  std::array<Session, 2> sessions;
  reshard::Progress progress;
  bool running = false;    // a task of its is
  int task = 0;            // which one
  long blocked_since = 0;  // 0: nothing is
  bool has_outcome = false;
  reshard::Outcome outcome = reshard::Outcome::done;
  int tries = 0;
  int router = 0;
  long since = 0;
  Ring bound;             // as it was told
  long committed_at = 0;  // it has heard of the commit
};

/// A statement, or a few, that a coordinator has sent to databases: it goes on when its coordinator
/// dies.
struct Task {
  int number = 0;
  reshard::Act act = reshard::Act::finished;
  int coordinator = 0;
  int mission = 0;
  int epoch = 0;
  int attempt = 0;
  bool copies = true;
  bool verify_again = false;
  int step = 0;
  int waited = 0;
  std::array<Session, 2> sessions;
  Log log;
  std::array<Slot, kKeys> slots{};
  Key key = 0;
  Slot row;         ///< of a copy: read, and not applied yet
  int pumping = 0;  ///< the next step of a pump beside a copy; 0: none is under way
  Few<TransactionId, 16> writers;
  long pause = 0;
};

}  // namespace sim
