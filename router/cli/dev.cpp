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

int dev(const DevOptions& options) {
  try {
    const fs::path directory = fs::absolute(options.directory);
    make_ring(ring_location(options), options);
    std::optional<DevClusters> clusters;
    if (options.postgres > 0) clusters.emplace(directory, options.postgres, options.sync);
    const config::Config config =
        config_of(options, clusters ? clusters->urls() : std::vector<std::string>());
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
  command->add_flag("!--no-sync", options->sync, "Don't wait for the disk at each write");
  command->callback([options, &exit_code] { exit_code = dev(*options); });
}

}  // namespace router::cli
