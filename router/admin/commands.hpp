#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "router/pages.hpp"

namespace router {

/// What the commands may do to the router; the app fills it in. Called on the admin thread.
struct AdminActions {
  struct Reloaded {
    bool ok = false;
    std::string outcome;  ///< "ok", or why it was refused
  };
  std::function<PageState()> state;
  /// `ring`: another place than the configuration's; `digest`: what the ring must be.
  std::function<Reloaded(const std::string& ring, const std::string& digest)> reload;
  std::function<std::string(const std::optional<std::string>& level)> log_level;  ///< the level now
  std::function<void()> drain;
};

/// Carries out one line `{"v":1,"command":…,"arguments":{…}}` and answers
/// `{"v":1,"ok":true,"result":…}` or `{"v":1,"ok":false,"error":{"code":…,"message":…}}`. Never
/// throws. Commands: docs/admin.md.
std::string perform_admin_line(const AdminActions& actions, std::string_view line);

}  // namespace router
