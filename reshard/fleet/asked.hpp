#pragma once

#include <memory>
#include <stdexcept>

#include "reshard/database.hpp"
#include "reshard/fleet/fleet_routers.hpp"

namespace reshard {

/// A session that was lost since it was used last is made anew, once.
template <typename Ask>
auto FleetRouters::asked(Ask ask) {
  for (;;) {
    const bool is_new = service_ == nullptr;
    try {
      if (is_new)
        service_ = std::make_unique<fleet::Operator>(loop_, session_, paths_, kRouterLimit);
      return ask(*service_);
    } catch (const fleet::OperatorRefused& refused) {
      service_.reset();
      throw Stuck(named() + ": " + refused.what());
    } catch (const fleet::OperatorError& error) {
      service_.reset();
      if (is_new) throw Waiting(named() + ": " + error.what());
    } catch (const std::invalid_argument& error) {
      throw ActFailed(named() + ": " + error.what());
    }
  }
}

}  // namespace reshard
