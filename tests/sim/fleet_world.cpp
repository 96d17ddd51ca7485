// Routers that are members of a fleet, what they ask databases, and what goes wrong there.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {
namespace {

using fleet::RowSays;

bool is_committed(State state) {
  return state == State::committed || state == State::cleaning || state == State::done;
}

/// As the product's members are told (docs/fleet.md).
RowSays said_by_source(const PlanRow* row, const std::string& digest, const FleetRules& rules) {
  if (row == nullptr)
    return rules.hold(FleetRule::missing_row_decides_nothing) ? RowSays::nothing : RowSays::aborted;
  const bool same = row->next != 0 && std::to_string(row->next) == digest;
  const bool ours = same || !rules.hold(FleetRule::other_ring_decides_nothing);
  if (row->state == State::fenced) return RowSays::fenced;
  if (row->state == State::preparing || row->state == State::capturing) return RowSays::open;
  if (row->state == State::aborted)
    return ours || row->next == 0 ? RowSays::aborted : RowSays::nothing;
  if (!is_committed(row->state)) return RowSays::nothing;
  const bool decided = row->decided || !rules.hold(FleetRule::row_must_be_decided);
  return decided && ours ? RowSays::decided : RowSays::nothing;
}

RowSays said_by_target(const PlanRow* row, const FleetRules& rules) {
  if (row == nullptr) return RowSays::nothing;
  const bool decided = row->decided || !rules.hold(FleetRule::target_decided_before_opening);
  const bool open = row->state == State::done || (row->state == State::committed && decided);
  return open ? RowSays::open : RowSays::nothing;
}

}  // namespace

World::World(std::uint32_t seed, const Rules& rules, const FleetRules& fleet)
    : World(seed * 2, rules) {  // an even seed: routers have no control of their own
  static_assert(kRouters == kFleetMembers);
  fleet_ = std::make_unique<Fleet>(fleet, draws_, first_ring_);
  FleetScenario& may = fleet_->scenario;
  may.lease = kLease * (chance(50) ? 1 : 3);
  may.service_away = chance(50);
  may.cut_members = chance(50);
  may.cut_coordinators = chance(40);
  may.stopped_members = chance(40);
  may.lost_sessions = chance(40);
  may.long_deaths = scenario_.restarting_routers && chance(50);
  may.forgets = !scenario_.zombie_router && chance(50);
  for (int i = 0; i < kRouters; ++i)
    fleet_->members[static_cast<std::size_t>(i)] = std::make_unique<FleetControl>(
        fleet_->service, draws_, fleet_->rules, i, routers_[static_cast<std::size_t>(i)]);
}

World::~World() = default;

FleetControl& World::member(const Router& router) const {
  return *fleet_->members[static_cast<std::size_t>(&router - routers_.data())];
}

bool World::writes(const Router& router, Vnodes vnodes) const {
  if (fleet_) return router.up && member(router).writes(vnodes);
  return router.up && serves(router, vnodes) && (router.blocked & vnodes) == 0;
}

void World::step_fleet() {
  FleetService& service = fleet_->service;
  service.now = now_;
  service.calm = calm();
  service.advance_left();
  for (auto& member : fleet_->members) member->advance();
  for (auto& part : fleet_->parts) part->driver.advance();
  fleet_->editor.advance();
  for (std::size_t i = 0; i < fleet_->parts.size(); ++i)
    if (!coordinators_[i].alive && fleet_->parts[i]->driver.coordinator() != nullptr)
      fleet_->parts[i]->driver.die();
  forget();
}

