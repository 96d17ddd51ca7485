#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "tests/sim/fleet_service.hpp"

namespace sim {

/// Somebody who brings a change about at a simulated fleet: the product's coordinator, its
/// connection, and what it has under way.
class FleetDriver {
 public:
  explicit FleetDriver(FleetService& service) : service_(&service) {}

  FleetLink link;
  void begin(const fleet::CoordinatorOptions& options, fleet::Intent intent);
  /// It is wanted no more; or its process has ended. What is on its way may be done yet.
  void drop();
  void die();
  /// `may_write`: asked before each write is sent; false drops the coordinator.
  void step(const std::function<bool()>& may_write);
  void advance();

  [[nodiscard]] fleet::Coordinator* coordinator() const { return coordinator_.get(); }
  [[nodiscard]] bool reaches() const { return service_->reaches(link); }
  /// It has ended, and knows that no change of that plan is open.
  [[nodiscard]] bool has_closed(const std::string& plan) const;

 private:
  void deliver();
  [[nodiscard]] std::chrono::nanoseconds clock() const { return service_->now * kFleetTick; }

  FleetService* service_;
  std::unique_ptr<fleet::Coordinator> coordinator_;
  std::optional<DriverFlight> flight_;
};

}  // namespace sim
