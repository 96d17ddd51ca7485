// What `reshard status` says: by the journal, by what the coordinator shows, and by the databases.
#include "reshard/cli/status.hpp"

#include <algorithm>

#include "reshard/records/plans.hpp"

namespace reshard::cli {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

bool is_over(const std::string& act) {
  return act == "finished" || act == "aborted" || act == "rolled_back";
}

Json status_json(const SessionSeen& seen, const char* side) {
  Json json{{"side", side}, {"process", seen.process}};
  if (seen.process == 0) json["application"] = "a prepared transaction";
  if (seen.process != 0) {
    json["application"] = seen.application;
    json["user"] = seen.user;
    json["address"] = seen.address;
    json["since"] = seen.since;
    json["seconds"] = seen.seconds;
    json["query"] = seen.query;
  }
  if (!seen.what.empty()) json["what"] = seen.what;
  return json;
}

Json status_json(const Coordinator& coordinator) {
  Json json{{"lives", coordinator.lives ? Json(*coordinator.lives) : Json(nullptr)}};
  if (coordinator.lives.value_or(false)) {
    json["process"] = coordinator.session.process;
    json["address"] = coordinator.session.address;
    json["since"] = coordinator.session.since;
  }
  json["lastSeen"] = text_or_null(coordinator.last_seen);
  if (!coordinator.other_plan.empty()) json["lockedByPlan"] = coordinator.other_plan;
  return json;
}

/// The time of the journal's last record; empty: there is none.
std::string last_record(const Journal& journal) {
  const auto history = journal.history();
  if (history.empty()) return "";
  const Json last = Json::parse(history.back(), nullptr, false);
  return last.is_object() ? last.value("time", "") : "";
}

double seconds_since(const std::string& time) {
  return -std::chrono::duration<double>(time_until(time)).count();
}

/// Of the work that is under way, as the coordinator shows it; in a soak, of its time.
Json progress_of(const State& state, const PlanOptions& options, const std::string& act,
                 const Json& shown, const Plan& plan) {
  if (act == "soak" && !state.soak_until.empty()) {
    const auto whole = static_cast<double>(state.soak_seconds.value_or(options.soak_seconds));
    const double left = std::max(-seconds_since(state.soak_until), 0.0);
    return {{"work", "soak"},
            {"percent", whole > 0 ? std::clamp((whole - left) / whole * 100, 0.0, 100.0) : 100.0},
            {"secondsLeft", static_cast<std::uint64_t>(left)}};
  }
  if (shown.is_object() && shown.contains("work")) {
    Json progress{{"work", shown.at("work")}};
    const auto rows = shown.value("rows", std::uint64_t{0});
    if (const auto about = shown.value("rowsAbout", std::uint64_t{0}); about > 0)
      progress["percent"] =
          std::min(static_cast<double>(rows) / static_cast<double>(about) * 100, 100.0);
    for (const char* name : {"rows", "rowsAbout", "rowsPerSecond", "secondsLeft"})
      if (shown.contains(name)) progress[name] = shown.at(name);
    return progress;
  }
  if (act != "copy") return nullptr;
  // Nobody shows anything: by the vnodes that the journal knows to be copied.
  for (const auto& [name, vnodes] : state.copied)
    if (name.find(' ') == std::string::npos && vnodes < plan.vnodes.size())
      return {
          {"work", "copy " + name},
          {"percent", static_cast<double>(vnodes) / static_cast<double>(plan.vnodes.size()) * 100}};
  return nullptr;
}

Json lag_of(const SideStanding& side, const Json& shown) {
  if (!side.problem.empty() || side.state.empty()) return nullptr;
  Json lag{{"entries", side.log_entries}, {"bytes", side.log_bytes}};
  if (side.log_longer) lag["longer"] = true;
  if (const std::string to = shown.is_object() ? shown.value("currentTo", "") : ""; !to.empty()) {
    lag["currentTo"] = to;
    lag["seconds"] = std::max(seconds_since(to), 0.0);
  }
  return lag;
}

/// The command that makes sense now; empty: none does.
std::string next_command(const Json& status, const std::string& plan, const TakenBack& taken) {
  const std::string act = status.at("act");
  bool rows_left = !status.contains("sides");
  if (!rows_left)
    for (const auto& [side, standing] : status.at("sides").items())
      rows_left = rows_left || !standing.at("state").is_null() || !standing.at("problem").is_null();
  if (act == "rolled_back") return rows_left ? "forget " + std::to_string(taken.by) : "";
  if (act == "finished" || act == "aborted") return rows_left ? "forget " + plan : "";
  if (taken.under_way != 0) return "status " + std::to_string(taken.under_way);
  if (act == "clean_target" || act == "abort_plan") return "abort " + plan;
  if (!status.at("stopped").is_null()) {
    const bool repair =
        status.at("stopped").get<std::string>().find("--repair") != std::string::npos;
    return "retry " + plan + (repair ? " --repair" : "");
  }
  const Json lives = status.value("coordinator", Json::object()).value("lives", Json(nullptr));
  if (lives.is_boolean() && !lives.get<bool>())
    return (status.at("paused").get<bool>() ? "resume " : "run ") + plan;
  const std::string waits =
      status.at("waitsFor").is_null() ? "" : status["waitsFor"].get<std::string>();
  if (waits.starts_with("gate "))
    return "open " + plan + " " + waits.substr(5, waits.find(',') - 5);
  if (act == "soak") return (status.at("irreversible").is_null() ? "finalize " : "retry ") + plan;
  return "status " + plan + " --watch";
}

}  // namespace