void World::step_member(Router& router) {
  const auto index = static_cast<std::size_t>(&router - routers_.data());
  if (!router.up) {
    if (fleet_->dead_until[index] < now_ && (chance(10) || calm())) restart(router);
    return;
  }
  if (scenario_.restarting_routers && !calm() && draws_.in_thousand(3)) {
    router.up = false;
    ++router.incarnation;
    member(router).end();
    if (fleet_->scenario.long_deaths && chance(30)) {
      fleet_->dead_until[index] = now_ + any(2'000);
      if (chance(60)) member(router).link.cut_until = fleet_->dead_until[index] + any(300);
    }
    fleet_->last_fault = std::max(
        {fleet_->last_fault, now_, fleet_->dead_until[index], member(router).link.cut_until});
    return;
  }
  member(router).step();
  step_question(router);
}

/// A question goes out, a database reads its row, the answer comes back: a step each.
void World::step_question(Router& router) {
  FleetControl& member = this->member(router);
  Fleet::Question& question =
      fleet_->questions[static_cast<std::size_t>(&router - routers_.data())];
  const bool deaf = router.deaf_until > now_;
  switch (router.renewal) {
    case Router::Renewal::none: {
      const auto asked = member.question();
      if (!asked) return;
      question = {*asked, std::stoi(asked->at_target ? asked->plan.to : asked->plan.from)};
      router.renewal = Router::Renewal::asked;
      return;
    }
    case Router::Renewal::asked: {
      if (away(question.database)) {
        if (!chance(20)) return;
        router.renewal = Router::Renewal::none;
        return member.row_said(RowSays::nothing);
      }
      if (deaf && !chance(30)) return;
      const PlanRow* row =
          database(question.database).plan(static_cast<PlanId>(question.asked.plan.number));
      router.read_found = row != nullptr;
      if (row != nullptr) router.read = *row;
      router.renewal = Router::Renewal::read;
      return;
    }
    case Router::Renewal::read: {
      if (deaf) return;
      router.renewal = Router::Renewal::none;
      const PlanRow* row = router.read_found ? &router.read : nullptr;
      return member.row_said(question.asked.at_target
                                 ? said_by_target(row, fleet_->rules)
                                 : said_by_source(row, question.asked.digest, fleet_->rules));
    }
  }
}

/// Most is at stake in a cutover.
void World::fleet_fault() {
  const FleetScenario& may = fleet_->scenario;
  const bool cutover =
      std::any_of(coordinators_.begin(), coordinators_.end(), [](const Coordinator& each) {
        return each.alive && each.progress.act >= reshard::Act::block &&
               each.progress.act <= reshard::Act::unblock;
      });
  const auto happens = [&](bool may_happen, int in_thousand) {
    return may_happen && draws_.in_thousand(cutover ? 3 * in_thousand : in_thousand);
  };
  const auto until = [&](int ticks) {
    const long end = now_ + any(ticks);
    fleet_->last_fault = std::max(fleet_->last_fault, end);
    return end;
  };
  Router& router = routers_[static_cast<std::size_t>(any(kRouters))];
  if (happens(may.service_away, 3)) fleet_->service.away_until = until(300);
  if (happens(may.cut_members, 4)) {
    member(router).link.cut_until = until(chance(10) ? 1'200 : 250);
    if (chance(50)) router.deaf_until = member(router).link.cut_until;
  }
  if (happens(may.stopped_members, 4)) member(router).stopped_until = until(150);
  if (happens(may.lost_sessions, 4)) fleet_->service.lose(member(router).link);
  if (fleet_->parts.empty()) return;
  FleetDriver& driver =
      fleet_->parts[static_cast<std::size_t>(any(static_cast<int>(fleet_->parts.size())))]->driver;
  if (happens(may.cut_coordinators, 6)) driver.link.cut_until = until(250);
  if (happens(may.lost_sessions, 3)) fleet_->service.lose(driver.link);
}

/// A person at a command line.
void World::publish_edits() {
  FleetDriver& editor = fleet_->editor;
  editor.step([] { return true; });
  if (editor.coordinator() != nullptr) {
    const bool dies = scenario_.dying_coordinators && !calm() && draws_.in_thousand(4);
    if (!dies && !editor.coordinator()->ending()) return;
    editor.die();
    edit_.active = false;
    return;
  }
  if (!scenario_.bystander || calm() || !draws_.in_thousand(6) || !editor.reaches()) return;
  const bool remaps = chance(30);
  const Ring base = fleet_->service.ring();
  Ring next = base;
  const auto vnode = static_cast<std::size_t>(remaps ? kFreeVnode : any(kVnodes));
  (remaps ? next.owner[vnode] : next.data[vnode]) =
      static_cast<std::uint8_t>(remaps ? any(kDatabases) : any(8));
  fleet::CoordinatorOptions options;
  options.token = fleet_->service.new_token();
  options.lease = fleet_->scenario.lease * kFleetTick;
  options.prepare_limit = 80 * kFleetTick;
  options.open_limit = 100 * kFleetTick;
  editor.begin(options, fleet::intent::Publish{fleet_->service.keep_image(next).digest, remaps,
                                               std::to_string(base.digest())});
  edit_.active = true;
}

/// `reshard forget`: a plan's rows go, with those of the plan that took it back.
void World::forget() {
  if (!fleet_->scenario.forgets || !chance(4)) return;
  const auto over = [](const Mission& plan) {
    return plan.status == Mission::Status::over && !plan.left && ended_by(plan.journal);
  };
  for (int i = 0; i < missions_.size(); ++i) {
    Mission& plan = mission(i);
    const auto is_back = [&](const Mission& other) {
      return other.number != 0 && other.reverts == i;
    };
    if (plan.number == 0 || plan.reverts >= 0 || !over(plan)) continue;
    if (std::any_of(missions_.begin(), missions_.end(),
                    [&](const Mission& other) { return is_back(other) && !over(other); }))
      continue;
    forget(plan);
    for (Mission& other : missions_)
      if (is_back(other)) forget(other);
  }
}

void World::forget(Mission& plan) {
  if (away(plan.from()) || away(plan.to())) return;
  const FleetService& service = fleet_->service;
  const bool all = service.all_have_ring() && !service.state().change;
  if (!all && fleet_->hold(FleetRule::forget_awaits_entries)) return;
  // Nothing is under way that an earlier ring has sent.
  const bool writes = std::any_of(writers_.begin(), writers_.end(), [&](const Writer& writer) {
    return writer.step != Writer::Step::idle && (writer.vnodes & plan.vnodes) != 0;
  });
  if (writes || reads_elsewhere(plan.vnodes, plan.aborted ? plan.from() : plan.to())) return;
  if (scenario_.lagging_standbys && !calm() && chance(30))
    fail_over(plan.aborted ? plan.to() : plan.from());
  for (const int where : {plan.from(), plan.to()}) {
    Database& database = this->database(where);
    if (database.plan(plan.number) == nullptr) continue;
    // Older plans of these vnodes go along: the newest one decides, and they must not be that
    // again.
    for (PlanRow& row : database.now.plans)
      if (row.plan < plan.number && !plan.aborted)
        row.vnodes = static_cast<Vnodes>(row.vnodes & ~plan.vnodes);
    database.now.plans.erase_if([&](const PlanRow& row) { return row.plan == plan.number; });
    database.committed();
    plan.ended = false;  // people look at it no more
    ++done_.forgotten;
  }
}

/// What its router should have held.
void World::check_sent(const Writer& writer, const Database& database, int vnode) {
  if (!fleet_ || !fleet_->rules.sees_early_writes()) return;
  if (writer.router < 0 || !writer.counted) return;
  const Router& router = routers_[static_cast<std::size_t>(writer.router)];
  const PlanRow* row = database.newest(vnode);
  if (router.incarnation != writer.incarnation || row == nullptr) return;
  if (writer.activated && !row->source && row->state == State::guarded)
    violate(Wrong::sent_early, "a write was sent to a target that takes none yet");
  if (!writer.at_ease || !row->source || row->state != State::fenced) return;
  // By a coordinator that has gone on since; or brought back by a failover.
  const bool blocked =
      !scenario_.failovers &&
      std::any_of(coordinators_.begin(), coordinators_.end(), [&](const Coordinator& each) {
        return each.alive && mission(each.mission).number == row->plan &&
               each.epoch == row->epoch && each.progress.act > reshard::Act::fence &&
               each.progress.act <= reshard::Act::commit;
      });
  if (blocked) violate(Wrong::sent_early, "a write that was sent before the block met the fence");
}

void World::check_fleet_end() {
  const FleetService& service = fleet_->service;
  if (service.state().change) violate(Wrong::no_ring, "a change is open at the end");
  const Ring& ring = service.ring();
  for (int vnode = 0; vnode < kKeyedVnodes; ++vnode)
    if (ring.of(vnode) != owner_[static_cast<std::size_t>(vnode)])
      violate(Wrong::no_ring, "the state's ring and the plans' rows do not agree");
  if (ring.data != service.edited().data ||
      (scenario_.bystander && ring.owner[kFreeVnode] != service.edited().owner[kFreeVnode]))
    violate(Wrong::no_ring, "what an operator has published is gone");
  if (!service.all_have_ring()) violate(Wrong::no_ring, "the roster has another ring");
}

}  // namespace sim
