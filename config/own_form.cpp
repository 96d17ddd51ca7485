#include <arpa/inet.h>

#include <filesystem>
#include <set>

#include "config/reader.hpp"

namespace config {
namespace {

using Json = nlohmann::json;
using Problems = std::vector<Problem>;

constexpr std::uint64_t kBytesMost = std::uint64_t{4} << 30;
constexpr std::uint64_t kMillisecondsMost = 365ull * 24 * 3600 * 1000;

bool is_ip_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

void read_endpoint(const Json& value, const std::string& path, Endpoint& into, Problems& problems) {
  ObjectReader reader(path, problems);
  reader.text("host", into.host).port("port", into.port).read(value, problems);
  if (!is_ip_address(into.host))
    problems.push_back({path + ".host", "must be an IP address, not \"" + into.host + "\""});
}

/// Which members each kind of shard needs and takes.
void check_shard(const Shard& shard, const Json& value, const std::string& path,
                 Problems& problems) {
  const auto has = [&](const char* name) { return value.contains(name); };
  const auto foreign = [&](std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (has(name))
        problems.push_back({path + "." + name, "does not belong to a shard of backend \"" +
                                                   std::string(to_string(shard.backend)) + "\""});
  };
  switch (shard.backend) {
    case Backend::moray:
      if (has("address") == has("srv"))
        problems.push_back({path, "needs either \"address\" or \"srv\""});
      if (has("address") && !parse_address(shard.address, shard.default_port))
        problems.push_back({path + ".address", "is not host:port: \"" + shard.address + "\""});
      foreign({"url", "path", "sync"});
      return;
    case Backend::postgres:
      if (!has("url")) problems.push_back({path, "needs \"url\""});
      foreign({"address", "srv", "path", "fastVersion", "sync"});
      return;
    case Backend::embedded:
      if (!has("path")) problems.push_back({path, "needs \"path\""});
      foreign({"address", "srv", "url", "fastVersion"});
      return;
  }
}

Shard read_shard(const Json& value, const std::string& path, Problems& problems) {
  Shard shard;
  bool backend_known = true;
  ObjectReader reader(path, problems);
  reader.text("pnode", shard.pnode)
      .text("address", shard.address)
      .text("srv", shard.srv)
      .text("url", shard.url)
      .text("path", shard.path)
      .flag("sync", shard.sync)
      .flag("readOnly", shard.read_only)
      .member("fastVersion",
              [&](const Json& version, const std::string& at) {
                if (version == 1 || version == 2)
                  shard.fast_version = version.get<int>();
                else
                  problems.push_back({at, "must be 1 or 2, not " + describe(version)});
              })
      .member("backend", [&](const Json& name, const std::string& at) {
        for (const Backend backend : {Backend::moray, Backend::postgres, Backend::embedded})
          if (name == to_string(backend)) {
            shard.backend = backend;
            return;
          }
        backend_known = false;
        problems.push_back(
            {at, "must be \"moray\", \"postgres\" or \"embedded\", not " + describe(name)});
      });
  reader.read(value, problems);
  if (!value.is_object()) return shard;
  if (!value.contains("pnode")) problems.push_back({path, "needs \"pnode\""});
  if (backend_known) check_shard(shard, value, path, problems);
  return shard;
}

void read_shards(const Json& value, const std::string& path, Config& config, Problems& problems) {
  if (!value.is_array()) {
    problems.push_back({path, "must be a list of shards, not " + describe(value)});
    return;
  }
  std::set<std::string> seen, directories;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    config.shards.push_back(read_shard(value[i], at, problems));
    const std::string& pnode = config.shards.back().pnode;
    if (!pnode.empty() && !seen.insert(pnode).second)
      problems.push_back({at + ".pnode", "\"" + pnode + "\" has a shard already"});
    const std::string& directory = config.shards.back().path;
    if (!directory.empty() &&
        !directories.insert(std::filesystem::path(directory).lexically_normal()).second)
      problems.push_back({at + ".path", "\"" + directory + "\" belongs to another shard already"});
  }
}

void read_resolvers(const Json& value, const std::string& path, Config& config,
                    Problems& problems) {
  const bool list_of_text =
      value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) {
        return item.is_string() && parse_address(item.get<std::string>(), 53).has_value();
      });
  if (list_of_text)
    config.resolvers = value.get<std::vector<std::string>>();
  else
    problems.push_back({path, "must be a list of addresses like \"10.0.0.1\" or \"10.0.0.1:53\""});
}

void read_names(const Json& value, const std::string& path, std::vector<std::string>& into,
                Problems& problems) {
  const bool names =
      value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) {
        return item.is_string() && !item.get_ref<const std::string&>().empty();
      });
  if (names)
    into = value.get<std::vector<std::string>>();
  else
    problems.push_back({path, "must be a list of bucket names"});
}

void read_buckets(const Json& value, const std::string& path, Buckets& into, Problems& problems) {
  ObjectReader(path, problems)
      .member("local", [&](const Json& list,
                           const std::string& at) { read_names(list, at, into.local, problems); })
      .member("derived",
              [&](const Json& list, const std::string& at) {
                read_names(list, at, into.derived, problems);
              })
      .read(value, problems);
  for (const std::string& name : into.local)
    if (std::find(into.derived.begin(), into.derived.end(), name) != into.derived.end())
      problems.push_back({path, "\"" + name + "\" can't be local and derived"});
}

