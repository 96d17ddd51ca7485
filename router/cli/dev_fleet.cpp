#include "router/cli/dev_fleet.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <nlohmann/json.hpp>

#include "fleet/operator/operator.hpp"
#include "ring/durable_file.hpp"
#include "ring/location.hpp"
#include "router/app.hpp"
#include "router/member/settings.hpp"

namespace router::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kServiceAnswers{30};

/// What `moray-router fleet` needs to know; rewritten at each start. Of the first router, whose
/// store of rings a rollback looks into.
void write_fleet_config(const fs::path& directory, const config::Config& first) {
  nlohmann::ordered_json shards = nlohmann::ordered_json::array();
  for (const config::Shard& shard : first.shards)
    shards.push_back({{"pnode", shard.pnode}, {"backend", "postgres"}, {"url", shard.url}});
  const nlohmann::ordered_json text{
      {"listen", {{"host", first.listen.host}, {"port", first.listen.port}}},
      {"admin", {{"socket", first.admin_socket}}},
      {"ring", {{"location", first.ring_location}}},
      {"fleet",
       {{"name", first.fleet.name},
        {"zookeeper", first.fleet.zookeeper},
        {"member", first.fleet.member}}},
      {"shards", shards}};
  ring::durable::write(directory / "config.json", text.dump(2) + "\n");
}

/// The fleet that an earlier start has made goes on with its own ring.
void found(const std::vector<config::Config>& routers, const fs::path& rings) {
  boost::asio::io_context loop;
  const FleetSettings settings = fleet_settings(routers.front());
  fleet::Operator service(loop, sessions_of(settings, loop), settings.paths, kServiceAnswers);
  const auto located = ring::load_location(rings.string());
  try {
    service.found({located.generation, located.ring->digest()}, fleet::geometry_of(*located.ring),
                  fleet::image_of(*located.ring));
  } catch (const fleet::OtherRing&) {  // it has changed its ring since
  }
  for (const auto& [id, member] : service.look().members)
    if (std::none_of(routers.begin(), routers.end(),
                     [&, &name = id](const auto& each) { return each.fleet.member == name; }))
      throw std::runtime_error("this directory's fleet has a member \"" + id +
                               "\", too: start as many routers as before, or give another --dir");
}

void print_hint(const std::vector<config::Config>& routers,
                const std::vector<std::unique_ptr<App>>& apps, const fs::path& directory) {
  std::fprintf(stderr, "\na fleet of %zu routers is ready on %s, ports", apps.size(),
               routers.front().listen.host.c_str());
  for (const auto& app : apps) std::fprintf(stderr, " %u", app->ports().listen);
  std::fprintf(stderr,
               ", in\n  %s\nTry in another terminal:\n"
               "  moray-router fleet -f %s/config.json status\n"
               "  moray-router fleet -f %s/config.json set-data --vnodes 0-9 ro\n"
               "Status of the first: http://%s:%u/status   stop: Ctrl-C\n\n",
               directory.c_str(), directory.c_str(), directory.c_str(),
               routers.front().listen.host.c_str(), apps.front()->ports().status);
}

}  // namespace

void serve_dev_fleet(const std::vector<config::Config>& routers, const fs::path& directory) {
  found(routers, directory / "rings");
  write_fleet_config(directory, routers.front());
  std::vector<std::unique_ptr<App>> apps;
  for (const config::Config& config : routers)
    apps.push_back(std::make_unique<App>(config, "", STDOUT_FILENO, App::Signals::not_ours));
  // From here on: a start that waits can be ended, too.
  boost::asio::io_context loop;
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
  print_hint(routers, apps, directory);
  std::vector<std::thread> threads;
  for (const auto& app : apps) threads.emplace_back([&app] { app->run(); });
  std::function<void()> wait_for_signal = [&] {
    signals.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      for (const auto& app : apps) app->request_stop();  // asked twice, they hurry
      wait_for_signal();
    });
  };
  wait_for_signal();
  std::thread listener([&] { loop.run(); });
  for (std::thread& thread : threads) thread.join();
  loop.stop();
  listener.join();
}

}  // namespace router::cli
