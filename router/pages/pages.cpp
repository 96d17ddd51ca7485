#include "router/pages/pages.hpp"

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>

#include <nlohmann/json.hpp>

#include "backends/postgres/wire/application_name.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

using Json = nlohmann::ordered_json;

std::string iso_time(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  const std::time_t seconds = system_clock::to_time_t(when);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const auto ms = duration_cast<milliseconds>(when.time_since_epoch()).count() % 1000;
  char whole[48];
  std::snprintf(whole, sizeof whole, "%s.%03dZ", text, static_cast<int>(ms));
  return whole;
}

/// Resident bytes, where the system tells.
std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0, resident = 0;
  if (!(statm >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Json shard_states(const PageState& state) {
  Json list = Json::array();
  for (std::size_t i = 0; i < state.snapshot().pnodes.size(); ++i) {
    Json shard{{"pnode", state.snapshot().pnodes[i].name},
               {"backend", std::string(config::to_string(state.published->shards[i].backend))},
               {"readOnly", state.snapshot().pnodes[i].read_only}};
    std::size_t connections = 0, in_flight = 0, healthy = 0;
    for (const WorkerStatus& worker : state.workers) {
      if (i >= worker.shards.size()) continue;
      const backends::ShardStatus& status = worker.shards[i].second;
      connections += status.connections;
      in_flight += status.in_flight;
      healthy += status.healthy ? 1u : 0u;
      shard["address"] = status.address;
      if (!status.last_problem.empty()) shard["lastProblem"] = status.last_problem;
    }
    shard["healthyWorkers"] = healthy;
    shard["connections"] = connections;
    shard["inFlight"] = in_flight;
    list.push_back(std::move(shard));
  }
  return list;
}

/// Blocks live in memory: after a restart there are none.
Json gate_state(const PageState& state) {
  const Gate& gate = *state.snapshot().gate;
  std::size_t held = 0, bytes = 0, leases = 0;
  for (const WorkerStatus& worker : state.workers) {
    held += worker.held_writes;
    bytes += worker.held_bytes;
    leases += worker.write_leases;
  }
  const auto since = state.control.blocked_since;
  return {{"hold", gate.held.to_text()},
          {"refuse", gate.refused.to_text()},
          {"since", since ? Json(iso_time(*since)) : Json(nullptr)},
          {"heldWrites", held},
          {"heldBytes", bytes},
          {"writesInFlight", leases},
          {"leasesExpired", state.control.leases_expired}};
}

Json prepared_state(const PageState& state) {
  const auto& prepared = state.control.prepared;
  if (!prepared)
    return state.control.left_pending.empty() ? Json(nullptr)
                                              : Json{{"leftBehind", state.control.left_pending}};
  return {
      {"generation", prepared->generation}, {"digest", prepared->digest}, {"plan", prepared->plan}};
}

Json publications_state(const PageState& state) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  const auto count = [](std::chrono::nanoseconds time) {
    return duration_cast<microseconds>(time).count();
  };
  const PublicationCounts& counts = state.publications;
  return {{"count", counts.publications},
          {"lastMicroseconds", count(counts.last.took)},
          {"lastPauseMicroseconds", count(counts.last.pause)},
          {"longestPauseMicroseconds", count(counts.longest_pause)}};
}

/// What a member of a fleet knows of it.
Json fleet_state(const FleetStatus& fleet) {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
  };
  Json ring(nullptr);
  if (!fleet.fleet_digest.empty())
    ring = {{"generation", fleet.fleet_generation}, {"digest", fleet.fleet_digest}};
  const auto object = [](const std::string& text) {
    return text.empty() ? Json(nullptr) : Json::parse(text);
  };
  Json image(nullptr);
  if (!fleet.images.digest.empty())
    image = {{"digest", fleet.images.digest}, {"from", fleet.images.from}};
  return {{"name", fleet.fleet},
          {"member", fleet.member},
          {"serves", fleet.serves},
          {"inRoster", fleet.in_roster},
          {"inTouch", fleet.in_touch},
          {"seq", fleet.seq},
          {"ring", std::move(ring)},
          {"change", or_null(fleet.change)},
          {"stage", or_null(fleet.stage)},
          {"agreedTo", or_null(fleet.record)},
          {"highest", fleet.highest},
          {"roster", fleet.roster},
          {"entry", object(fleet.entry)},
          {"record", object(fleet.agreed)},
          {"blocks", object(fleet.blocks)},
          {"doubtVnodes", fleet.doubt_vnodes},
          {"blockedVnodes", fleet.blocked_vnodes},
          {"sessionsExpired", fleet.sessions_expired},
          {"lastImage", std::move(image)},
          {"imagesRefused", fleet.images.refused},
          {"problem", or_null(fleet.problem)}};
}

}  // namespace

