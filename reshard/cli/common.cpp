#include "reshard/cli/common.hpp"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>

#include <nlohmann/json.hpp>

#include "reshard/cli/commands.hpp"
#include "reshard/fleet/fleet_routers.hpp"
#include "reshard/progress_bar.hpp"
#include "reshard/socket_routers.hpp"
#include "ring/location.hpp"

namespace reshard::cli {
namespace {

using Json = nlohmann::ordered_json;

volatile std::sig_atomic_t signals = 0;

const char* word(Executor::End end) {
  switch (end) {
    case Executor::End::finished: return "finished";
    case Executor::End::aborted: return "aborted";
    case Executor::End::paused: return "paused";
    case Executor::End::stopped: return "stopped";
  }
  return "";
}

ReshardExit exit_of(Executor::End end) {
  switch (end) {
    case Executor::End::finished: return ReshardExit::done;
    case Executor::End::aborted: return ReshardExit::aborted;
    case Executor::End::paused: return ReshardExit::paused;
    case Executor::End::stopped: return ReshardExit::stopped;
  }
  return ReshardExit::refused;
}

std::shared_ptr<const ring::Ring> load_ring(const Plan& plan) {
  if (plan.fleet) try {
      return FleetRouters(plan).ring();
    } catch (const Waiting&) {  // the service is away: what a member has here is of the same vnodes
      if (!std::filesystem::exists(plan.ring_location)) throw;
    }
  return ring::load_location(plan.ring_location).ring;
}

/// nullopt: none is named.
std::optional<Act> act_called(const std::string& name) {
  if (name.empty()) return std::nullopt;
  const auto act = act_named(name);
  if (!act) throw std::runtime_error("there is no act " + name);
  return act;
}

}  // namespace

bool interrupted() { return signals > 0; }

void watch_signals() {
  const auto noted = [](int number) {
    signals = signals + 1;
    if (signals > 1) {
      std::signal(number, SIG_DFL);
      std::raise(number);
    }
  };
  std::signal(SIGINT, noted);
  std::signal(SIGTERM, noted);
}

std::shared_ptr<const ring::Ring> ring_of(const Plan& plan) {
  const auto ring = load_ring(plan);
  plan.vnodes.each([&](ring::Vnode vnode) {
    if (number(vnode) >= ring->vnode_count())
      throw std::runtime_error(plan.ring_location + ": has no vnode " +
                               std::to_string(number(vnode)));
  });
  return ring;
}

std::unique_ptr<Routers> routers_of(const Plan& plan) {
  if (plan.fleet) return std::make_unique<FleetRouters>(plan);
  return std::make_unique<SocketRouters>(plan);
}

Watcher watcher(const Plan& plan, bool json) {
  auto bar = std::make_shared<std::optional<ProgressBar>>();
  const std::string name = plan.name();
  // In one piece: several plans of a process may speak at once.
  const auto line = [name, json](const char* kind, const std::string& text) {
    if (json)
      std::cout << Json{{"time", time_now()}, {"plan", name}, {kind, text}}.dump() + "\n"
                << std::flush;
    else
      std::cerr << time_now() + " plan " + name + ": " +
                       (kind == std::string("alarm") ? "ALARM: " : "") + text + "\n"
                << std::flush;
  };
  Watcher watcher;
  watcher.event = [line](const std::string& text) { line("event", text); };
  watcher.alarm = [line](const std::string& text) { line("alarm", text); };
  watcher.begin = [bar, json, name](const std::string& what, const std::string& unit,
                                    std::uint64_t total) {
    if (!json) bar->emplace("plan " + name + ", " + what, unit, total);
  };
  watcher.progress = [bar](std::uint64_t amount) {
    if (*bar) (*bar)->add(amount);
  };
  watcher.end = [bar] { bar->reset(); };
  return watcher;
}

int guarded(const std::function<int()>& work) {
  try {
    return work();
  } catch (const NotCoordinator& error) {
    std::fprintf(stderr, "moray-router: %s\n", error.what());
    return static_cast<int>(ReshardExit::elsewhere);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "moray-router: %s\n", error.what());
    return static_cast<int>(ReshardExit::refused);
  }
}

void end_taken_back(Plans& plans, const Plan& back) {
  Journal journal = plans.open(back.reverts);
  State state = journal.read();
  if (state.progress.act == Act::finished) return;
  state.progress.act = Act::finished;  // it has nothing left to do
  state.taken_back_by = back.number;
  state.lock.clear();  // the other one has given it back, or holds it still
  state.lock_since.clear();
  journal.record_first(state, "taken back by plan " + back.name());
  const Json shown{{"time", time_now()}, {"act", to_string(Act::finished)}};
  journal.show(shown.dump(), metrics_text(journal.plan(), state, {}, hook_times(journal.history())),
               Epochs{});
}

int give_lock_back(Plans& plans, std::uint64_t number, const Execution& how) {
  watch_signals();
  Journal journal = plans.open(number);
  const auto ring = ring_of(journal.plan());
  const auto routers = routers_of(journal.plan());
  Executor executor(journal, *routers, *ring, watcher(journal.plan(), how.json), interrupted,
                    how.by_force);
  return static_cast<int>(executor.give_lock_back_again() ? ReshardExit::done
                                                          : ReshardExit::stopped);
}

int execute(Plans& plans, std::uint64_t number, const Execution& how) {
  watch_signals();
  Journal journal = plans.open(number);
  const auto ring = ring_of(journal.plan());
  Watcher told = watcher(journal.plan(), how.json);
  if (how.hands_over) {
    told.begin = [](const std::string&, const std::string&, std::uint64_t) {};
    told.progress = [](std::uint64_t) {};
    told.end = [] {};
  }
  const auto routers = routers_of(journal.plan());
  Executor executor(journal, *routers, *ring, told, interrupted, how.by_force);
  if (how.hands_over) executor.hand_over();
  executor.crash_at(
      {act_called(how.crash_before), act_called(how.crash_behind), act_called(how.stop_before)});
  const Executor::End end = how.abort ? executor.abort() : executor.run();
  if (how.abort && end == Executor::End::finished) {
    std::fprintf(stderr,
                 "moray-router: plan %s is cut over already: `reshard rollback %s` takes it back\n",
                 journal.plan().name().c_str(), journal.plan().name().c_str());
    return static_cast<int>(ReshardExit::refused);
  }
  if (end == Executor::End::finished && journal.plan().reverts != 0) try {
      end_taken_back(plans, journal.plan());
    } catch (const std::exception& error) {
      told.alarm("the journal of plan " + std::to_string(journal.plan().reverts) +
                 " does not say that it was taken back: " + error.what());
    }
  const std::string& why = executor.state().stopped;
  told.event(std::string(word(end)) +
             (end == Executor::End::stopped
                  ? ": " + why + "; `reshard retry " + journal.plan().name() + "` goes on"
                  : ""));
  return static_cast<int>(exit_of(end));
}

}  // namespace reshard::cli
