// `reshard supervise`: takes up each plan that nobody carries on.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>

#include "reshard/cli/commands.hpp"
#include "reshard/cli/common.hpp"
#include "reshard/cli/place.hpp"
#include "reshard/standing.hpp"
#include "reshard/unattended.hpp"

namespace reshard::cli {
namespace {

constexpr std::chrono::milliseconds kPlansLook{2'000};
constexpr std::chrono::milliseconds kPlansLookStep{50};
constexpr std::chrono::seconds kRefusedFor{60};
constexpr std::size_t kCarriedMost = 16;  ///< at once; others wait, or another host takes them

struct SuperviseWords {
  Place place;
  std::uint64_t gone_seconds = 10;
  bool json = false;
};

/// A coordinator on a thread of its own.
class CarriedPlan {
 public:
  CarriedPlan(const Place& place, std::uint64_t number, bool json)
      : thread_([this, place, number, json] {
          Execution how;
          how.json = json;
          how.hands_over = true;
          code_ = guarded([&] { return execute(*plans_of(place), number, how); });
          over_ = true;
        }) {}
  ~CarriedPlan() { thread_.join(); }
  CarriedPlan(const CarriedPlan&) = delete;
  CarriedPlan& operator=(const CarriedPlan&) = delete;

  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] int code() const { return code_; }

 private:
  std::atomic<bool> over_{false};
  std::atomic<int> code_{0};
  std::thread thread_;
};

class Supervisor {
 public:
  explicit Supervisor(const SuperviseWords& options)
      : options_(options), plans_(plans_of(options.place)),
        unattended_(std::chrono::seconds(options.gone_seconds), kRefusedFor) {}

  void look() {
    let_go();
    for (const std::uint64_t number : unattended_.due(seen(), Unattended::Time::clock::now())) {
      if (carried_.size() >= kCarriedMost || interrupted()) return;
      tell("plan " + std::to_string(number) + " is taken up: nobody carries it on");
      carried_[number] = std::make_unique<CarriedPlan>(options_.place, number, options_.json);
    }
  }

 private:
  static void tell(const std::string& text) {
    std::fprintf(stderr, "%s moray-router: %s\n", time_now().c_str(), text.c_str());
  }

  void let_go() {
    for (auto each = carried_.begin(); each != carried_.end();) {
      if (!each->second->over()) {
        ++each;
        continue;
      }
      if (each->second->code() == static_cast<int>(ReshardExit::refused))
        unattended_.refused(each->first, Unattended::Time::clock::now());
      each = carried_.erase(each);
    }
  }

  /// A plan that can't be looked at is told once, and again when the reason is another.
  std::vector<PlanSeen> seen() {
    std::vector<PlanSeen> all;
    std::map<std::uint64_t, std::string> problems;
    try {
      std::set<std::uint64_t> taken_back;
      for (const std::uint64_t number : plans_->numbers()) try {
          const Journal journal = plans_->open(number);
          const State state = journal.read();
          if (journal.plan().reverts != 0 && state.progress.act != Act::aborted)
            taken_back.insert(journal.plan().reverts);
          all.push_back(look_at(journal, state));
        } catch (const std::exception& error) {
          problems[number] = "plan " + std::to_string(number) + ": " + error.what();
          all.push_back({number, true, std::nullopt});
        }
      for (PlanSeen& each : all)
        if (taken_back.contains(each.number)) each.to_be_carried_on = false;
    } catch (const std::exception& error) {
      problems[0] = error.what();
    }
    for (const std::string& each : plans_->unseen()) problems[0] += each + "; ";
    for (const auto& [number, problem] : problems)
      if (problems_[number] != problem) tell(problem);
    problems_ = std::move(problems);
    return all;
  }

  PlanSeen look_at(const Journal& journal, const State& state) {
    PlanSeen seen{journal.plan().number, false, true};
    const Act act = state.progress.act;
    const bool over = act == Act::finished || act == Act::aborted;
    if (over || state.paused || !state.stopped.empty() || journal.history().empty()) return seen;
    seen.to_be_carried_on = true;
    if (carried_.contains(seen.number)) return seen;
    seen.carried_on = has_coordinator(journal.plan(),
                                      act == Act::take_over ? state.progress.after_take_over : act);
    return seen;
  }

  const SuperviseWords& options_;
  std::shared_ptr<Plans> plans_;
  Unattended unattended_;
  std::map<std::uint64_t, std::string> problems_;  // that were told; 0: of the places of plans
  std::map<std::uint64_t, std::unique_ptr<CarriedPlan>> carried_;
};

/// Ends when its plans stand where nothing is blocked. They are not paused: another host goes on.
int supervise(const SuperviseWords& options) {
  watch_signals();
  Supervisor supervisor(options);
  while (!interrupted()) {
    supervisor.look();
    for (const auto until = std::chrono::steady_clock::now() + kPlansLook;
         std::chrono::steady_clock::now() < until && !interrupted();)
      std::this_thread::sleep_for(kPlansLookStep);
  }
  return static_cast<int>(ReshardExit::done);
}

}  // namespace

void add_supervise(CLI::App& reshard, int& exit_code) {
  auto options = std::make_shared<SuperviseWords>();
  CLI::App* command = reshard.add_subcommand(
      "supervise",
      "Takes up each plan that was begun, and that nobody carries on; on several hosts at once");
  add_place(*command, options->place);
  command
      ->add_option("--gone-seconds", options->gone_seconds,
                   "A plan is taken up when it has had no coordinator for so long")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Events as JSON lines on stdout");
  command->callback(
      [options, &exit_code] { exit_code = guarded([&] { return supervise(*options); }); });
}

}  // namespace reshard::cli