std::string not_ready_page(const FleetStatus& status) {
  std::string why = status.problem;
  if (why.empty())
    why = status.in_roster ? "it waits for the fleet's service" : "it has not joined its fleet yet";
  return Json{{"ready", false}, {"reason", why}}.dump(-1, ' ', false,
                                                      Json::error_handler_t::replace);
}

std::string status_page(const PageState& state) {
  const char* fmri = std::getenv("SMF_FMRI");
  Json clients = Json::array(), index_shards = Json::array();
  for (const PnodeState& pnode : state.snapshot().pnodes) {
    clients.push_back(pnode.name);
    const auto endpoint = config::parse_pnode_url(pnode.name);
    index_shards.push_back(
        {{"host", endpoint ? endpoint->host : pnode.name}, {"readOnly", pnode.read_only}});
  }
  const ring::Ring& ring = *state.snapshot().ring;
  Json page{{"smf_fmri", fmri == nullptr ? Json(nullptr) : Json(fmri)},
            {"pid", getpid()},
            {"application", backends::postgres::application_name()},
            {"start_time", iso_time(state.started_at)},
            {"client_list", std::move(clients)},
            {"index_shards", std::move(index_shards)},
            {"ring",
             {{"digest", ring.digest()},
              {"vnodes", ring.vnode_count()},
              {"generation", state.snapshot().generation},
              {"publication", state.snapshot().sequence},
              {"anyData", ring.any_data()},
              {"location", state.control.ring_location}}},
            {"gate", gate_state(state)},
            {"prepared", prepared_state(state)},
            {"publications", publications_state(state)},
            {"reloads", state.control.reloads},
            {"lastReload",
             state.control.last_reload.empty() ? Json(nullptr) : Json(state.control.last_reload)},
            {"workers", state.workers.size()},
            {"shards", shard_states(state)}};
  if (state.fleet) page["fleet"] = fleet_state(*state.fleet);
  return page.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string kang_snapshot(const PageState& state) {
  Json connections = Json::object();
  std::uint64_t started = 0, completed = 0, active = 0;
  for (const WorkerStatus& worker : state.workers) {
    started += worker.ended_sessions.started;
    completed += worker.ended_sessions.completed;
    for (const SessionStatus& session : worker.sessions) {
      const std::string id = std::to_string(session.id);
      ++active;
      started += session.counts.started;
      completed += session.counts.completed;
      connections[id] = {{"connid", session.id},
                         {"addrinfo", session.peer},
                         {"nStarted", session.counts.started},
                         {"nCompleted", session.counts.completed},
                         {"inFlight", session.in_flight},
                         {"draining", session.draining},
                         {"timeAccepted", iso_time(session.accepted_at)}};
    }
  }
  Json page{{"service",
             {{"name", "electric-moray"},
              {"ident", host_name() + "/" + std::to_string(getpid())},
              {"version", "1.2.0"}}},
            {"stats",
             {{"nConnectionsActive", active},
              {"nRequestsStarted", started},
              {"nRequestsCompleted", completed},
              {"started", iso_time(state.started_at)},
              {"memory", {{"rss", resident_bytes()}}}}},
            {"types", {"fastconnection", "fastrequest"}},
            {"fastconnection", std::move(connections)},
            {"fastrequest", Json::object()}};
  return page.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace router
