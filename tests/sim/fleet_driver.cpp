#include "tests/sim/fleet_driver.hpp"

#include <utility>

namespace sim {

using coordination::Outcome;

void FleetDriver::begin(const fleet::CoordinatorOptions& options, fleet::Intent intent) {
  drop();
  coordinator_ = std::make_unique<fleet::Coordinator>(options, std::move(intent), clock());
  if (link.connected && link.session.number != 0) coordinator_->session_began(clock());
}

void FleetDriver::drop() {
  if (flight_ && !flight_->applied) service_->leave(*std::move(flight_));
  flight_.reset();
  coordinator_.reset();
}

void FleetDriver::die() {
  drop();
  service_->end(link);
}

bool FleetDriver::has_closed(const std::string& plan) const {
  if (!coordinator_ || !coordinator_->ending()) return false;
  const fleet::State& state = coordinator_->state();
  return state.seq > 0 &&
         !(state.change && state.change->plan && state.change->plan->token == plan);
}

void FleetDriver::advance() {
  if (flight_) service_->advance(link, *flight_);
}

void FleetDriver::deliver() {
  DriverFlight flight = *std::exchange(flight_, std::nullopt);
  if (!link.connected || flight.lost || flight.outcome == Outcome::unknown)
    return coordinator_->told(Outcome::unknown, clock());
  if (const auto* seen = std::get_if<fleet::Seen>(&flight.found))
    return coordinator_->seen(*seen, clock());
  if (auto* roster = std::get_if<fleet::Roster>(&flight.found))
    return coordinator_->roster(std::move(*roster), clock());
  if (const auto* heard = std::get_if<std::map<std::string, fleet::Heard>>(&flight.found))
    return coordinator_->heard(*heard);
  coordinator_->told(flight.outcome, clock());
}

void FleetDriver::step(const std::function<bool()>& may_write) {
  using Contact = FleetService::Contact;
  const Contact contact = service_->keep(link);
  if (!coordinator_) return;
  if (contact == Contact::lost) coordinator_->connection(false, clock());
  if (contact == Contact::again) coordinator_->connection(true, clock());
  if (contact == Contact::anew) {
    if (std::exchange(flight_, std::nullopt)) coordinator_->told(Outcome::unknown, clock());
    coordinator_->session_began(clock());
  }
  if (flight_ && flight_->applied && service_->now >= flight_->answered_at) deliver();
  if (flight_) return;
  auto request = coordinator_->next_request(clock());
  if (!request) return;
  if (std::holds_alternative<fleet::ask::Write>(*request) && !may_write())
    return coordinator_.reset();
  flight_ = service_->send(*std::move(request), link);
}

}  // namespace sim