Act act_of(const Journal& journal) {
  const Progress at = journal.read().progress;
  const Act recorded = at.act == Act::take_over ? at.after_take_over : at.act;
  if (recorded == Act::finished || recorded == Act::aborted) return recorded;
  const Json shown = Json::parse(journal.shown(), nullptr, false);
  if (!shown.is_object() || shown.value("time", "") < last_record(journal)) return recorded;
  const auto act = act_named(shown.value("act", ""));
  return act && *act != Act::take_over ? *act : recorded;
}

Act act_of(const Journal& journal, const std::array<SideStanding, 2>& sides) {
  Progress at;
  at.act = act_of(journal);
  return true_act(at, sides[0].state, sides[1].state);
}

TakenBack taken_back(const Journal& journal) {
  TakenBack taken;
  taken.by = journal.read().taken_back_by;
  for (const std::uint64_t number : journal.plans().numbers()) {
    if (number <= journal.plan().number) continue;
    const Journal other = journal.plans().open(number);
    if (other.plan().reverts != journal.plan().number) continue;
    const Act act = other.read().progress.act;
    if (act == Act::finished) taken.by = number;
    if (act != Act::finished && act != Act::aborted) taken.under_way = number;
  }
  return taken;
}

Coordinator coordinator_of(const Journal& journal, Act act,
                           const std::array<SideStanding, 2>& sides) {
  Coordinator found;
  const Json shown = Json::parse(journal.shown(), nullptr, false);
  if (shown.is_object()) found.last_seen = shown.value("time", "");
  found.last_seen = std::max(found.last_seen, last_record(journal));
  const std::string own = "moray-router reshard " + journal.plan().name();
  for (const SideStanding& side : sides) {
    if (!side.coordinator) continue;
    if (side.coordinator->application == own) {
      found.lives = true;
      found.session = *side.coordinator;
    } else {
      const std::string& name = side.coordinator->application;
      found.other_plan = name.substr(name.find_last_of(' ') + 1);
    }
  }
  const SideStanding& deciding = sides[decided_by(act) == Role::source ? 0 : 1];
  if (!found.lives && deciding.problem.empty()) found.lives = false;
  return found;
}

Json status_of(const Journal& journal, const std::optional<std::array<SideStanding, 2>>& sides) {
  const State state = journal.read();
  const Plan& plan = journal.plan();
  const PlanOptions options = in_force(plan.options, journal.settings());
  const Json shown = Json::parse(journal.shown(), nullptr, false);
  const Act at = sides ? act_of(journal, *sides) : act_of(journal);
  TakenBack taken = taken_back(journal);
  if (sides && taken.by == 0)
    taken.by = std::max(sides->at(0).taken_back_by, sides->at(1).taken_back_by);
  if (taken.by == taken.under_way) taken.by = 0;  // its cutover is done, and its cleanup is not
  const std::string act = taken.by != 0 ? "rolled_back" : std::string(to_string(at));
  Json status{{"plan", plan.number},
              {"from", plan.from.pnode},
              {"to", plan.to.pnode},
              {"vnodes", plan.vnodes.size()},
              {"reverts", plan.reverts == 0 ? Json(nullptr) : Json(plan.reverts)},
              {"act", act},
              {"rolledBackBy", taken.by == 0 ? Json(nullptr) : Json(taken.by)},
              {"beingRolledBackBy", taken.under_way == 0 ? Json(nullptr) : Json(taken.under_way)},
              {"attempt", state.progress.attempt},
              {"paused", state.paused},
              {"stopped", text_or_null(state.stopped)},
              {"irreversible", text_or_null(state.irreversible)},
              {"soakUntil", text_or_null(state.soak_until)},
              {"author", plan.author},
              {"made", plan.made}};
  status["running"] = shown.is_object() ? shown : Json(nullptr);
  status["gates"] = plan.gates;
  status["lock"] =
      state.lock.empty()
          ? Json(nullptr)
          : Json(state.lock + " since " + state.lock_since +
                 (plan.dump_lock ? ", " + plan.dump_lock->path + " in ZooKeeper" : ""));
  status["options"] = {{"maxBlockMilliseconds", options.max_block_ms},
                       {"leaseMilliseconds", longest_hold(options.lease_ms)},
                       {"soakSeconds", options.soak_seconds},
                       {"copyBytesPerSecond", options.copy_bytes_per_second},
                       {"cleanupRowsPerSecond", options.cleanup_rows_per_second}};
  std::string waits = shown.is_object() ? shown.value("waitsFor", "") : "";
  bool lives = true;
  if (sides) {
    const Coordinator coordinator = coordinator_of(journal, at, *sides);
    lives = coordinator.lives.value_or(true);
    status["coordinator"] = status_json(coordinator);
    Json held = Json::array();
    for (const auto& [side, name] :
         {std::pair(&sides->at(0), "source"), std::pair(&sides->at(1), "target")}) {
      status["sides"][name] = {{"state", text_or_null(side->state)},
                               {"problem", text_or_null(side->problem)}};
      for (const SessionSeen& each : side->holders) held.push_back(status_json(each, name));
    }
    status["heldBy"] = std::move(held);
    status["lag"] =
        is_over(act)
            ? Json(nullptr)
            : lag_of(sides->at(at >= Act::commit_target && at <= Act::finalize ? 1 : 0), shown);
  }
  if (!lives) waits.clear();  // what it waited for as it ended
  status["waitsFor"] = text_or_null(waits);
  status["progress"] =
      is_over(act) ? Json(nullptr) : progress_of(state, options, act, lives ? shown : Json(), plan);
  const std::string next = next_command(status, plan.name(), taken);
  status["next"] =
      next.empty() ? Json(nullptr) : Json("moray-router reshard " + next + journal.plans().words());
  return status;
}

}  // namespace reshard::cli
