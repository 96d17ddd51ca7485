#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/fleet_control.hpp"
#include "tests/sim/fleet_driver.hpp"
#include "tests/sim/fleet_rules.hpp"
#include "tests/sim/fleet_service.hpp"
#include "tests/sim/mission.hpp"

namespace sim {

/// What a plan's coordinator has of the fleet.
struct FleetPart {
  explicit FleetPart(FleetService& service) : driver(service) {}
  FleetDriver driver;
  bool settled = false;      ///< no change of the plan is open, as far as it knows
  bool target_kept = false;  ///< nothing takes the target's commit back any more
  /// What it knew before it took the plan over may be another one's past.
  void begin_anew() {
    driver.drop();
    settled = target_kept = false;
  }
};

/// What may happen beside what may happen without a fleet.
struct FleetScenario {
  bool service_away = false, cut_members = false, cut_coordinators = false;
  long lease = 0;  ///< ticks
  bool stopped_members = false, lost_sessions = false, long_deaths = false, forgets = false;
};

/// The fleet of a world's routers, and whoever changes what it goes by.
struct Fleet {
  Fleet(const FleetRules& which, Draws& draws, const Ring& first)
      : rules(which), service(draws, first), editor(service) {}
  FleetRules rules;
  FleetService service;
  std::array<std::unique_ptr<FleetControl>, kFleetMembers> members;
  std::array<long, kFleetMembers> dead_until{};
  std::vector<std::unique_ptr<FleetPart>> parts;  ///< one a coordinator
  FleetDriver editor;                             ///< of a person who edits the ring
  FleetScenario scenario;
  long last_fault = 0;
  struct Question {
    fleet::RowQuestion asked;
    int database = 0;
  };
  std::array<Question, kFleetMembers> questions;
  [[nodiscard]] bool hold(FleetRule rule) const { return rules.hold(rule); }
};

/// As the fleet names a plan.
inline fleet::PlanName name_of(const Mission& plan) {
  return {static_cast<std::uint64_t>(plan.number), "p" + std::to_string(plan.number),
          std::to_string(plan.from()), std::to_string(plan.to())};
}

}  // namespace sim
