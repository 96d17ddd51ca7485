#pragma once

namespace CLI {
class App;
}

namespace reshard::cli {

/// `ring backfill-vnodes`; its callback stores its exit code in `exit_code`.
void add_backfill_vnodes(CLI::App& ring, int& exit_code);

/// `reshard` and its sub-commands (docs/resharding.md).
void add_reshard(CLI::App& program, int& exit_code);

/// How `reshard` ends, for scripts.
enum class ReshardExit : int {
  done = 0,
  refused = 1,
  stopped = 5,  ///< a person is needed: `reshard status` says why
  paused = 6,
  aborted = 7,
  elsewhere = 8,  ///< another coordinator has the plan
  unheard = 9,    ///< no coordinator has done what was asked
  differ = 10,    ///< rows differ
};

/// One for each group of sub-commands.
void add_plan(CLI::App& reshard, int& exit_code);
void add_run(CLI::App& reshard, int& exit_code);
void add_asks(CLI::App& reshard, int& exit_code);
void add_verify(CLI::App& reshard, int& exit_code);
void add_show(CLI::App& reshard, int& exit_code);
void add_supervise(CLI::App& reshard, int& exit_code);

}  // namespace reshard::cli
