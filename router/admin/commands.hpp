#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/control/ring_control.hpp"
#include "router/pages/pages.hpp"
#include "router/serve/heat.hpp"
#include "router/serve/local_call.hpp"

namespace router {

/// What the commands may do to the router; the app fills it in. Called on the admin thread.
struct AdminActions {
  std::function<PageState()> state;
  RingControl* control = nullptr;
  /// Of all workers; nullopt: one has not answered within a second.
  std::function<std::optional<std::vector<WorkerReads>>()> reads;
  std::function<std::string(const std::optional<std::string>& level)> log_level;  ///< the level now
  /// Turns counting on (from zero) or off; the counts now, by worker.
  std::function<std::vector<std::shared_ptr<Heat>>(const std::optional<bool>& on)> heat;
  std::function<void(std::string payload, LocalCall::Done done)> call;  ///< a request of our own
  std::function<void(bool leaves_fleet)> drain;
};

/// Carries out one line `{"v":1,"command":…,"arguments":{…}}` and answers
/// `{"v":1,"ok":true,"result":…}` or `{"v":1,"ok":false,"error":{"code":…,"message":…}}`, once, on
/// whichever thread ends the work. Never throws. Commands: docs/admin.md.
void perform_admin_line(const AdminActions& actions, std::string_view line,
                        std::function<void(std::string)> reply);

}  // namespace router
