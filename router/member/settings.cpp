#include "router/member/settings.hpp"

#include <memory>
#include <stdexcept>

#include "coordination/credentials.hpp"
#include "router/log/log.hpp"

namespace router {

FleetSettings fleet_settings(const config::Config& config) {
  const config::Fleet& fleet = config.fleet;
  FleetSettings settings{fleet.name, fleet.member, fleet::Paths(fleet.name), {}};
  settings.zookeeper.servers = fleet.zookeeper;
  if (!fleet.image_url.empty()) settings.image_url = config::image_url_from(fleet.image_url);
  settings.zookeeper.session = std::chrono::milliseconds(fleet.session_ms);
  coordination::read_credentials(fleet.credentials_file, settings.zookeeper);
  if (settings.id.empty()) {
    if (config.listen.port == 0)
      throw std::runtime_error("fleet.member is required where the client port is any free one");
    settings.id = host_name() + ":" + std::to_string(config.listen.port);
  }
  return settings;
}

fleet::MakeSession sessions_of(const FleetSettings& settings, boost::asio::io_context& loop) {
  return [options = settings.zookeeper, &loop]() -> std::unique_ptr<coordination::Session> {
    return std::make_unique<coordination::ZooKeeperSession>(loop, options);
  };
}

}  // namespace router
