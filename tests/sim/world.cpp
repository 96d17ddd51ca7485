#include "tests/sim/world.hpp"

#include <algorithm>

#include "tests/sim/real_control.hpp"

namespace sim {

World::World(std::uint32_t seed, const Rules& rules)
    : draws_(seed), rules_(rules),
      scenario_(draws_), databases_{Database(rules), Database(rules), Database(rules)} {
  scenario_.kept_in_databases = seed / 2 % 2 == 1;
  coordinators_.reserve(16);
  tasks_.reserve(16);
  Ring ring;
  for (int vnode = 0; vnode < kVnodes; ++vnode)
    ring.owner[static_cast<std::size_t>(vnode)] =
        static_cast<std::uint8_t>(scenario_.all_there ? 0 : any(kDatabases - (vnode < 2 ? 1 : 0)));
  for (Router& router : routers_) {
    router.ring = ring;
    // What the machine asks for can't be left out alone: those runs go by the model's own account.
    if (rules.whole() && seed % 2 == 1)
      router.control = std::make_shared<RealControl>(router, kLease, now_);
  }
  first_ring_ = ring;
  for (std::size_t vnode = 0; vnode < kVnodes; ++vnode) owner_[vnode] = ring.owner[vnode];
  for (Database& database : databases_) {
    database.may_fail_over = scenario_.failovers;
    database.lagging_standby = scenario_.lagging_standbys;
  }
  for (Key key = 0; key < kKeys; ++key) {
    const auto at = static_cast<std::size_t>(key);
    const int vnode = vnode_of(key), owner = ring.of(vnode);
    Slot left;
    left.last = ++version_;  // of long ago
    Slot slot;
    slot.last = acknowledged_[at] = seen_[at] = ++version_;
    slot.present = !chance(15);
    told_by_[at] = seen_at_[at] = owner;
    if (slot.present) {
      slot.id = ++database(owner).last_id;
      slot.unique = static_cast<std::int8_t>(vnode * 2 + 1 + key % kKeysEach);
      slot.stored = static_cast<std::int8_t>(vnode);
      if (scenario_.odd_vnodes && chance(30)) slot.stored = kNoVnode;
    } else {
      deleted_[at] = slot.last;
    }
    database(owner).slot(key) = slot;
    if (!scenario_.left_overs || !chance(30)) continue;
    const int elsewhere = (owner + 1 + any(kDatabases - 1)) % kDatabases;
    left.present = left.left_over = true;
    left.id = ++database(elsewhere).last_id;
    left.stored = static_cast<std::int8_t>(chance(50) ? kNoVnode : any(kKeyedVnodes));
    database(elsewhere).slot(key) = left;
  }
  for (Database& database : databases_) {
    database.committed(false);
    database.replicate();
  }
  for (int i = 0; i < scenario_.plans; ++i) {
    Mission mission;
    mission.plan_at = i == 0 || chance(40) ? 0 : any(900);
    mission.start_at = mission.plan_at + (chance(50) ? any(100) : any(700));
    if (i > 0 && mission.plan_at != 0 && chance(50)) mission.after = i - 1;
    mission.rolls_back = scenario_.rollbacks && chance(60);
    mission.soaks = 3 + any(5);
    if (scenario_.aborts && chance(25)) mission.abort_at = mission.start_at + any(400);
    missions_.push_back(mission);
  }
}

void World::violate(Wrong wrong, const std::string& what) {
  if (wrong_ != Wrong::nothing) return;
  wrong_ = wrong;
  std::string with;
  const auto add = [&](bool is, const char* name) {
    if (is) with += (with.empty() ? "" : ", ") + std::string(name);
  };
  add(scenario_.failovers,
      scenario_.lagging_standbys ? "failovers to lagging standbys" : "failovers");
  add(scenario_.second_coordinators, "second coordinators");
  add(scenario_.stopped_coordinators, "coordinators that stop");
  add(scenario_.zombie_router, "a router that hears nothing");
  add(scenario_.clock_jumps, "clocks that jump");
  add(scenario_.deaf_routers, "routers that are cut off");
  add(scenario_.restarting_routers, "routers that restart");
  add(scenario_.bystander, "edits of the ring");
  add(table_changes_ > 0, "changes of tables");
  add(scenario_.left_overs, "left-overs");
  add(scenario_.failing_statements, "statements that fail");
  add(left_, "a server away");
  add(scenario_.kept_in_databases, "the journal in the databases");
  violation_ = std::string(kWrongNames[static_cast<std::size_t>(wrong)]) + " (" + with + ") tick " +
               std::to_string(now_) + ": " + what + ";";
  for (const Mission& each : missions_)
    if (each.number != 0)
      violation_ += " plan " + std::to_string(each.number) + " of " + std::to_string(each.vnodes) +
                    " from " + std::to_string(each.from()) + " to " + std::to_string(each.to()) +
                    (each.status == Mission::Status::over ? " is over at " : " is at ") +
                    std::string(to_string(each.journal.progress.act)) + ".";
}

std::optional<std::string> World::run() {
  while (wrong_ == Wrong::nothing && now_ < kTicksMost) {
    step();
    if (!over()) continue;
    for (int i = 0; i < 200 && wrong_ == Wrong::nothing; ++i) {  // what is under way ends
      ++now_;
      for (Writer& writer : writers_)
        if (writer.step != Writer::Step::idle) step_writer(writer);
      for (Reader& reader : readers_)
        if (reader.step != Reader::Step::idle) step_reader(reader);
    }
    check_end();
    break;
  }
  if (wrong_ == Wrong::nothing && now_ >= kTicksMost) {
    const bool without =
        std::any_of(databases_.begin(), databases_.end(),
                    [&](const Database& each) { return each.away_until >= kForGood; });
    violate(without ? Wrong::never_ends_without_server : Wrong::never_ends, "it never ends");
  }
  if (wrong_ == Wrong::nothing) return std::nullopt;
  return violation_;
}

void World::step() {
  ++now_;
  if (fleet_) step_fleet();
  for (Writer& writer : writers_)
    if (chance(50)) step_writer(writer);
  for (Reader& reader : readers_)
    if (chance(40)) step_reader(reader);
  for (Router& router : routers_)
    if (chance(30)) step_router(router);
  step_people();
  edit_rings();
  change_tables();
  step_coordinators();
  for (std::size_t i = 0; i < tasks_.size(); ++i)
    if (chance(50)) step_task(static_cast<int>(i));
  if (scenario_.failovers)
    for (Database& database : databases_)
      // Who waits for a standby waits here for all that was ever written, and not up to a place in
      // the log: in the end standbys keep up with writers, or that would take too long.
      if (chance(calm() ? 50 : 5)) database.replicate();
  check();
  if (!calm()) fault();
}

}  // namespace sim
