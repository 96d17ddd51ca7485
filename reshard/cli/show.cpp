// Sub-commands that only look.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "reshard/cli/commands.hpp"
#include "reshard/cli/common.hpp"
#include "reshard/routers.hpp"

namespace reshard::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kAnswerLimit{1};

struct Options {
  std::string state = kStateDirectory;
  std::uint64_t number = 0;
  bool json = false, watch = false, history = false, routers = false;
};

Json status_of(const Journal& journal) {
  const State state = journal.read();
  const Progress& at = state.progress;
  const Plan& plan = journal.plan();
  Json status{
      {"plan", plan.number},
      {"from", plan.from.pnode},
      {"to", plan.to.pnode},
      {"vnodes", plan.vnodes.size()},
      {"reverts", plan.reverts == 0 ? Json(nullptr) : Json(plan.reverts)},
      {"act", to_string(at.act == Act::take_over ? at.after_take_over : at.act)},
      {"attempt", at.attempt},
      {"paused", state.paused},
      {"stopped", state.stopped.empty() ? Json(nullptr) : Json(state.stopped)},
      {"irreversible", state.irreversible.empty() ? Json(nullptr) : Json(state.irreversible)},
      {"soakUntil", state.soak_until.empty() ? Json(nullptr) : Json(state.soak_until)},
      {"author", plan.author},
      {"made", plan.made}};
  const Json shown = Json::parse(journal.shown(), nullptr, false);
  status["running"] = shown.is_object() ? shown : Json(nullptr);
  const std::string waits = shown.is_object() ? shown.value("waitsFor", "") : "";
  status["waitsFor"] = waits.empty() ? Json(nullptr) : Json(waits);
  status["gates"] = plan.gates;
  status["lock"] =
      state.lock.empty() ? Json(nullptr) : Json(state.lock + " since " + state.lock_since);
  return status;
}

void print(const Json& status) {
  for (const auto& [name, value] : status.items())
    if (!value.is_null())
      std::printf("%-14s %s\n", name.c_str(),
                  (value.is_string() ? value.get<std::string>() : value.dump()).c_str());
}

/// As each router says itself, now.
Json routers_of(const Plan& plan, const BoundRings& bound) {
  Json routers = Json::array();
  for (const std::string& router : plan.routers) {
    const RouterAnswer answer = ask_router(router, "status", Json::object(), kAnswerLimit);
    Json shown{{"router", router}};
    if (answer.ok) {
      const Json status = Json::parse(answer.result);
      const std::string digest = status.at("ring").value("digest", "");
      shown["generation"] = status.at("ring").at("generation");
      shown["ring"] = digest.empty()           ? "unknown"
                      : digest == bound.after  ? "the plan's"
                      : digest == bound.before ? "before the cutover"
                                               : "another";
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
    else
      std::printf(
          "router         %s: generation %s, ring %s (%.12s), %s writes in flight, %s held, "
          "answered in %.1f ms\n",
          text("router").c_str(), text("generation").c_str(), text("ring").c_str(),
          text("digest").c_str(), text("writesInFlight").c_str(), text("heldWrites").c_str(),
          router.at("milliseconds").get<double>());
  }
}

int status(const Options& options) {
  const Journal journal(std::filesystem::path(options.state) / std::to_string(options.number));
  for (;;) {
    Json shown = status_of(journal);
    const Json routers =
        options.routers ? routers_of(journal.plan(), journal.read().bound) : Json::array();
    if (options.routers && options.json) shown["routers"] = routers;
    if (options.json)
      std::cout << shown.dump() << std::endl;
    else
      print(shown);
    if (!options.json) print_routers(routers);
    if (options.history)
      for (const std::string& line : journal.history()) {
        const Json entry = Json::parse(line, nullptr, false);
        if (!entry.is_object()) continue;
        std::printf("%s %s %s\n", entry.at("time").get<std::string>().c_str(),
                    entry.at("by").get<std::string>().c_str(),
                    entry.at("event").get<std::string>().c_str());
      }
    const std::string act = shown.at("act");
    if (!options.watch || act == "finished" || act == "aborted")
      return static_cast<int>(ReshardExit::done);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    if (!options.json) std::printf("\n");
  }
}

int list(const Options& options) {
  for (const std::uint64_t number : plans_in(options.state)) {
    const Json shown =
        status_of(Journal(std::filesystem::path(options.state) / std::to_string(number)));
    if (options.json)
      std::cout << shown.dump() << std::endl;
    else
      std::printf("%-6s %-20s %s vnodes, %s to %s, %s\n", std::to_string(number).c_str(),
                  shown.at("act").get<std::string>().c_str(), shown.at("vnodes").dump().c_str(),
                  shown.at("from").get<std::string>().c_str(),
                  shown.at("to").get<std::string>().c_str(),
                  shown.at("made").get<std::string>().c_str());
  }
  return static_cast<int>(ReshardExit::done);
}

}  // namespace

void add_show(CLI::App& reshard, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = reshard.add_subcommand("status", "How far a plan is, and what it waits for");
  command->add_option("plan", options->number, "The plan's number")->required();
  command->add_flag("--watch", options->watch, "Again each second, to its end");
  command->add_flag("--routers", options->routers,
                    "Ask each router of the plan for its ring and its writes");
  command->add_flag("--history", options->history, "Who did what, and when");
  command->add_option("--state", options->state, "The directory of plans")->capture_default_str();
  command->add_flag("--json", options->json, "As JSON");
  command->callback(
      [options, &exit_code] { exit_code = guarded([&] { return status(*options); }); });

  auto listed = std::make_shared<Options>();
  CLI::App* all = reshard.add_subcommand("list", "All plans");
  all->add_option("--state", listed->state, "The directory of plans")->capture_default_str();
  all->add_flag("--json", listed->json, "As JSON, one a line");
  all->callback([listed, &exit_code] { exit_code = guarded([&] { return list(*listed); }); });
}

}  // namespace reshard::cli
