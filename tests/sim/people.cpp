// People: they plan, roll back and abort; edit rings, one router after another; change tables.
#include <algorithm>

#include "tests/sim/real_control.hpp"
#include "tests/sim/world.hpp"

namespace sim {

/// Some vnodes of one shard, to another: by the ring in force.
void World::plan(Mission& mission) {
  const Ring& ring = fleet_ ? fleet_->service.ring() : routers_[0].ring;
  int from = any(kDatabases), to = any(kDatabases);
  for (int tries = 0; tries < 8; ++tries) {
    if (from != to && !gone(from) && !gone(to) && (ring.owned_by(from) & kKeyed) != 0) break;
    from = any(kDatabases);
    to = any(kDatabases);
  }
  Vnodes owned = ring.owned_by(from), vnodes = 0;
  if (chance(80) || scenario_.bystander) owned &= kKeyed;  // a person's remaps are of another
  for (int vnode = 0; vnode < kVnodes; ++vnode)
    if (has(owned, vnode) && chance(60)) vnodes |= only(vnode);
  // Often what an earlier plan has moved, further or back.
  for (const Mission& other : missions_)
    if (&other != &mission && other.number != 0 && chance(40) &&
        (other.vnodes & ~ring.owned_by(other.to())) == 0 && !gone(other.to())) {
      from = other.to();
      vnodes = other.vnodes;
      if (chance(50)) vnodes = static_cast<Vnodes>(vnodes & any(32));
      to = chance(50) ? other.from() : any(kDatabases);
    }
  mission.status = Mission::Status::over;
  if (scenario_.bystander) vnodes &= kKeyed;
  if (vnodes == 0 || from == to || gone(from) || gone(to)) return;
  // Preflight looks, too.
  for (const int where : {from, to})
    if (database(where).conflict(vnodes, 0, 0) != 0) return;
  mission.status = Mission::Status::planned;
  mission.number = ++numbers_;
  mission.vnodes = vnodes;
  mission.at = {from, to};
  mission.base = ring;
  mission.next = ring.with(vnodes, to);
  mission.target_populated = !database(to).empty();
}

/// The mission's rollback is a plan of its own; the forward plan waits for what becomes of it.
void World::roll_back(int index) {
  if (missions_.full() || gone(mission(index).from())) return;
  for (const Mission& each : missions_)  // its soak has been counted back by a failover
    if (each.reverts == index && !each.aborted) return;
  Mission back;
  const Mission& forward = mission(index);
  back.status = Mission::Status::running;
  back.number = ++numbers_;
  back.vnodes = forward.vnodes;
  back.at = {forward.to(), forward.from()};
  back.reverts = index;
  back.target_populated = true;
  // As it was before: the ring that the forward plan left.
  back.base = forward.next;
  back.next = forward.next.with(forward.vnodes, forward.from());
  back.soaks = 2 + any(3);
  if (scenario_.aborts && chance(40) && !calm()) back.abort_at = now_ + any(300);
  back.journal.progress = reshard::rollback();
  if (hold(Rule::rollback_keeps_identities)) {
    // A server that failed over meanwhile has lost rows that the reverse stream had brought.
    back.journal.noted = {forward.journal.noted[1], forward.journal.noted[0]};
    back.journal.noted_servers = true;
    back.journal.noted_tables = forward.journal.noted_tables;
  }
  mission(index).status = Mission::Status::paused;
  missions_.push_back(back);
  keep_first(missions_.back());
  // Often it is because of servers that fail that a person takes a plan back.
  if (!scenario_.kept_in_databases || !scenario_.lagging_standbys || calm() || !chance(30)) return;
  fail_over(missions_.back().from());
  fail_over(missions_.back().to());
}

void World::ask_abort(int index) {
  Mission& plan = mission(index);
  if (plan.decided || plan.abort_asked) return;
  plan.abort_asked = true;
  for (Coordinator& each : coordinators_)
    if (each.mission == index) each.alive = each.running = false;
}

void World::step_people() {
  for (int i = 0; i < missions_.size(); ++i) {
    Mission& each = mission(i);
    switch (each.status) {
      case Mission::Status::unplanned:
        if (now_ < each.plan_at) break;
        if (each.after >= 0 && mission(each.after).status != Mission::Status::over) break;
        plan(each);
        each.start_at = std::max(each.start_at, now_);
        break;
      case Mission::Status::planned:
        if (now_ < each.start_at) break;
        each.status = gone(each.from()) ? Mission::Status::over : Mission::Status::running;
        break;
      case Mission::Status::running:
        if (each.journal.stopped && chance(5)) {
          each.journal.stopped = false;
          each.journal.unbound = 0;
          if (++each.journal.stops > 2) ask_abort(i);
        }
        if ((each.abort_at != 0 && now_ > each.abort_at) ||
            ((gone(each.from()) || gone(each.to())) && chance(2)))  // it will not go on
          ask_abort(i);
        break;
      case Mission::Status::over:
        // By its journal it is not: a person goes on with it.
        if (each.ended && !ended_by(each.journal)) each.status = Mission::Status::running;
        break;
      case Mission::Status::paused: break;
    }
  }
}

void World::edit_rings() {
  if (fleet_) return publish_edits();
  if (!edit_.active) {
    if (!scenario_.bystander || calm() || !draws_.in_thousand(6)) return;
    edit_ = {true, chance(30), any(kVnodes), 0, 0};
    edit_.value = static_cast<std::uint8_t>(edit_.remaps ? any(kDatabases) : any(8));
    if (edit_.remaps) edit_.vnode = kFreeVnode;
  }
  if (!chance(10)) return;
  const int index = any(kRouters);
  Router& router = routers_[static_cast<std::size_t>(index)];
  if (!router.up || router.deaf_until > now_ || !edit(router)) return;
  edit_.done = static_cast<std::uint8_t>(edit_.done | (1u << index));
  if (edit_.done == (1u << kRouters) - 1) edit_.active = false;
}

bool World::edit(Router& router) {
  Ring next = router.ring;
  const auto vnode = static_cast<std::size_t>(edit_.vnode);
  (edit_.remaps ? next.owner[vnode] : next.data[vnode]) = edit_.value;
  if (router.control != nullptr) return router.control->edit(next, now_);
  if (taken(router, 0)) return false;
  router.forget_pending();
  router.ring = next;
  return true;
}

/// Nobody changes tables under a guard, or writes unlogged what a fence would refuse.
bool World::may_change_table(int index) {
  const Database& database = this->database(index);
  return !away(index) && database.writers().empty() && database.exclusive == 0 &&
         std::none_of(
             database.now.plans.begin(), database.now.plans.end(), [&](const PlanRow& row) {
               return row.state == State::guarded || (row.source && row.state == State::committed);
             });
}

void World::change_tables() {
  using Kind = TableChange::Kind;
  if (change_.kind == Kind::none) {
    for (Database& each : databases_)  // a failover has taken that away
      if (!each.now.table.enabled && each.writers().empty() && chance(5)) {
        each.now.table.enabled = true;
        ++each.now.table.version;
        each.committed();
      }
    if (!scenario_.tables || calm() || table_changes_ >= 3) return;
    int index = any(kDatabases), often = 5;
    for (const Mission& plan : missions_)  // most is at stake in a cutover
      if (plan.status == Mission::Status::running &&
          plan.journal.progress.act >= reshard::Act::block &&
          plan.journal.progress.act <= reshard::Act::commit) {
        index = plan.from();
        often = 25;
      }
    if (!draws_.in_thousand(often)) return;
    if (!may_change_table(index)) return;
    Database& database = this->database(index);
    ++table_changes_;
    change_ = {static_cast<Kind>(1 + any(3)), index,
               database.transactions_ended,   now_ + 1 + any(120),
               next_transaction_++,           any(kKeys)};
    if (change_.kind == Kind::stays_off) {
      database.now.table.enabled = false;
      ++database.now.table.version;
      database.committed();
    } else {
      database.exclusive = change_.transaction;
    }
    return;
  }
  if (now_ < change_.until) return;
  Database& database = this->database(change_.database);
  if (change_.kind == Kind::stays_off) {
    // ENABLE TRIGGER waits for everybody who has written to the table.
    if (away(change_.database) || !database.writers().empty()) return;
    database.now.table.enabled = true;
    ++database.now.table.version;
    database.committed();
  } else if (change_.ended == database.transactions_ended) {
    ++database.now.table.version;
    if (change_.kind == Kind::swap) {
      database.now.table.oid = ++oids_;
      database.now.table.trigger = false;
      database.now.table.enabled = true;
    } else {
      // What the same transaction wrote, past the trigger, to a row that is the shard's.
      const Slot old = database.slot(change_.key);
      const auto key = static_cast<std::size_t>(change_.key);
      const int vnode = vnode_of(change_.key);
      if (owner_[static_cast<std::size_t>(vnode)] == change_.database && old.present &&
          !old.left_over) {
        Slot& slot = database.slot(change_.key);
        slot.last = ++version_;
        acknowledged_[key] = seen_[key] = version_;
        told_by_[key] = seen_at_[key] = change_.database;
      }
    }
    database.committed();
    database.exclusive = 0;
  }
  change_.kind = Kind::none;
}

}  // namespace sim
