#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "ring/durable_file.hpp"
#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/location.hpp"
#include "ring/topology.hpp"
#include "router/app.hpp"
#include "router/cli/commands.hpp"
#include "router/cli/dev_clusters.hpp"
#include "router/cli/dev_fleet.hpp"
#include "router/cli/dev_zookeeper.hpp"

namespace router::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kVnodes = 1024;

struct DevOptions {
  std::string directory = "moray-dev";
  std::string host = "127.0.0.1";
  std::uint16_t port = 2020;
  bool sync = true;
  std::uint16_t postgres = 0;  ///< databases to route to; 0: embedded shards
  std::uint16_t routers = 0;   ///< of a fleet; 0: one, of none

  [[nodiscard]] std::size_t shards() const { return postgres == 0 ? 2 : postgres; }
};

std::string pnode(std::size_t number) {
  return "tcp://" + std::to_string(number) + ".moray.dev:2020";
}

/// A port a thousand or two above the clients' one; 0 stays 0, so that several can run.
std::uint16_t beside(std::uint16_t port, std::uint16_t distance) {
  if (port == 0 || port > 65535 - distance) return 0;
  return static_cast<std::uint16_t>(port + distance);
}

/// Over databases a store of generations: their vnodes can be moved. A ring of an older start stays
/// as it is.
fs::path ring_location(const DevOptions& options) {
  const fs::path directory = fs::absolute(options.directory);
  return options.postgres == 0 || fs::exists(directory / "ring") ? directory / "ring"
                                                                 : directory / "rings";
}

/// `databases`: empty where shards are embedded.
config::Config config_of(const DevOptions& options, const std::vector<std::string>& databases) {
  const fs::path directory = fs::absolute(options.directory);
  config::Config config;
  config.listen = {options.host, options.port};
  config.monitor = {options.host, beside(options.port, 1000)};
  config.status = {options.host, beside(options.port, 2000)};
  config.admin_socket = directory / "admin.sock";
  if (config.admin_socket.size() >= sizeof sockaddr_un::sun_path)
    config.admin_socket.clear();  // too deep for a socket
  config.ring_location = ring_location(options);
  for (std::size_t i = 1; i <= options.shards(); ++i) {
    config::Shard shard;
    shard.pnode = pnode(i);
    if (databases.empty()) {
      shard.backend = config::Backend::embedded;
      shard.path = directory / ("shard-" + std::to_string(i));
      shard.sync = options.sync;
    } else {
      shard.backend = config::Backend::postgres;
      shard.url = databases[i - 1];
    }
    config.shards.push_back(shard);
  }
  return config;
}

/// Made under another name first, so that a start that was cut short leaves no half a ring.
void make_ring(const fs::path& location, const DevOptions& options) {
  std::vector<std::string> pnodes;
  for (std::size_t i = 1; i <= options.shards(); ++i) pnodes.push_back(pnode(i));
  if (fs::exists(location)) {
    const auto known = ring::load_location(location).ring;
    const auto there = known->pnodes();
    if (!std::is_permutation(there.begin(), there.end(), pnodes.begin(), pnodes.end()))
      throw std::runtime_error("the ring in " + location.string() + " has " +
                               std::to_string(there.size()) + " shards, not " +
                               std::to_string(pnodes.size()) + ": give another --dir");
    return;
  }
  fs::create_directories(location.parent_path());
  if (options.postgres > 0) {
    ring::GenerationStore rings(location);
    rings.activate(
        rings.stage_ring(*ring::create_ring(ring::Algorithm::sha256, kVnodes, pnodes)).generation);
    return;
  }
  const fs::path unfinished = location.string() + ".unfinished";
  fs::remove_all(unfinished);
  ring::create_leveldb(unfinished, *ring::create_ring(ring::Algorithm::sha256, kVnodes, pnodes));
  fs::rename(unfinished, location);
}

/// What `moray-router reshard` needs to know of this system; rewritten at each start.
void write_config(const fs::path& directory, const config::Config& config) {
  nlohmann::ordered_json shards = nlohmann::ordered_json::array();
  for (const config::Shard& shard : config.shards)
    shards.push_back({{"pnode", shard.pnode}, {"backend", "postgres"}, {"url", shard.url}});
  const nlohmann::ordered_json text{
      {"listen", {{"host", config.listen.host}, {"port", config.listen.port}}},
      {"admin", {{"socket", config.admin_socket}}},
      {"ring", {{"location", config.ring_location}}},
      {"shards", shards}};
  ring::durable::write(directory / "config.json", text.dump(2) + "\n");
}

