#include "reshard/plan.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace reshard {

// Found by nlohmann by their names.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Side, pnode, url, apply)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(PlanOptions, max_block_ms, soak_seconds,
                                                copy_bytes_per_second, cleanup_rows_per_second,
                                                cleanup_latency_ms, lease_ms, attempts, lag_rows,
                                                settle_ms, cache_ms, hook_seconds, cleanup,
                                                trust_vnodes, known_clients_only, log_bytes)

// Found likewise. Plans of an older program don't say where images are.
void to_json(nlohmann::json& json, const PlanFleet& fleet) {
  json = {{"name", fleet.name},
          {"zookeeper", fleet.zookeeper},
          {"credentials_file", fleet.credentials_file},
          {"session_ms", fleet.session_ms},
          {"image_bytes_max", fleet.image_bytes_max},
          {"image_url", fleet.image_url}};
}
void from_json(const nlohmann::json& json, PlanFleet& fleet) {
  json.at("name").get_to(fleet.name);
  json.at("zookeeper").get_to(fleet.zookeeper);
  json.at("credentials_file").get_to(fleet.credentials_file);
  json.at("session_ms").get_to(fleet.session_ms);
  fleet.image_bytes_max = json.value("image_bytes_max", fleet.image_bytes_max);
  fleet.image_url = json.value("image_url", fleet.image_url);
}

namespace {

nlohmann::json json_of(const DumpLockOptions& lock) {
  nlohmann::json json{{"path", lock.path},
                      {"fleet", lock.fleet},
                      {"token", lock.token},
                      {"alarmSeconds", lock.alarm_seconds}};
  if (lock.wait_seconds) json["waitSeconds"] = *lock.wait_seconds;
  return json;
}

DumpLockOptions dump_lock_from(const nlohmann::json& json) {
  DumpLockOptions lock;
  json.at("path").get_to(lock.path);
  json.at("fleet").get_to(lock.fleet);
  json.at("token").get_to(lock.token);
  json.at("alarmSeconds").get_to(lock.alarm_seconds);
  if (json.contains("waitSeconds")) lock.wait_seconds = json.at("waitSeconds").get<std::uint64_t>();
  return lock;
}

}  // namespace

std::optional<PlanFleet> fleet_of(const config::Config& config) {
  if (!config.fleet.enabled()) return std::nullopt;
  return PlanFleet{config.fleet.name,
                   config.fleet.zookeeper,
                   config.fleet.credentials_file,
                   static_cast<std::uint64_t>(config.fleet.session_ms),
                   config.fleet.image_bytes_max,
                   config.fleet.image_url};
}

void take_routers(Plan& plan, const config::Config& config) {
  auto fleet = fleet_of(config);
  if (!fleet && !plan.fleet) return;
  plan.fleet = std::move(fleet);
  plan.routers.clear();
  if (!plan.fleet && !config.admin_socket.empty()) plan.routers = {config.admin_socket};
}

std::string to_json_text(const Plan& plan) {
  nlohmann::json json;
  json["number"] = plan.number;
  json["token"] = plan.token;
  json["from"] = plan.from;
  json["to"] = plan.to;
  json["vnodes"] = plan.vnodes.to_text();
  json["ringLocation"] = plan.ring_location;
  json["reverts"] = plan.reverts;
  json["revertsToken"] = plan.reverts_token;
  json["routers"] = plan.routers;
  if (plan.fleet) json["fleet"] = *plan.fleet;
  json["localBuckets"] = plan.buckets.local;
  json["derivedBuckets"] = plan.buckets.derived;
  json["options"] = plan.options;
  json["hooks"] = plan.hooks;
  if (plan.dump_lock) json["dumpLock"] = json_of(*plan.dump_lock);
  json["gates"] = plan.gates;
  json["pgBin"] = plan.pg_bin;
  json["author"] = plan.author;
  json["made"] = plan.made;
  return json.dump(2) + "\n";
}

Plan plan_from_json(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    Plan plan;
    json.at("number").get_to(plan.number);
    json.at("token").get_to(plan.token);
    json.at("from").get_to(plan.from);
    json.at("to").get_to(plan.to);
    plan.vnodes = ring::VnodeSet::parse(json.at("vnodes").get<std::string>());
    json.at("ringLocation").get_to(plan.ring_location);
    json.at("reverts").get_to(plan.reverts);
    plan.reverts_token = json.value("revertsToken", plan.reverts_token);
    json.at("routers").get_to(plan.routers);
    if (json.contains("fleet")) plan.fleet = json.at("fleet").get<PlanFleet>();
    json.at("localBuckets").get_to(plan.buckets.local);
    json.at("derivedBuckets").get_to(plan.buckets.derived);
    json.at("options").get_to(plan.options);
    json.at("hooks").get_to(plan.hooks);
    if (json.contains("dumpLock")) plan.dump_lock = dump_lock_from(json.at("dumpLock"));
    plan.gates = json.value("gates", plan.gates);
    plan.pg_bin = json.value("pgBin", plan.pg_bin);
    json.at("author").get_to(plan.author);
    json.at("made").get_to(plan.made);
    return plan;
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("not a plan: ") + error.what());
  }
}

Plan reverse_of(const Plan& plan, std::uint64_t number) {
  Plan back = plan;
  back.number = number;
  back.token = make_token();
  std::swap(back.from, back.to);
  back.reverts = plan.number;
  back.reverts_token = plan.token;
  back.gates.clear();
  back.author = this_author();
  back.made = time_now();
  back.options.soak_seconds =
      0;  // where it came from has been kept current all the time, and is right again
  return back;
}

std::string make_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i) {
    std::array<char, 9> part{};
    std::snprintf(part.data(), part.size(), "%08x", static_cast<unsigned>(random()));
    token += part.data();
  }
  return token;
}

std::string this_author() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const passwd* user = getpwuid(geteuid());
  return (user == nullptr ? std::to_string(geteuid()) : std::string(user->pw_name)) + "@" +
         host.data();
}

std::string time_now() { return time_in(0); }

std::string time_in(std::uint64_t milliseconds) {
  const auto then = std::chrono::system_clock::now() + std::chrono::milliseconds(milliseconds);
  return time_of(
      std::chrono::duration_cast<std::chrono::milliseconds>(then.time_since_epoch()).count());
}

std::string time_of(std::int64_t milliseconds) {
  const std::chrono::system_clock::time_point then{std::chrono::milliseconds(milliseconds)};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(then);
  const auto rest =
      std::chrono::duration_cast<std::chrono::milliseconds>(then.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(rest));
  return text.data();
}

std::chrono::milliseconds time_until(const std::string& time) {
  std::tm parts{};
  const char* rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) throw std::runtime_error("\"" + time + "\" is not a time");
  const auto fraction =
      std::chrono::duration<double>(*rest == '.' ? std::strtod(rest, nullptr) : 0);
  const auto then = std::chrono::system_clock::from_time_t(timegm(&parts)) + fraction;
  return std::chrono::duration_cast<std::chrono::milliseconds>(then -
                                                               std::chrono::system_clock::now());
}

}  // namespace reshard
