#pragma once

#include <functional>
#include <memory>
#include <string>

#include "reshard/executor.hpp"
#include "reshard/journal.hpp"
#include "reshard/records/plans.hpp"
#include "ring/ring.hpp"

namespace reshard::cli {

/// The ring that a plan is about, from where it says, or, on a host that has no such place, its
/// fleet's. Throws where it is neither the one that the
/// plan begins from nor the one that it ends with, nor of the same vnodes.
std::shared_ptr<const ring::Ring> ring_of(const Plan& plan);

/// The routers that serve the plan's ring. Throws std::runtime_error where a fleet's credentials
/// can't be read.
std::unique_ptr<Routers> routers_of(const Plan& plan);

/// For people on stderr, bars where that is a terminal; with `json` a line of JSON on stdout for
/// each event.
Watcher watcher(const Plan& plan, bool json);

/// True once SIGINT or SIGTERM has come; the second one ends the process.
bool interrupted();
void watch_signals();

/// Runs `work`; what it throws goes to stderr, and becomes the exit code.
int guarded(const std::function<int()>& work);

/// How a plan is to be run.
struct Execution {
  bool json = false;
  bool by_force = false;  ///< end another coordinator
  bool abort = false;
  bool hands_over = false;  ///< a signal leaves the plan to another host; no bars
  std::string crash_before, crash_behind, stop_before;  ///< names of acts; for rehearsals
};

/// Of a plan that is over and still holds the site's lock: runs the hook that gives it back.
int give_lock_back(Plans& plans, std::uint64_t number, const Execution& how);

/// The plan that `back` has taken back is over, by its journal, and holds no lock any more. Throws
/// as Journal.
void end_taken_back(Plans& plans, const Plan& back);

/// Runs a plan to its end, its pause, or to where a person is needed; says so, and gives the exit
/// code.
int execute(Plans& plans, std::uint64_t number, const Execution& how);

}  // namespace reshard::cli
