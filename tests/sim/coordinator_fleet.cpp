// What plans' coordinators bring about in a fleet: the product's coordinator writes the state,
// which follows the plan's row.
#include "tests/sim/world.hpp"

namespace sim {

using fleet::Aim;
using reshard::Act;
using reshard::Outcome;

namespace {

constexpr long kPrepareLimit = 150;

long ticks_of(std::chrono::nanoseconds time) {
  return (time + kFleetTick - std::chrono::nanoseconds(1)) / kFleetTick;
}

/// The plan's row is committed, and nothing takes that back.
bool is_decided(Act act) { return act >= Act::activate && act <= Act::end_cleanup; }

}  // namespace

FleetPart& World::part(const Coordinator& coordinator) {
  const auto index = static_cast<std::size_t>(&coordinator - coordinators_.data());
  while (fleet_->parts.size() <= index)
    fleet_->parts.push_back(std::make_unique<FleetPart>(fleet_->service));
  return *fleet_->parts[index];
}

/// One that was overtaken in the database learns of it after it has looked at the state, and before
/// it writes (`Aim::found`, and its owner asks the row). What nothing takes back may be written by
/// anybody.
bool World::may_write_state(const Coordinator& coordinator) {
  const Act act = coordinator.progress.act;
  if (!fleet_->hold(FleetRule::overtaken_writes_nothing)) return true;
  if (is_decided(act) || act == Act::finished || act == Act::clean_target || act == Act::aborted)
    return true;
  const Mission& plan = mission(coordinator.mission);
  const Session& session = coordinator.sessions[0];
  if (away(plan.from()) || !session.open || session.cut) return false;
  Database& from = database(plan.from());
  const PlanRow* row = from.plan(plan.number);
  return session.ended == from.transactions_ended &&
         (row == nullptr || row->epoch == coordinator.epoch);
}

void World::go_for(Coordinator& coordinator, Aim aim) {
  FleetPart& part = this->part(coordinator);
  if (part.driver.coordinator() == nullptr) {
    const Mission& plan = mission(coordinator.mission);
    FleetService& service = fleet_->service;
    fleet::CoordinatorOptions options;
    options.token = service.new_token();
    options.lease = fleet_->scenario.lease * kFleetTick;
    options.prepare_limit = 80 * kFleetTick;
    options.open_limit = 100 * kFleetTick;
    const Ring& base = coordinator.bound;
    const std::string in_force = service.state().ring.digest;
    part.driver.begin(
        options, fleet::intent::Cutover{
                     name_of(plan), service.keep_image(base.with(plan.vnodes, plan.to())).digest,
                     fleet_->hold(FleetRule::change_names_ring) ? service.keep_image(base).digest
                                                                : in_force});
  }
  part.driver.coordinator()->aim(aim);
}

void World::step_part(Coordinator& coordinator) {
  FleetPart& part = this->part(coordinator);
  const Act act = coordinator.progress.act;
  if (act == Act::wait_commit_flushed && !fleet_->hold(FleetRule::flushed_before_state))
    go_for(coordinator, Aim::activate);
  const bool backed_out = act == Act::unblock_source || act == Act::drop_pending;
  if (backed_out || act > Act::unblock || (act > Act::take_over && act < Act::prepare))
    settle(coordinator);
  part.driver.step([&] { return may_write_state(coordinator); });
}

/// The state is brought to what the row says.
void World::settle(Coordinator& coordinator) {
  FleetPart& part = this->part(coordinator);
  const Act act = coordinator.progress.act;
  if (part.settled || act == Act::back_out) return;
  const Mission& plan = mission(coordinator.mission);
  if (part.driver.has_closed(name_of(plan).token)) {
    part.settled = true;
    if (act >= Act::soak && act <= Act::end_cleanup &&
        part.driver.coordinator()->ending()->kind == fleet::Ending::Kind::committed)
      ++done_.late;
    return part.driver.drop();
  }
  if (part.driver.coordinator() != nullptr && part.driver.coordinator()->ending())
    part.driver.drop();
  const bool committed = is_decided(act) || act == Act::finished;
  if (committed && !target_kept(coordinator)) return;
  go_for(coordinator, committed ? Aim::committed : Aim::abandoned);
}

/// Other changes may be made from then on: a third ring would see the vnodes nowhere if a failover
/// took the target's commit away.
bool World::target_kept(Coordinator& coordinator) {
  FleetPart& part = this->part(coordinator);
  if (part.target_kept || !fleet_->hold(FleetRule::target_decided_before_closing)) return true;
  const Mission& plan = mission(coordinator.mission);
  if (away(plan.to())) return false;
  PlanRow* row = database(plan.to()).plan(plan.number);
  if (row == nullptr || !database(plan.to()).flushed()) return false;
  part.target_kept = row->state == State::done || (row->state == State::committed && row->decided);
  if (row->state == State::committed && row->epoch == coordinator.epoch && !row->decided) {
    row->decided = true;
    database(plan.to()).committed();
  }
  return part.target_kept;
}

World::Answered World::tell_fleet(Coordinator& coordinator) {
  ++coordinator.tries;
  switch (coordinator.progress.act) {
    case Act::prepare: return prepare_fleet(coordinator);
    case Act::block: return block_fleet(coordinator);
    case Act::activate: return activate_fleet(coordinator);
    case Act::unblock: {
      const bool keeps = fleet_->hold(FleetRule::target_decided_before_closing);
      if (!keeps) settle(coordinator);
      if (!keeps && !settled_within(coordinator, 40)) return std::nullopt;
      const Answered kept = keep_target(coordinator);
      if (kept != Outcome::done) return kept;
      settle(coordinator);
      return settled_within(coordinator, 40);
    }
    case Act::unblock_source: return settled_within(coordinator, 20);
    default: return Outcome::done;  // drop_pending: as unblock_source
  }
}

/// Where the service is away, it is tried again later.
World::Answered World::settled_within(Coordinator& coordinator, long ticks) {
  if (part(coordinator).settled || now_ - coordinator.since > ticks) return Outcome::done;
  return std::nullopt;
}

World::Answered World::prepare_fleet(Coordinator& coordinator) {
  FleetPart& part = this->part(coordinator);
  if (coordinator.tries == 1) {
    part.begin_anew();
    go_for(coordinator, Aim::prepare);
    return std::nullopt;
  }
  const fleet::Coordinator* driven = part.driver.coordinator();
  if (driven == nullptr) return Outcome::failed;  // it was overtaken
  if (driven->reached()) return Outcome::done;
  if (driven->ending()) {
    const fleet::State& state = driven->state();
    const bool other = state.seq > 0 && !state.change &&
                       state.ring.digest != std::to_string(coordinator.bound.digest());
    return other ? Outcome::unbound : Outcome::failed;
  }
  if (!driven->refusal().empty() || now_ - coordinator.since > kPrepareLimit)
    return Outcome::failed;
  return std::nullopt;
}

World::Answered World::block_fleet(Coordinator& coordinator) {
  if (!fleet_->hold(FleetRule::blocked_before_commit)) return Outcome::done;
  fleet::Coordinator* driven = part(coordinator).driver.coordinator();
  if (driven == nullptr || driven->ending() || !driven->refusal().empty()) return Outcome::failed;
  driven->aim(Aim::block);
  if (driven->reached()) {
    if (!fleet_->hold(FleetRule::leases_from_commit)) coordinator.committed_at = now_;
    return Outcome::done;
  }
  return now_ - coordinator.since > kBudget ? std::optional(Outcome::failed) : std::nullopt;
}

/// All have the next ring, or no lease lasts any more that was given, or renewed by the row, before
/// the commit; whether or not the state could be written.
World::Answered World::activate_fleet(Coordinator& coordinator) {
  FleetPart& part = this->part(coordinator);
  const Mission& plan = mission(coordinator.mission);
  const long over = ticks_of(fleet::lease_over(fleet_->scenario.lease * kFleetTick));
  if (!fleet_->hold(FleetRule::leases_awaited) || now_ - coordinator.committed_at > over) {
    ++done_.waited;
    return Outcome::done;
  }
  if (part.driver.has_closed(name_of(plan).token)) {
    part.settled = true;  // by a coordinator before this one, which has waited
    return Outcome::done;
  }
  if (part.driver.coordinator() != nullptr && part.driver.coordinator()->ending())
    part.driver.drop();
  go_for(coordinator, Aim::activate);
  return part.driver.coordinator()->reached() ? std::optional(Outcome::done) : std::nullopt;
}

/// What `bind` binds: the ring in force, which all members have.
World::Answered World::ring_of_fleet(Task& task, Ring& ring) {
  const Mission& plan = mission(task.mission);
  const FleetService& service = fleet_->service;
  FleetPart& part = part_of(task);
  const auto later = [&]() -> Answered {
    if (!calm() && chance(5)) return Outcome::more;  // the pump goes on meanwhile
    return std::nullopt;
  };
  if (!part.driver.reaches()) return later();
  if (service.has_open(name_of(plan).token)) part.settled = false;
  if (service.state().change || !service.all_have_ring()) return later();
  for (int i = 0; i < kFleetMembers; ++i)
    if (!service.lives(i)) return later();
  if (hold(Rule::older_finds_drained) && finds_by_others(service.ring())) return later();
  ring = service.ring();
  return Outcome::done;
}

/// By the ring in force.
bool World::ring_gives(Vnodes vnodes, int database) const {
  return (fleet_->service.ring().owned_by(database) & vnodes) != 0;
}

}  // namespace sim
