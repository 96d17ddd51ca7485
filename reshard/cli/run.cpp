// Sub-commands that carry a plan out, or back.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>

#include "reshard/cli/asks.hpp"
#include "reshard/cli/commands.hpp"
#include "reshard/cli/common.hpp"
#include "reshard/cli/place.hpp"
#include "reshard/cli/status.hpp"
#include "reshard/database.hpp"
#include "reshard/forget.hpp"
#include "reshard/plan_number.hpp"
#include "reshard/preflight.hpp"
#include "reshard/settings.hpp"

namespace reshard::cli {
namespace {

constexpr std::chrono::hours kRetryLimit{24};
constexpr std::chrono::seconds kLetGoLimit{60};

struct RunWords {
  Place place;
  std::uint64_t number = 0;
  std::string gate;
  bool repair = false;
  Forgotten gone;
  std::uint64_t lock_seconds = 600;
  Execution how;
};

int run(const RunWords& options) {
  const auto plans = plans_of(options.place);
  Journal journal = plans->open(options.number);
  if (has_lost_cleanup(journal)) begin_cleanup_again(journal);
  const Progress at = journal.read().progress;
  if (options.repair) journal.ask("repair");
  // Once the routers may be on the new ring, what preflight looks at is no more as it was.
  if (journal.history().empty()) {
    const Preflight found =
        preflight(journal.plan(), *routers_of(journal.plan()), *ring_of(journal.plan()), false);
    for (const Obstacle& each : found.obstacles)
      std::fprintf(stderr, "obstacle: %s\n          %s\n", each.what.c_str(), each.advice.c_str());
    if (!found.obstacles.empty()) throw std::runtime_error("nothing was changed");
  }
  if ((at.act == Act::finished || at.act == Act::aborted) && !journal.read().lock.empty())
    return give_lock_back(*plans, options.number, options.how);
  if (at.act == Act::finished && journal.plan().reverts != 0)
    end_taken_back(*plans, journal.plan());
  if (const auto taken = taken_back(journal); taken.by != 0)
    throw std::runtime_error("plan " + journal.plan().name() + " was taken back by plan " +
                             std::to_string(taken.by));
  if (at.act == Act::finished)
    throw std::runtime_error("plan " + journal.plan().name() + " is finished");
  if (at.act == Act::aborted)
    throw std::runtime_error("plan " + journal.plan().name() + " was aborted: plan again");
  return execute(*plans, options.number, options.how);
}

/// Where a coordinator ended within the block, its journal says no more than that a cutover was
/// begun: the row decides.
bool committed(const Plan& plan) {
  Database source(plan, Role::source);
  source.connect();
  const auto row = source.plan_row();
  return row && row->state == "committed";
}

/// A way back is not kept from beginning by a server that is away: it is waited for later.
std::uint64_t rollback_number(const std::vector<Side>& sides, std::uint64_t above) {
  try {
    return take_plan_number(sides, above);
  } catch (const backends::postgres::SessionError& error) {
    std::fprintf(stderr, "moray-router: the number is not taken at all databases: %s\n",
                 error.what());
  }
  for (const Side& side : sides) try {
      above = take_plan_number({side}, above) - 1;
    } catch (const backends::postgres::SessionError&) {  // told already
    }
  return above + 1;
}

/// A soaking plan without a way back that a coordinator carries on looks for it again, at once;
/// everything else is carried on here.
int retry_plan(const RunWords& options) {
  const Journal journal = plans_of(options.place)->open(options.number);
  const std::string plan = "plan " + journal.plan().name();
  const auto sides = standing_of(journal.plan(), kStandingLimit);
  const Act act = act_of(journal, sides);
  if (act != Act::soak || !coordinator_of(journal, act, sides).lives.value_or(false) ||
      options.how.by_force)
    return run(options);
  journal.ask("retry");
  watch_signals();
  const Heard heard = wait_until_heard(journal, kRetryLimit,
                                       [&] { return !journal.asked("retry") || interrupted(); });
  if (heard != Heard::yes || interrupted()) {
    std::fprintf(stderr, "moray-router: %s: the coordinator has not looked for the way back yet\n",
                 plan.c_str());
    return static_cast<int>(ReshardExit::unheard);
  }
  const std::string why = journal.read().irreversible;
  std::fprintf(stderr, "moray-router: %s is %s%s\n", plan.c_str(),
               why.empty() ? "reversible" : "not reversible: ", why.c_str());
  return static_cast<int>(why.empty() ? ReshardExit::done : ReshardExit::stopped);
}

/// What keeps the source current ends first: its coordinator is asked to stop, and waited for, so
/// that no plan is made which nobody may carry out.
void end_reverse_stream(const Journal& journal) {
  journal.ask("pause");
  const auto let_go = [&] {
    const auto sides = standing_of(journal.plan(), kStandingLimit);
    const auto lives = coordinator_of(journal, Act::soak, sides).lives;
    return !lives.value_or(false);
  };
  if (wait_until_heard(journal, kLetGoLimit, let_go) != Heard::no) return;
  journal.unask("pause");
  throw NotCoordinator("the coordinator of plan " + journal.plan().name() +
                       " has not stopped within " + std::to_string(kLetGoLimit.count()) +
                       " s: `reshard status` says what it waits for");
}

/// A plan of its own, the other way. What keeps the source current is ended first, and its state
/// inherited: the servers' identities among it, since a failover in the meantime may have taken
/// rows away.
int roll_back(const RunWords& options) {
  const auto plans = plans_of(options.place);
  const Journal journal = plans->open(options.number);
  const State state = journal.read();
  std::uint64_t last = journal.plan().number;
  for (const std::uint64_t number : plans->numbers()) {
    last = std::max(last, number);
    if (number <= options.number) continue;
    const Journal other = plans->open(number);
    if (other.plan().reverts != options.number) continue;
    if (other.read().progress.act != Act::aborted) return execute(*plans, number, options.how);
  }
  Act act =
      state.progress.act == Act::take_over ? state.progress.after_take_over : state.progress.act;
  if (resumed(state.progress).after_take_over == Act::back_out && committed(journal.plan()))
    act = Act::wait_commit_flushed;
  if ((act >= Act::finalize && act <= Act::end_cleanup) || act == Act::finished)
    throw std::runtime_error(
        "plan " + journal.plan().name() +
        " is finalized: its source is not current any more; plan the way back as a new move");
  if (act < Act::wait_commit_flushed || act >= Act::back_out)
    throw std::runtime_error("plan " + journal.plan().name() + " is not cut over: `reshard abort " +
                             journal.plan().name() + "` ends it");
  if (act != Act::soak && act != Act::wait_commit_flushed)
    throw std::runtime_error("plan " + journal.plan().name() +
                             " is being cut over: `reshard run` it to its soak first");
  if (!state.irreversible.empty())
    throw std::runtime_error("plan " + journal.plan().name() +
                             " is not reversible: " + state.irreversible);
  if (!options.how.by_force) end_reverse_stream(journal);
  Plan back = reverse_of(
      journal.plan(),
      rollback_number(plans->numbered_with(journal.plan().from, journal.plan().to), last));
  const auto soak = back.options.soak_seconds;
  back.options = in_force(journal.plan().options, journal.settings());
  back.options.soak_seconds = soak;
  State begun;
  begun.progress = rollback();
  begun.identities = state.identities;
  begun.lock = state.lock;
  begun.lock_since = state.lock_since;
  if (state.lock == kLockHeld) begun.hooks_done["pre_lock"] = true;
  if (begun.identities) std::swap(begun.identities->at(0), begun.identities->at(1));
  plans->create(back, Begun{begun, "takes plan " + journal.plan().name() + " back"});
  return execute(*plans, back.number, options.how);
}

/// With the command, for what it has beside what all have.
std::pair<CLI::App*, std::shared_ptr<RunWords>> add_command(CLI::App& reshard, int& exit_code,
                                                            const char* name, const char* what,
                                                            int (*work)(const RunWords&)) {
  auto options = std::make_shared<RunWords>();
  CLI::App* command = reshard.add_subcommand(name, what);
  command->add_option("plan", options->number, "The plan's number")->required();
  add_place(*command, options->place);
  command->add_flag("--json", options->how.json, "Events as JSON lines on stdout");
  command->add_flag("--take-over", options->how.by_force, "End another coordinator of this plan");
  command
      ->add_option("--crash-before", options->how.crash_before,
                   "For rehearsals: end, as if killed, before that act")
      ->group("");
  command->add_option("--crash-behind", options->how.crash_behind, "The same behind it")->group("");
  command
      ->add_option("--stop-before", options->how.stop_before,
                   "Stop before it, as by a signal; another goes on")
      ->group("");
  command->callback(
      [options, &exit_code, work] { exit_code = guarded([&] { return work(*options); }); });
  return {command, options};
}

Journal journal_of(const RunWords& options) {
  return plans_of(options.place)->open(options.number);
}

}  // namespace

void add_run(CLI::App& reshard, int& exit_code) {
  add_command(reshard, exit_code, "run", "Carries a plan out, or goes on with it", run);
  add_command(reshard, exit_code, "resume", "Goes on with a plan that was paused", run);
  const auto [retry, retried] =
      add_command(reshard, exit_code, "retry",
                  "Goes on with a plan that stopped, or looks for its way back", retry_plan);
  retry->add_flag("--repair", retried->repair,
                  "Bring rows again that differ though it is not known why; look at them first");
  const auto [open, opened] =
      add_command(reshard, exit_code, "open", "Opens a gate that a plan stands before",
                  [](const RunWords& options) {
                    const Journal journal = journal_of(options);
                    const auto& gates = journal.plan().gates;
                    if (std::find(gates.begin(), gates.end(), options.gate) == gates.end())
                      throw std::runtime_error("plan " + journal.plan().name() + " has no gate " +
                                               options.gate);
                    journal.ask(gate_ask(options.gate));
                    return static_cast<int>(ReshardExit::done);
                  });
  open->add_option("gate", opened->gate, "copy, cutover, finalize or cleanup")->required();
  add_command(reshard, exit_code, "rollback",
              "Takes a plan back that was cut over and is not finalized", roll_back);
  add_command(reshard, exit_code, "abort", "Ends a plan that is not cut over; what was copied goes",
              [](const RunWords& options) {
                Execution how = options.how;
                how.abort = true;
                return execute(*plans_of(options.place), options.number, how);
              });
  const auto [forgetting, forgotten] = add_command(
      reshard, exit_code, "forget",
      "Takes what is left of a plan that is over out of both databases: the source then takes "
      "writes to its old vnodes",
      [](const RunWords& options) {
        const Journal journal = journal_of(options);
        Forgotten gone = options.gone;
        gone.lock_limit = std::chrono::seconds(options.lock_seconds);
        forget(journal, *routers_of(journal.plan()), gone,
               watcher(journal.plan(), options.how.json).event);
        return static_cast<int>(ReshardExit::done);
      });
  forgetting->add_flag("--target-is-gone", forgotten->gone.target_is_gone,
                       "The target never comes back: nothing is looked for there");
  forgetting->add_flag("--source-is-gone", forgotten->gone.source_is_gone,
                       "The same of the source");
  forgetting
      ->add_option("--lock-seconds", forgotten->lock_seconds,
                   "How long tables are waited for that others have locked, at each side")
      ->capture_default_str();
}

void add_reshard(CLI::App& program, int& exit_code) {
  CLI::App* reshard = program.add_subcommand(
      "reshard", "Moves vnodes from one PostgreSQL shard to another, while both are written to");
  reshard->require_subcommand(1);
  add_plan(*reshard, exit_code);
  add_run(*reshard, exit_code);
  add_asks(*reshard, exit_code);
  add_verify(*reshard, exit_code);
  add_show(*reshard, exit_code);
  add_supervise(*reshard, exit_code);
}

}  // namespace reshard::cli