/// The routers of a fleet serve the same databases, each by a ring in a store of its own.
std::vector<config::Config> configs_of_fleet(const DevOptions& options, const config::Config& first,
                                             const std::string& zookeeper) {
  const fs::path directory = fs::absolute(options.directory);
  std::vector<config::Config> all;
  for (std::uint16_t i = 1; i <= options.routers; ++i) {
    const std::string name = "router-" + std::to_string(i);
    const auto port = [&](std::uint16_t base) {
      return beside(base, static_cast<std::uint16_t>(i - 1));
    };
    config::Config config = first;
    config.listen.port = port(first.listen.port);
    config.monitor.port = port(first.monitor.port);
    config.status.port = port(first.status.port);
    if (!config.admin_socket.empty()) config.admin_socket = directory / (name + ".sock");
    if (config.admin_socket.size() >= sizeof sockaddr_un::sun_path) config.admin_socket.clear();
    config.ring_location = directory / name;
    config.workers = 1;
    config.log.name = name;
    config.fleet.name = "dev";
    config.fleet.zookeeper = {zookeeper};
    config.fleet.member = name;
    all.push_back(std::move(config));
  }
  return all;
}

void print_hint(const config::Config& config, const AppPorts& ports) {
  std::fprintf(
      stderr,
      "\n"
      "moray-router is ready on %s, port %u: %u vnodes over %zu %s in\n"
      "  %s\n"
      "Try node-moray's tools in another terminal (README.md tells where they come from):\n"
      "  putbucket  -h %s -p %u -i name:string people\n"
      "  putobject  -h %s -p %u -d '{\"name\":\"Ada\"}' people ada\n"
      "  getobject  -h %s -p %u people ada\n"
      "Status: http://%s:%u/status   metrics: http://%s:%u/metrics   stop: Ctrl-C\n"
      "Admin: moray-router admin --socket %s status\n\n",
      config.listen.host.c_str(), ports.listen, kVnodes, config.shards.size(),
      config.shards.front().backend == config::Backend::postgres ? "PostgreSQL databases"
                                                                 : "embedded shards",
      fs::path(config.ring_location).parent_path().c_str(), config.listen.host.c_str(),
      ports.listen, config.listen.host.c_str(), ports.listen, config.listen.host.c_str(),
      ports.listen, config.listen.host.c_str(), ports.status, config.listen.host.c_str(),
      ports.monitor,
      config.admin_socket.empty() ? "(none: the path is too long)" : config.admin_socket.c_str());
  for (const config::Shard& shard : config.shards)
    if (!shard.url.empty())
      std::fprintf(stderr, "%s is psql %s\n", shard.pnode.c_str(), shard.url.c_str());
}

/// A fleet's ring goes its own way: a router that is of none would serve by the one from its
/// beginning.
void require_one_kind(const fs::path& directory, bool fleet) {
  const bool of_fleet = fs::exists(directory / "zookeeper");
  const bool of_one =
      !of_fleet && (fs::exists(directory / "ring") || fs::exists(directory / "rings"));
  if (fleet ? of_one : of_fleet)
    throw std::runtime_error(directory.string() + (fleet
                                                       ? " is a single router's: give another --dir"
                                                       : " is a fleet's: give --routers, too, or "
                                                         "another --dir"));
}

int dev(DevOptions options) {
  try {
    const fs::path directory = fs::absolute(options.directory);
    // A directory of LevelDB's has one owner.
    if (options.routers > 0 && options.postgres == 0) options.postgres = 2;
    require_one_kind(directory, options.routers > 0);
    // First: it knows whether another `dev` has the directory.
    std::optional<DevZooKeeper> zookeeper;
    if (options.routers > 0) zookeeper.emplace(directory / "zookeeper");
    make_ring(ring_location(options), options);
    std::optional<DevClusters> clusters;
    if (options.postgres > 0) clusters.emplace(directory, options.postgres, options.sync);
    const config::Config config =
        config_of(options, clusters ? clusters->urls() : std::vector<std::string>());
    if (zookeeper) {
      serve_dev_fleet(configs_of_fleet(options, config, zookeeper->address()), directory);
      return 0;
    }
    if (clusters) write_config(directory, config);
    App app(config, "", STDOUT_FILENO, App::Signals::ours);
    print_hint(config, app.ports());
    app.run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "moray-router: %s\n", error.what());
    return 1;
  }
}

}  // namespace

void add_dev(CLI::App& program, int& exit_code) {
  auto options = std::make_shared<DevOptions>();
  CLI::App* command = program.add_subcommand("dev",
                                             "A whole system for a first try: a ring over two "
                                             "embedded shards, or over PostgreSQL databases");
  command
      ->add_option("-d,--dir", options->directory,
                   "Where ring and shards are kept; made where missing")
      ->capture_default_str();
  command->add_option("-p,--port", options->port, "The port for clients; 0: any free one")
      ->capture_default_str();
  command->add_option("--host", options->host, "The address to listen on")->capture_default_str();
  command
      ->add_option("--postgres", options->postgres,
                   "Route to so many PostgreSQL databases, made in the directory and started; 2 "
                   "where no number is given")
      ->expected(0, 1)
      ->default_str("2")
      ->check(CLI::Range(1, 64));
  command
      ->add_option("--routers", options->routers,
                   "A fleet of so many routers over PostgreSQL databases, and a ZooKeeper in which "
                   "it agrees; the next ports are theirs")
      ->check(CLI::Range(1, 20));
  command->add_flag("!--no-sync", options->sync, "Don't wait for the disk at each write");
  command->callback([options, &exit_code] { exit_code = dev(*options); });
}

}  // namespace router::cli
