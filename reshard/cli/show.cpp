// Sub-commands that only look.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "reshard/cli/commands.hpp"
#include "reshard/cli/common.hpp"
#include "reshard/cli/place.hpp"
#include "reshard/cli/status.hpp"
#include "reshard/fleet/fleet_routers.hpp"
#include "reshard/socket_routers.hpp"

namespace reshard::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kAnswerLimit{1};
constexpr std::chrono::seconds kWatchEach{1};
constexpr std::chrono::milliseconds kWatchStep{50};

struct ShowWords {
  Place place;
  std::uint64_t number = 0;
  bool json = false, watch = false, history = false, routers = false;
};

const char* which(const std::string& digest, const BoundRings& bound) {
  return digest.empty()           ? "unknown"
         : digest == bound.after  ? "the plan's"
         : digest == bound.before ? "before the cutover"
                                  : "another";
}

/// As the fleet's roster has them, now.
Json said_by_fleet(const Plan& plan, const BoundRings& bound) {
  Json routers = Json::array();
  try {
    const fleet::FleetView view = FleetRouters(plan).view();
    for (const auto& [id, member] : view.members) {
      Json shown{{"router", id},
                 {"generation", member.entry.ring.generation},
                 {"ring", which(member.entry.ring.digest, bound)},
                 {"digest", member.entry.ring.digest}};
      if (!member.problem.empty())
        shown["problem"] = member.problem;
      else if (member.entry.foreign)
        shown["problem"] = member.entry.foreign->stopped ? "it is no router of ours, and stopped"
                                                         : "it is no router of ours";
      else if (member.lives.empty())
        shown["problem"] = "its process does not show itself";
      routers.push_back(std::move(shown));
    }
  } catch (const std::exception& error) {
    routers.push_back(
        {{"router", "fleet \"" + plan.fleet->name + "\""}, {"problem", error.what()}});
  }
  return routers;
}

/// As each router says itself, now.
Json said_by_routers(const Plan& plan, const BoundRings& bound) {
  if (plan.fleet) return said_by_fleet(plan, bound);
  Json routers = Json::array();
  for (const std::string& router : plan.routers) {
    const RouterAnswer answer = ask_router(router, "status", Json::object(), kAnswerLimit);
    Json shown{{"router", router}};
    if (answer.ok) {
      const Json status = Json::parse(answer.result);
      const std::string digest = status.at("ring").value("digest", "");
      shown["generation"] = status.at("ring").at("generation");
      shown["ring"] = which(digest, bound);
      shown["digest"] = digest;
      shown["writesInFlight"] = status.at("gate").at("writesInFlight");
      shown["heldWrites"] = status.at("gate").at("heldWrites");
      shown["milliseconds"] = std::chrono::duration<double, std::milli>(answer.took).count();
    } else {
      shown["problem"] = answer.message;
    }
    routers.push_back(std::move(shown));
  }
  return routers;
}

void print_routers(const Json& routers) {
  for (const Json& router : routers) {
    const auto text = [&](const char* name) {
      const Json& value = router.at(name);
      return value.is_string() ? value.get<std::string>() : value.dump();
    };
    if (router.contains("problem"))
      std::printf("router         %s: %s\n", text("router").c_str(), text("problem").c_str());
    else if (!router.contains("milliseconds"))
      std::printf("router         %s: generation %s, ring %s (%.12s)\n", text("router").c_str(),
                  text("generation").c_str(), text("ring").c_str(), text("digest").c_str());
    else
      std::printf(
          "router         %s: generation %s, ring %s (%.12s), %s writes in flight, %s held, "
          "answered in %.1f ms\n",
          text("router").c_str(), text("generation").c_str(), text("ring").c_str(),
          text("digest").c_str(), text("writesInFlight").c_str(), text("heldWrites").c_str(),
          router.at("milliseconds").get<double>());
  }
}

void print_history(const Journal& journal) {
  for (const std::string& line : journal.history()) {
    const Json entry = Json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;
    std::printf("%s %s %s\n", entry.at("time").get<std::string>().c_str(),
                entry.at("by").get<std::string>().c_str(),
                entry.at("event").get<std::string>().c_str());
  }
}

/// A second, or until somebody wants it to end.
bool rest() {
  for (const auto until = std::chrono::steady_clock::now() + kWatchEach;
       std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(kWatchStep))
    if (interrupted()) return false;
  return !interrupted();
}

/// On a terminal it is redrawn in place; elsewhere it is a line each second.
int status(const ShowWords& options) {
  const Journal journal = plans_of(options.place)->open(options.number);
  const bool redrawn = options.watch && !options.json && isatty(STDOUT_FILENO) != 0;
  const bool line = options.watch && !options.json && !redrawn;
  if (options.watch) watch_signals();
  for (bool first = true;; first = false) {
    Json shown = status_of(journal, standing_of(journal.plan(), kStandingLimit));
    const Json routers =
        options.routers ? said_by_routers(journal.plan(), journal.read().bound) : Json::array();
    if (redrawn) std::printf("%s", first ? "\033[H\033[2J" : "\033[H\033[J");
    if (options.routers && options.json) shown["routers"] = routers;
    if (options.json)
      std::printf("%s\n", shown.dump().c_str());
    else
      std::printf("%s", line ? (time_now() + " " + to_line(shown) + "\n").c_str()
                             : to_lines(shown).c_str());
    if (!options.json) print_routers(routers);
    if (options.history) print_history(journal);
    std::fflush(stdout);
    const std::string act = shown.at("act");
    const bool over = act == "finished" || act == "aborted" || act == "rolled_back";
    if (!options.watch || over || !rest()) return static_cast<int>(ReshardExit::done);
  }
}

int list(const ShowWords& options) {
  const auto plans = plans_of(options.place);
  for (const std::uint64_t number : plans->numbers()) {
    const Json shown = status_of(plans->open(number), {});
    if (options.json)
      std::cout << shown.dump() << std::endl;
    else
      std::printf("%-6s %-20s %s vnodes, %s to %s, %s\n", std::to_string(number).c_str(),
                  shown.at("act").get<std::string>().c_str(), shown.at("vnodes").dump().c_str(),
                  shown.at("from").get<std::string>().c_str(),
                  shown.at("to").get<std::string>().c_str(),
                  shown.at("made").get<std::string>().c_str());
  }
  for (const std::string& each : plans->unseen())
    std::fprintf(stderr, "moray-router: warning: %s: its plans may be missing here\n",
                 each.c_str());
  return static_cast<int>(ReshardExit::done);
}

}  // namespace

void add_show(CLI::App& reshard, int& exit_code) {
  auto options = std::make_shared<ShowWords>();
  CLI::App* command = reshard.add_subcommand("status", "How far a plan is, and what it waits for");
  command->add_option("plan", options->number, "The plan's number")->required();
  command->add_flag("--watch", options->watch,
                    "Again each second, until the plan ends or Ctrl-C; redrawn on a terminal");
  command->add_flag("--routers", options->routers,
                    "Ask each router of the plan for its ring and its writes");
  command->add_flag("--history", options->history, "Who did what, and when");
  add_place(*command, options->place);
  command->add_flag("--json", options->json, "As JSON");
  command->callback(
      [options, &exit_code] { exit_code = guarded([&] { return status(*options); }); });

  auto listed = std::make_shared<ShowWords>();
  CLI::App* all = reshard.add_subcommand("list", "All plans");
  add_place(*all, listed->place);
  all->add_flag("--json", listed->json, "As JSON, one a line");
  all->callback([listed, &exit_code] { exit_code = guarded([&] { return list(*listed); }); });
}

}  // namespace reshard::cli