void read_limits(const Json& value, const std::string& path, Limits& into, Problems& problems) {
  ObjectReader(path, problems)
      .number("memoryBytes", into.memory_bytes, 0, std::uint64_t{1} << 50)
      .number("frameBytesMax", into.frame_bytes_max, 1024, kBytesMost)
      .number("shardFrameBytesMax", into.shard_frame_bytes_max, 1024, kBytesMost)
      .number("largeFramesBytesMax", into.large_frames_bytes_max, 1 << 20, std::uint64_t{1} << 40)
      .number("sessionsMax", into.sessions_max, 1, 10'000'000)
      .number("sessionInFlightMax", into.session_in_flight_max, 1, 1'000'000)
      .number("sessionOutputBytesMax", into.session_output_bytes_max, 1024, kBytesMost)
      .number("shardInFlightMax", into.shard_in_flight_max, 1, 10'000'000)
      .number("heldWritesMax", into.held_writes_max, 0, 10'000'000)
      .number("heldBytesMax", into.held_bytes_max, 0, std::uint64_t{1} << 40)
      .read(value, problems);
}

void read_timeouts(const Json& value, const std::string& path, Timeouts& into, Problems& problems) {
  ObjectReader(path, problems)
      .number("objectMs", into.object_ms, 1, kMillisecondsMost)
      .number("findMs", into.find_ms, 1, kMillisecondsMost)
      .number("longRunningMs", into.long_running_ms, 1, kMillisecondsMost)
      .number("streamIdleMs", into.stream_idle_ms, 1, kMillisecondsMost)
      .number("connectMs", into.connect_ms, 1, kMillisecondsMost)
      .number("drainMs", into.drain_ms, 0, kMillisecondsMost)
      .number("holdMs", into.hold_ms, 1, kMillisecondsMost)
      .number("turnMs", into.turn_ms, 0, kMillisecondsMost)
      .read(value, problems);
}

void read_log(const Json& value, const std::string& path, LogSettings& into, Problems& problems) {
  ObjectReader(path, problems)
      .text("level", into.level)
      .text("name", into.name)
      .read(value, problems);
  static const std::set<std::string> kLevels{"trace", "debug", "info", "warn", "error", "fatal"};
  if (!kLevels.contains(into.level))
    problems.push_back(
        {path + ".level",
         "must be trace, debug, info, warn, error or fatal, not \"" + into.level + "\""});
}

}  // namespace

Parsed parse_own(const Json& root) {
  Parsed parsed;
  Config& config = parsed.config;
  Problems& problems = parsed.problems;
  const auto endpoint = [&](Endpoint& into) {
    return [&](const Json& value, const std::string& path) {
      read_endpoint(value, path, into, problems);
    };
  };
  ObjectReader reader("", problems);
  reader.member("listen", endpoint(config.listen))
      .member("monitor", endpoint(config.monitor))
      .member("status", endpoint(config.status))
      .member(
          "admin",
          [&](const Json& value, const std::string& path) {
            ObjectReader(path, problems).text("socket", config.admin_socket).read(value, problems);
          })
      .member("ring",
              [&](const Json& value, const std::string& path) {
                ObjectReader(path, problems)
                    .text("location", config.ring_location)
                    .read(value, problems);
              })
      .number("workers", config.workers, 0, 1024)
      .member("shards",
              [&](const Json& value, const std::string& path) {
                read_shards(value, path, config, problems);
              })
      .member("shardDefaults",
              [&](const Json& value, const std::string& path) {
                ObjectReader(path, problems)
                    .flag("fromUrl", config.shards_from_url)
                    .read(value, problems);
              })
      .member("dns",
              [&](const Json& value, const std::string& path) {
                ObjectReader(path, problems)
                    .member("resolvers",
                            [&](const Json& list, const std::string& at) {
                              read_resolvers(list, at, config, problems);
                            })
                    .read(value, problems);
              })
      .member("limits",
              [&](const Json& value, const std::string& path) {
                read_limits(value, path, config.limits, problems);
              })
      .member("timeouts",
              [&](const Json& value, const std::string& path) {
                read_timeouts(value, path, config.timeouts, problems);
              })
      .member("pool",
              [&](const Json& value, const std::string& path) {
                ObjectReader(path, problems)
                    .number("pointConnections", config.pool.point_connections, 1, 64)
                    .number("postgresPointConnections", config.pool.postgres_point_connections, 1,
                            64)
                    .number("streamConnectionsMax", config.pool.stream_connections_max, 1, 64)
                    .number("idleMs", config.pool.idle_ms, 1, kMillisecondsMost)
                    .read(value, problems);
              })
      .member("buckets",
              [&](const Json& value, const std::string& path) {
                read_buckets(value, path, config.buckets, problems);
              })
      .flag("sql", config.sql)
      .member("fleet",
              [&](const Json& value, const std::string& path) {
                read_fleet(value, path, config.fleet, problems);
              })
      .member("log", [&](const Json& value,
                         const std::string& path) { read_log(value, path, config.log, problems); })
      .text("datacenter", config.datacenter)
      .text("serverUuid", config.server_uuid);
  reader.read(root, problems);
  if (!root.is_object()) return parsed;
  if (memory_bytes(config) / 4 < config.limits.frame_bytes_max)
    problems.push_back({"limits.memoryBytes", "must be at least four times limits.frameBytesMax: " +
                                                  std::to_string(memory_bytes(config)) +
                                                  " bytes don't do for " +
                                                  std::to_string(config.limits.frame_bytes_max)});
  if (!root.contains("ring"))
    problems.push_back({"ring", "is required: {\"location\": directory}"});
  else if (config.ring_location.empty() && root["ring"].is_object() &&
           !root["ring"].contains("location"))
    problems.push_back({"ring.location", "is required"});
  if (!root.contains("shards") && !config.shards_from_url)
    problems.push_back({"shards", "is required"});
  return parsed;
}

}  // namespace config
