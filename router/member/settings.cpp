#include "router/member/settings.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "router/log/log.hpp"

namespace router {
namespace {

/// Who may write a fleet's nodes decides where every key of it goes.
void read_credentials(const std::string& path, coordination::ZooKeeperOptions& into) {
  const auto wrong = [&](const std::string& why) {
    return std::runtime_error("fleet.credentialsFile " + path + ": " + why);
  };
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) throw wrong(std::generic_category().message(errno));
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw wrong("others may read it; its mode must be 0600");
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const std::size_t colon = line.find(':');
  if (!file || colon == std::string::npos || colon == 0 || colon + 1 == line.size())
    throw wrong("its first line must be user:password");
  into.user = line.substr(0, colon);
  into.password = line.substr(colon + 1);
}

}  // namespace

FleetSettings fleet_settings(const config::Config& config) {
  const config::Fleet& fleet = config.fleet;
  FleetSettings settings{fleet.name, fleet.member, fleet::Paths(fleet.name), {}};
  settings.zookeeper.servers = fleet.zookeeper;
  settings.zookeeper.session = std::chrono::milliseconds(fleet.session_ms);
  if (!fleet.credentials_file.empty()) read_credentials(fleet.credentials_file, settings.zookeeper);
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
