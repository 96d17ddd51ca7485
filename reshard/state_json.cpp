#include "reshard/state_json.hpp"

#include <stdexcept>

namespace reshard {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const ServerIdentity& identity) {
  return {{"timeline", identity.timeline},
          {"started", identity.started},
          {"address", identity.address}};
}

ServerIdentity identity_from(const Json& json) {
  return {json.at("timeline").get<std::string>(), json.at("started").get<std::string>(),
          json.at("address").get<std::string>()};
}

/// An older program did not say what its hooks hold.
void note_lock(State& state, const Json& json, const std::string& time) {
  const Act act = state.progress.act;
  const bool over = act == Act::finished || act == Act::aborted;
  if (json.contains("lock")) {
    json.at("lock").get_to(state.lock);
    json.at("lockSince").get_to(state.lock_since);
  } else if (!over && state.hooks_done["pre_lock"]) {
    state.lock = kLockHeld;
    state.lock_since = time;
  }
}

}  // namespace

Json json_of(const State& state) {
  const Progress& at = state.progress;
  Json json{{"act", to_string(at.act)}, {"afterTakeOver", to_string(at.after_take_over)},
            {"attempt", at.attempt},    {"copies", at.copies},
            {"giveUp", at.give_up},     {"verifyAgain", at.verify_again}};
  if (state.identities)
    json["identities"] = {json_of(state.identities->at(0)), json_of(state.identities->at(1))};
  json["bound"] = {state.bound.before, state.bound.after};
  json["versions"] = state.versions;
  json["coordinators"] = state.coordinators;
  if (state.older_writers) json["olderWriters"] = *state.older_writers;
  json["tables"] = Json::object();
  for (const auto& [bucket, known] : state.tables)
    json["tables"][bucket] = {known.source, known.target};
  json["copied"] = state.copied;
  if (!state.dumped.empty()) json["dumped"] = state.dumped;
  json["hooksDone"] = state.hooks_done;
  json["lock"] = state.lock;
  json["lockSince"] = state.lock_since;
  json["cachesUntil"] = state.caches_until;
  json["soakUntil"] = state.soak_until;
  if (state.soak_seconds) json["soakSeconds"] = *state.soak_seconds;
  if (state.taken_back_by != 0) json["takenBackBy"] = state.taken_back_by;
  json["stopped"] = state.stopped;
  json["irreversible"] = state.irreversible;
  json["logGivenUp"] = state.log_given_up;
  json["paused"] = state.paused;
  return json;
}

State state_from(const Json& json, const std::string& time) {
  const auto act = [&](const char* name) {
    const auto found = act_named(json.at(name).get<std::string>());
    if (!found) throw std::runtime_error(std::string("no act is called ") + json.at(name).dump());
    return *found;
  };
  State state;
  state.progress = {act("act"),
                    act("afterTakeOver"),
                    json.at("attempt").get<std::uint32_t>(),
                    json.at("copies").get<bool>(),
                    json.at("giveUp").get<bool>(),
                    json.at("verifyAgain").get<bool>()};
  if (json.contains("identities"))
    state.identities = {identity_from(json.at("identities").at(0)),
                        identity_from(json.at("identities").at(1))};
  if (json.contains("bound")) {
    state.bound = {json.at("bound").at(0).get<std::string>(),
                   json.at("bound").at(1).get<std::string>()};
    json.at("versions").get_to(state.versions);
    json.at("coordinators").get_to(state.coordinators);
    if (json.contains("olderWriters"))
      state.older_writers = json.at("olderWriters").get<std::array<std::vector<std::string>, 2>>();
    for (const auto& [bucket, known] : json.at("tables").items())
      state.tables[bucket] = {known.at(0).get<std::string>(), known.at(1).get<std::string>()};
  }
  json.at("copied").get_to(state.copied);
  state.dumped = json.value("dumped", state.dumped);
  json.at("hooksDone").get_to(state.hooks_done);
  note_lock(state, json, time);
  json.at("cachesUntil").get_to(state.caches_until);
  json.at("soakUntil").get_to(state.soak_until);
  if (json.contains("soakSeconds"))
    state.soak_seconds = json.at("soakSeconds").get<std::uint64_t>();
  state.taken_back_by = json.value("takenBackBy", std::uint64_t{0});
  json.at("stopped").get_to(state.stopped);
  json.at("irreversible").get_to(state.irreversible);
  state.log_given_up = json.value("logGivenUp", false);
  json.at("paused").get_to(state.paused);
  return state;
}

}  // namespace reshard
