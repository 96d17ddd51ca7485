// Simulated people at command lines, and the product's coordinators.
#include <algorithm>

#include "tests/sim/fleet/world.hpp"

namespace fleet_sim {
namespace {

using namespace fleet;
using std::chrono::nanoseconds;

}  // namespace

void World::begin(Person& person) {
  CoordinatorOptions options;
  options.token = person.token = "t" + std::to_string(++tokens_);
  options.who = "a person";
  options.lease = kLease;
  options.prepare_limit = std::chrono::milliseconds{4'000};
  options.open_limit = std::chrono::milliseconds{3'000};
  const Blocks& blocks = ensemble_.blocks.head().value;
  const std::string ring = ensemble_.state.head().value.ring.digest;
  person.blocks = person.read_only = person.publishes = false;
  Intent intent;
  if (!blocks.empty() && draws_.chance(50)) {
    intent = intent::Unblock{blocks.front().token};
  } else if (blocks.empty() && draws_.chance(25)) {
    intent = intent::Block{"V", true};
    person.blocks = true;
  } else if (ring.size() == 1 && draws_.chance(20)) {
    intent = intent::Publish{ring + "r", false, ring};
    person.read_only = person.publishes = true;
  } else {
    const bool stays = ring.size() > 1 || draws_.chance(15);
    intent = intent::Publish{stays == (ring.front() == 'B') ? "B" : "A", true, ring};
    person.publishes = true;
  }
  person.driver.coordinator = std::make_unique<Coordinator>(
      options, intent, nanoseconds(static_cast<std::int64_t>(now_ * 1e6)));
  person.link = Link{};
}

/// What an operator does between the last drain and the commit of a ring whose shards know nothing
/// of rings: the rows move. Who does it after that is outside of the protocol (docs/fleet.md).
void World::move_data(const ask::Write& write) {
  const auto& change = write.state.change;
  if (!change || change->stage != Stage::activate || change->base == change->next) return;
  const auto& now = ensemble_.state.head().value;
  if (!now.change || now.change->token != change->token || now.change->stage != Stage::block)
    return;
  value_[shard_of(change->next)] = value_[shard_of(change->base)];
}

void World::deliver(Driver& driver, const Link& link, nanoseconds now) {
  CoordinatorFlight flight = *std::move(driver.flight);
  driver.flight.reset();
  Coordinator& coordinator = *driver.coordinator;
  const bool answered =
      link.connected && !flight.lost && flight.outcome != coordination::Outcome::unknown;
  if (const auto* asked = std::get_if<ask::Write>(&flight.asked)) {
    driver.was_in_doubt = !answered || flight.outcome != coordination::Outcome::done;
    driver.last_write = *asked;
  }
  if (!answered) return coordinator.told(coordination::Outcome::unknown, now);
  if (const auto* seen = std::get_if<Seen>(&flight.found)) return coordinator.seen(*seen, now);
  if (auto* roster = std::get_if<Roster>(&flight.found))
    return coordinator.roster(std::move(*roster), now);
  if (const auto* heard = std::get_if<std::map<std::string, Heard>>(&flight.found))
    return coordinator.heard(*heard);
  coordinator.told(flight.outcome, now);
}

void World::drive(Driver& driver, Link& link, nanoseconds now) {
  Coordinator& coordinator = *driver.coordinator;
  const auto& change = coordinator.state().change;
  if (!hold(Rule::leases_awaited) && change && change->stage == Stage::activate) now += 3 * kLease;
  if (driver.flight && driver.flight->applied && now_ >= driver.flight->answered_at)
    deliver(driver, link, now);
  if (driver.flight) return;
  auto request = coordinator.next_request(now);
  if (!request) return;
  if (const auto* write = std::get_if<ask::Write>(&*request)) move_data(*write);
  CoordinatorFlight flight;
  flight.asked = *std::move(request);
  flight.session = link.session.number;
  flight.applied_at = now_ + random() * (draws_.chance(3) && !calm_ ? 500 : 15);
  flight.answered_at = flight.applied_at + random() * 15;
  flight.lost = !calm_ && draws_.chance(3);
  driver.flight = std::move(flight);
}

void World::ended(Person& person) {
  const Ending ending = *person.driver.coordinator->ending();
  if (ending.kind == Ending::Kind::committed) ++done_.committed;
  if (ending.kind == Ending::Kind::abandoned) ++done_.abandoned;
  say(person.token +
      (ending.kind == Ending::Kind::committed ? " committed" : " not committed: " + ending.why));
  const bool committed = ending.kind == Ending::Kind::committed;
  const auto fate = fates_.find(person.token);
  if ((person.blocks || person.publishes) && committed != (fate != fates_.end() && fate->second) &&
      (committed || ending.kind == Ending::Kind::abandoned))
    wrong(person.token + " was told that it is " + (committed ? "committed" : "abandoned"));
  if (person.blocks && committed && stood_.count(person.token) == 0)
    wrong("a block is said to be done, and is not");
  const Blocks& blocks = ensemble_.blocks.head().value;
  const bool stands = std::any_of(blocks.begin(), blocks.end(),
                                  [&](const Block& block) { return block.token == person.token; });
  if (person.blocks && committed) ++done_.blocks;
  if (person.blocks && committed && stands) {
    if (!writes_.empty()) wrong("a write is under way after the block is said to be done");
    blocked_by_ = person.token;
  }
  if (person.read_only && committed) ++done_.read_only;
  if (person.read_only && committed && ensemble_.state.head().value.ring.digest.size() > 1)
    read_only_by_ = person.token;
  person.driver = Driver{};
  lose_session(person.link);
  person.next = now_ + 100 + random() * 2500;
}

void World::step_person(Person& person) {
  if (now_ < person.next || now_ < person.paused_until) return;
  const nanoseconds now(static_cast<std::int64_t>(now_ * 1e6));
  if (!person.driver.coordinator) {
    if (calm_ || now_ < away_until_) return;
    begin(person);
  }
  Link& link = person.link;
  Driver& driver = person.driver;
  const bool there = reaches(link);
  if (!there && link.connected) {
    link.connected = false;
    link.lost_at = now_;
    driver.coordinator->connection(false, now);
  }
  if (there && !link.connected) {
    if (link.session.number != 0 && now_ - std::max(link.lost_at, away_until_) > 400)
      lose_session(link);
    const bool same = link.session.number != 0;
    if (!same && driver.flight) {
      driver.flight.reset();
      driver.was_in_doubt = true;
      driver.coordinator->told(coordination::Outcome::unknown, now);
    }
    link.connected = true;
    if (same) {
      driver.coordinator->connection(true, now);
    } else {
      link.session = {++sessions_, 0, draws_.chance(25) ? draws_.any(40) : 0};
      link.wrote = false;
      driver.coordinator->session_began(now);
    }
  }
  drive(driver, link, now);
  if (driver.coordinator->ending()) ended(person);
}

}  // namespace fleet_sim
