#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "config/config.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "router/app.hpp"
#include "router/cli/commands.hpp"

namespace router::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kVnodes = 1024;
const std::vector<std::string> kPnodes = {"tcp://1.moray.dev:2020", "tcp://2.moray.dev:2020"};

struct DevOptions {
  std::string directory = "moray-dev";
  std::string host = "127.0.0.1";
  std::uint16_t port = 2020;
  bool sync = true;
};

/// A port a thousand or two above the clients' one; 0 stays 0, so that several can run.
std::uint16_t beside(std::uint16_t port, std::uint16_t distance) {
  if (port == 0 || port > 65535 - distance) return 0;
  return static_cast<std::uint16_t>(port + distance);
}

config::Config config_of(const DevOptions& options) {
  const fs::path directory = fs::absolute(options.directory);
  config::Config config;
  config.listen = {options.host, options.port};
  config.monitor = {options.host, beside(options.port, 1000)};
  config.status = {options.host, beside(options.port, 2000)};
  config.admin_socket = directory / "admin.sock";
  if (config.admin_socket.size() >= sizeof sockaddr_un::sun_path) config.admin_socket.clear();  // too deep for a socket
  config.ring_location = directory / "ring";
  for (std::size_t i = 0; i < kPnodes.size(); ++i) {
    config::Shard shard;
    shard.pnode = kPnodes[i];
    shard.backend = config::Backend::embedded;
    shard.path = directory / ("shard-" + std::to_string(i + 1));
    shard.sync = options.sync;
    config.shards.push_back(shard);
  }
  return config;
}

/// Made under another name first, so that a start that was cut short leaves no half a ring.
void make_ring(const fs::path& location) {
  if (fs::exists(location)) return;
  fs::create_directories(location.parent_path());
  const fs::path unfinished = location.string() + ".unfinished";
  fs::remove_all(unfinished);
  ring::create_leveldb(unfinished, *ring::create_ring(ring::Algorithm::sha256, kVnodes, kPnodes));
  fs::rename(unfinished, location);
}

void print_hint(const config::Config& config, const AppPorts& ports) {
  std::fprintf(stderr,
               "\n"
               "moray-router is ready on %s, port %u: %u vnodes over two embedded shards in\n"
               "  %s\n"
               "Try node-moray's tools in another terminal (README.md tells where they come from):\n"
               "  putbucket  -h %s -p %u -i name:string people\n"
               "  putobject  -h %s -p %u -d '{\"name\":\"Ada\"}' people ada\n"
               "  getobject  -h %s -p %u people ada\n"
               "Status: http://%s:%u/status   metrics: http://%s:%u/metrics   stop: Ctrl-C\n"
               "Admin: moray-router admin --socket %s status\n\n",
               config.listen.host.c_str(), ports.listen, kVnodes,
               fs::path(config.ring_location).parent_path().c_str(), config.listen.host.c_str(), ports.listen,
               config.listen.host.c_str(), ports.listen, config.listen.host.c_str(), ports.listen,
               config.listen.host.c_str(), ports.status, config.listen.host.c_str(), ports.monitor,
               config.admin_socket.empty() ? "(none: the path is too long)" : config.admin_socket.c_str());
}

int dev(const DevOptions& options) {
  try {
    const config::Config config = config_of(options);
    make_ring(config.ring_location);
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
  CLI::App* command = program.add_subcommand("dev", "A whole system for a first try: a ring over two embedded shards");
  command->add_option("-d,--dir", options->directory, "Where ring and shards are kept; made where missing")
      ->capture_default_str();
  command->add_option("-p,--port", options->port, "The port for clients; 0: any free one")->capture_default_str();
  command->add_option("--host", options->host, "The address to listen on")->capture_default_str();
  command->add_flag("!--no-sync", options->sync, "Don't wait for the disk at each write");
  command->callback([options, &exit_code] { exit_code = dev(*options); });
}

}  // namespace router::cli
