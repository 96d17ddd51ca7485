#include "config/reader.hpp"

namespace config {
namespace {

using Json = nlohmann::json;
using Problems = std::vector<Problem>;

void read_index_shards(const Json& value, const std::string& path, Config& config,
                       Problems& problems) {
  if (!value.is_array()) {
    problems.push_back({path, "must be a list of shards, not " + describe(value)});
    return;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    Shard shard;
    Problems ignored;
    ObjectReader(at, problems)
        .text("host", shard.srv)
        .flag("readOnly", shard.read_only)
        .read(value[i], ignored);
    if (shard.srv.empty()) {
      if (value[i].is_object() && !value[i].contains("host"))
        problems.push_back({at + ".host", "is required"});
      continue;
    }
    shard.pnode = "tcp://" + shard.srv + ":2020";
    config.shards.push_back(std::move(shard));
  }
}

}  // namespace

Parsed parse_electric_moray(const Json& root) {
  Parsed parsed;
  Config& config = parsed.config;
  Problems& problems = parsed.problems;
  config.electric_moray = true;
  config.listen.host = config.monitor.host = config.status.host = "::";
  config.log.name = "electric-moray";
  config.admin_socket.clear();  // several processes a zone share one configuration
  const auto nothing = [](const Json&, const std::string&) {};
  const auto text = [](std::string& into) {
    return [&into](const Json& value, const std::string&) {
      if (value.is_string()) into = value.get<std::string>();
    };
  };
  ObjectReader reader("", problems);
  reader
      .member("ringCfg",
              [&](const Json& value, const std::string& path) {
                ObjectReader(path, problems)
                    .member("leveldbCfg",
                            nothing)  // LevelDB is opened for a moment, not held with a cache
                    .member("location", text(config.ring_location))
                    .member("indexShards",
                            [&](const Json& list, const std::string& at) {
                              read_index_shards(list, at, config, problems);
                            })
                    .read(value, parsed.warnings);
                if (value.is_object() && !value.contains("indexShards"))
                  problems.push_back({path + ".indexShards", "is required"});
              })
      .member("bunyan",
              [&](const Json& value, const std::string& path) {
                ObjectReader(path, problems)
                    .member("level", text(config.log.level))
                    .member("name", nothing)
                    .read(value, parsed.warnings);
              })
      .member("morayOptions",
              [&](const Json& value, const std::string& path) {
                ObjectReader(path, problems)
                    .member("cueballOptions",
                            [&](const Json& cueball, const std::string& at) {
                              ObjectReader(at, problems)
                                  .member("resolvers",
                                          [&](const Json& list, const std::string& here) {
                                            if (!list.is_array()) {
                                              problems.push_back(
                                                  {here, "must be a list, not " + describe(list)});
                                              return;
                                            }
                                            for (const Json& item : list)
                                              if (item.is_string())
                                                config.resolvers.push_back(item.get<std::string>());
                                          })
                                  .read(cueball, parsed.warnings);
                            })
                    .read(value, parsed.warnings);
              })
      .member("fleet",
              [&](const Json& value, const std::string& path) {
                read_fleet(value, path, config.fleet, problems);
              })
      .member("datacenter", text(config.datacenter))
      .member("server_uuid", text(config.server_uuid))
      .member("port", nothing);
  reader.read(root, parsed.warnings);
  return parsed;
}

}  // namespace config
