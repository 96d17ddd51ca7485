// Sub-commands that ask something of a running coordinator, and say whether one has heard.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include <CLI/CLI.hpp>

#include "reshard/cli/asks.hpp"
#include "reshard/cli/commands.hpp"
#include "reshard/cli/common.hpp"
#include "reshard/cli/place.hpp"
#include "reshard/cli/status.hpp"
#include "reshard/routers.hpp"
#include "reshard/settings.hpp"

namespace reshard::cli {
namespace {

constexpr std::chrono::milliseconds kHeardLook{100};
constexpr std::chrono::seconds kLookForCoordinator{1};
constexpr int kNotHeardLooks = 2;  ///< one that takes over anew has no lock for a moment
constexpr std::chrono::seconds kHoldLimit{1};

struct AskWords {
  Place place;
  std::uint64_t number = 0, seconds = 30;
  Settings settings;

  [[nodiscard]] Journal journal() const { return plans_of(place)->open(number); }
};

/// `run 7`, with where plans are.
std::string words(const Journal& journal, const char* command) {
  return std::string("`moray-router reshard ") + command + " " + journal.plan().name() +
         journal.plans().words() + "`";
}

int exit_of(ReshardExit code) { return static_cast<int>(code); }

std::string shown_time(const Journal& journal) {
  const auto shown = nlohmann::json::parse(journal.shown(), nullptr, false);
  return shown.is_object() ? shown.value("time", "") : "";
}

std::string shown_wait(const Journal& journal) {
  const auto shown = nlohmann::json::parse(journal.shown(), nullptr, false);
  return shown.is_object() ? shown.value("waitsFor", "") : "";
}

/// Throws where nothing can be asked of a plan any more.
void require_under_way(const Journal& journal) {
  const std::string plan = "plan " + journal.plan().name();
  const State state = journal.read();
  if (const auto taken = taken_back(journal); taken.by != 0)
    throw std::runtime_error(plan + " was taken back by plan " + std::to_string(taken.by));
  if (state.progress.act == Act::finished) throw std::runtime_error(plan + " is finished");
  if (state.progress.act == Act::aborted) throw std::runtime_error(plan + " was aborted");
}

int pause(const AskWords& options) {
  const Journal journal = options.journal();
  require_under_way(journal);
  const std::string plan = "plan " + journal.plan().name();
  journal.ask("pause");
  const Heard heard = wait_until_heard(journal, std::chrono::seconds(options.seconds),
                                       [&] { return journal.read().paused; });
  if (heard == Heard::yes) {
    std::fprintf(stderr, "moray-router: %s is paused at %s; %s goes on\n", plan.c_str(),
                 std::string(to_string(act_of(journal))).c_str(), words(journal, "resume").c_str());
    return exit_of(ReshardExit::done);
  }
  if (heard == Heard::nobody) {
    journal.unask("pause");
    const std::string stopped = journal.read().stopped;
    std::fprintf(stderr,
                 "moray-router: nobody carries %s on%s: there is nothing to pause. %s goes on\n",
                 plan.c_str(), stopped.empty() ? "" : (" (it stopped: " + stopped + ")").c_str(),
                 words(journal, "run").c_str());
    return exit_of(ReshardExit::unheard);
  }
  std::fprintf(stderr,
               "moray-router: the coordinator of %s has not stopped within %llu s; it stops where "
               "nothing is blocked, if it hears\n",
               plan.c_str(), static_cast<unsigned long long>(options.seconds));
  return exit_of(ReshardExit::unheard);
}

int finalize(const AskWords& options) {
  const Journal journal = options.journal();
  require_under_way(journal);
  const std::string plan = "plan " + journal.plan().name();
  const auto sides = standing_of(journal.plan(), kStandingLimit);
  const Act act = act_of(journal, sides);
  if (act < Act::wait_commit_flushed || act >= Act::back_out)
    throw std::runtime_error(plan + " is not cut over: it is at " + std::string(to_string(act)) +
                             ", and has no soak that could be ended");
  const std::string asked = time_now();
  journal.ask("finalize");
  const auto ended = [&] {
    const Act now = act_of(journal);
    return now == Act::finished || (now >= Act::finalize && now <= Act::end_cleanup);
  };
  const auto at_gate = [&] {
    return shown_time(journal) > asked && shown_wait(journal).starts_with("gate finalize");
  };
  const Heard heard = wait_until_heard(journal, std::chrono::seconds(options.seconds),
                                       [&] { return ended() || at_gate(); });
  std::string said;
  switch (heard) {
    case Heard::yes:
      said = ended() ? "the soak of " + plan + " is over" : plan + " waits: " + shown_wait(journal);
      break;
    case Heard::nobody:
      said = "nobody carries " + plan +
             " on: its soak ends, and with it the way back, as soon as " + words(journal, "run") +
             " is started";
      break;
    case Heard::no:
      said = "the coordinator of " + plan + " has not answered within " +
             std::to_string(options.seconds) + " s; it ends the soak when it hears";
      break;
  }
  std::fprintf(stderr, "moray-router: %s\n", said.c_str());
  return exit_of(heard == Heard::yes ? ReshardExit::done : ReshardExit::unheard);
}

/// A longer block is told apart from what routers hold, where they can be asked now.
void warn_of_holds(const Plan& plan, const PlanOptions& options) {
  try {
    const auto hold = routers_of(plan)->rehearse(kHoldLimit).hold_ms;
    const std::uint64_t longest = longest_hold(options.lease_ms);
    if (hold > 0 && longest >= hold)
      std::fprintf(
          stderr,
          "moray-router: warning: routers hold writes for %llu ms, and the plan's lease is "
          "%llu ms: after that they are refused\n",
          static_cast<unsigned long long>(hold), static_cast<unsigned long long>(longest));
  } catch (const std::exception&) {  // they are on another ring by now, or silent
  }
}

int set(const AskWords& options) {
  const Journal journal = options.journal();
  require_under_way(journal);
  const Plan& plan = journal.plan();
  if (options.settings.empty())
    throw std::runtime_error("nothing is to be set: name an option and its value");
  if (const std::string problem = problem_of(options.settings); !problem.empty())
    throw std::runtime_error(problem);
  const Act act = act_of(journal);
  if (options.settings.soak_seconds && act > Act::soak && act < Act::back_out)
    throw std::runtime_error("the soak of plan " + plan.name() + " is over");
  const Settings settings = merged(journal.settings(), options.settings, plan.options);
  if (options.settings.max_block_ms && act <= Act::prepare)
    warn_of_holds(plan, in_force(plan.options, settings));
  journal.set(settings);
  std::fprintf(stderr, "plan %s: %s; in force where nothing is blocked\n", plan.name().c_str(),
               to_text(settings).c_str());
  return exit_of(ReshardExit::done);
}

CLI::App* add_ask(CLI::App& reshard, const char* name, const char* what,
                  const std::shared_ptr<AskWords>& options, int& exit_code,
                  int (*work)(const AskWords&)) {
  CLI::App* command = reshard.add_subcommand(name, what);
  command->add_option("plan", options->number, "The plan's number")->required();
  add_place(*command, options->place);
  command->callback(
      [options, &exit_code, work] { exit_code = guarded([&] { return work(*options); }); });
  return command;
}

}  // namespace

Heard wait_until_heard(const Journal& journal, std::chrono::milliseconds limit,
                       const std::function<bool()>& heard) {
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  Clock::time_point looked{};
  std::string sign = shown_time(journal);
  for (int in_vain = 0;;) {
    if (heard()) return Heard::yes;
    if (Clock::now() - looked >= kLookForCoordinator) {
      const auto sides = standing_of(journal.plan(), kStandingLimit);
      const Act act = act_of(journal, sides);
      const auto lives = coordinator_of(journal, act, sides).lives;
      const std::string now = shown_time(journal);
      // One that waits for a server that is away has no lock, but shows itself.
      in_vain = lives.value_or(true) || now != sign ? 0 : in_vain + 1;
      if (in_vain >= kNotHeardLooks) return heard() ? Heard::yes : Heard::nobody;
      sign = now;
      looked = Clock::now();
    }
    if (Clock::now() - begun > limit) return Heard::no;
    std::this_thread::sleep_for(kHeardLook);
  }
}

void add_asks(CLI::App& reshard, int& exit_code) {
  const auto wait = [](CLI::App* command, const std::shared_ptr<AskWords>& options) {
    command
        ->add_option("--wait", options->seconds, "Seconds for which its coordinator is waited for")
        ->check(CLI::Range(0, 86'400))
        ->capture_default_str();
  };
  auto paused = std::make_shared<AskWords>();
  wait(add_ask(reshard, "pause", "Asks a running coordinator to stop where nothing is blocked",
               paused, exit_code, pause),
       paused);
  auto finalized = std::make_shared<AskWords>();
  wait(add_ask(reshard, "finalize",
               "Ends the soak of a running plan: there is no rollback afterwards", finalized,
               exit_code, finalize),
       finalized);
  auto changed = std::make_shared<AskWords>();
  CLI::App* command =
      add_ask(reshard, "set", "Changes options of a plan while it runs", changed, exit_code, set);
  command->add_option("--max-block", changed->settings.max_block_ms,
                      "Milliseconds that writes are held at most");
  command->add_option("--soak", changed->settings.soak_seconds,
                      "Seconds that the soak takes in all, from when it began");
  command->add_option("--copy-bytes-per-second", changed->settings.copy_bytes_per_second,
                      "Of the copy, at most; 0: any");
  command->add_option("--cleanup-rows-per-second", changed->settings.cleanup_rows_per_second,
                      "Deleted at the source, at most; 0: any");
}

}  // namespace reshard::cli
