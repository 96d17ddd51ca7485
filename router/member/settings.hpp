#pragma once

#include <optional>
#include <string>

#include "config/config.hpp"
#include "config/image_url.hpp"
#include "coordination/zookeeper_session.hpp"
#include "fleet/agent/session_keeper.hpp"
#include "fleet/service/paths.hpp"

namespace router {

/// What a configuration's `fleet` says, as a member, or a command for operators, needs it.
struct FleetSettings {
  std::string name;
  std::string id;  ///< this router's
  fleet::Paths paths;
  coordination::ZooKeeperOptions zookeeper;
  std::optional<config::ImageUrl> image_url{};
};

/// Throws std::runtime_error, naming what is wrong: the credentials' file can't be read, has no
/// `user:password`, or may be read by others; a member needs `fleet.member` where its port is any.
FleetSettings fleet_settings(const config::Config& config);

/// Sessions on that loop. ZooKeeper's library writes its own lines nowhere.
fleet::MakeSession sessions_of(const FleetSettings& settings, boost::asio::io_context& loop);

}  // namespace router
