// What coordinators do in databases before the cutover.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Outcome;

/// Whether the ring of a router that answers gives one of the vnodes to that database.
bool World::router_gives(Vnodes vnodes, int database) {
  if (fleet_) return ring_gives(vnodes, database);
  return std::any_of(routers_.begin(), routers_.end(), [&](const Router& router) {
    return router.up && router.deaf_until <= now_ && (router.ring.owned_by(database) & vnodes) != 0;
  });
}

bool World::any_silent() const {
  return std::any_of(routers_.begin(), routers_.end(),
                     [&](const Router& router) { return !router.up || router.deaf_until > now_; });
}

std::array<Noted, 2> World::noted(const Mission& mission) {
  std::array<Noted, 2> noted;
  for (std::size_t side = 0; side < 2; ++side) {
    const Database::Content& now = database(mission.at[side]).now;
    noted[side] = {now.timeline, now.table};
    noted[side].table.unique_index = true;  // what the copy itself takes away and makes again
  }
  return noted;
}

/// False: writers have the table, or the trigger is disabled; both are waited for.
bool World::made_trigger(Database& database) {
  Table& table = database.now.table;
  if (hold(Rule::version_in_commit) && !table.enabled) return false;
  if (table.trigger) return true;
  if (!database.writers().empty() || database.exclusive != 0) return false;
  table.trigger = true;
  ++table.version;
  database.committed();
  return true;
}

/// The target's guard first: nothing is copied to where anybody may write.
World::Answered World::make_schema(Task& task) {
  Mission& plan = mission(task.mission);
  const PlanId reverts = plan.reverts < 0 ? 0 : mission(plan.reverts).number;
  if (task.step == 0) {
    if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
    if (fleet_) {
      const bool known = part_of(task).driver.reaches() && !fleet_->service.state().change;
      if (!known && row(task, 0) == nullptr) return std::nullopt;
      if (known && (plan.vnodes & ~fleet_->service.ring().owned_by(plan.from())) != 0) {
        stop(plan);
        return Outcome::failed;
      }
    } else if (hold(Rule::owner_checked_before_delete)) {
      for (const Router& router : routers_) {
        if (!router.up || router.deaf_until > now_) {
          if (row(task, 0) == nullptr) return std::nullopt;  // nothing is blocked: all are asked
          continue;
        }
        if ((plan.vnodes & ~router.ring.owned_by(plan.from())) == 0) continue;
        stop(plan);  // the guard would go up at the owner, or a fence would end
        return Outcome::failed;
      }
    }
    if (hold(Rule::reads_drained) && reads_elsewhere(plan.vnodes, plan.from())) return std::nullopt;
    task.step = 1;
  }
  if (task.step == 3) {
    if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
    Journal& journal = plan.journal;
    const auto noted = this->noted(plan);
    const bool early =
        hold(Rule::ring_bound_late) && task.copies && hold(Rule::identities_noted_before_copy);
    for (const Noted& each : noted)  // a table came in place of one whose trigger had been made
      if (hold(Rule::version_in_commit) && !journal.noted_tables &&
          (!each.table.trigger || !each.table.enabled))
        return Outcome::failed;
    for (std::size_t side = 0; side < 2 && !journal.noted_tables; ++side) {
      journal.noted[side].table = noted[side].table;
      if (early) journal.noted[side].timeline = noted[side].timeline;
    }
    if (early && !journal.noted_tables) journal.noted_servers = true;
    journal.noted_tables = true;
    return Outcome::done;
  }
  const int side = task.step == 1 ? 1 : 0;
  if (!use(task, side)) return Outcome::failed;
  Database& database = at(task, side);
  const PlanRow* row = this->row(task, side);
  if (row == nullptr) {
    const bool newer =
        std::any_of(database.now.plans.begin(), database.now.plans.end(), [&](const PlanRow& each) {
          return each.plan > plan.number && each.state != State::aborted &&
                 (each.vnodes & plan.vnodes) != 0;
        });
    const PlanRow* forward = reverts == 0 ? nullptr : database.plan(reverts);
    const bool late = reverts != 0 && (forward == nullptr || forward->state != State::committed);
    if (newer || (hold(Rule::vnodes_in_one_plan) && database.elsewhere(plan.vnodes, side == 0)) ||
        (late && hold(Rule::vnodes_in_one_plan)) ||
        (hold(Rule::vnodes_in_one_plan) &&
         database.conflict(plan.vnodes, plan.number, reverts) != 0)) {
      stop(plan);  // and names that plan
      return Outcome::failed;
    }
    if (!made_trigger(database)) return std::nullopt;
    PlanRow made;
    made.plan = plan.number;
    made.reverts = reverts;
    made.source = side == 0;
    made.vnodes = plan.vnodes;
    made.epoch = task.epoch;
    if (!hold(Rule::ring_bound_late)) {
      made.base = plan.base.digest();
      made.next = plan.next.digest();
    }
    if (side == 1) {
      made.state = State::guarded;
      // Decided under the lock; by what was seen when the plan was made, two may think so.
      const bool others = std::any_of(
          database.now.plans.begin(), database.now.plans.end(), [&](const PlanRow& each) {
            return each.state != State::aborted && (!each.source || each.state != State::done);
          });
      const bool owns = hold(Rule::ids_kept_where_nothing_is_owned) &&
                        (router_gives(static_cast<Vnodes>(0xff), plan.to()) ||
                         (fleet_ ? !part_of(task).driver.reaches() : any_silent()));
      made.ids_kept =
          task.copies && (hold(Rule::ids_kept_alone) ? database.empty() && !others && !owns
                                                     : !plan.target_populated);
    } else {
      const bool capturing = !task.copies && hold(Rule::rollback_captures_at_once);
      made.state = capturing ? State::capturing : State::preparing;
    }
    database.now.plans.push_back(made);
    database.committed();
  } else if (side == 1 ? row->state != State::guarded
                       : row->state != State::preparing && row->state != State::capturing &&
                             row->state != State::fenced) {
    return Outcome::failed;
  } else if (!made_trigger(database)) {
    return std::nullopt;
  }
  ++task.step;
  return std::nullopt;
}

World::Answered World::arm(Task& task) {
  Mission& plan = mission(task.mission);
  if (!use(task, 0)) return Outcome::failed;
  if (task.step == 0) {
    if (!task.copies && !plan.journal.noted_servers && hold(Rule::rollback_keeps_identities) &&
        hold(Rule::lost_inheritance_verified)) {
      Coordinator& coordinator = coordinators_[static_cast<std::size_t>(task.coordinator)];
      if (coordinator.mission == task.mission && coordinator.epoch == task.epoch)
        coordinator.progress.verify_again = true;
    }
    task.step = 1;
    if (task.copies && !hold(Rule::identities_noted_before_copy)) return std::nullopt;
    // Once: later ones are noted by a verification that has ended.
    if (!plan.journal.noted_servers)
      for (std::size_t side = 0; side < 2; ++side)
        plan.journal.noted[side].timeline = database(plan.at[side]).now.timeline;
    plan.journal.noted_servers = true;
    return std::nullopt;
  }
  const PlanRow* row = this->row(task, 0);
  if (row == nullptr) return Outcome::failed;
  if (row->state == State::capturing) return Outcome::done;
  // A failover has taken a back-out away.
  return set_state(task, 0, row->state == State::fenced ? State::fenced : State::preparing,
                   State::capturing);
}

/// No transaction is left that did not see it: neither one with a lock, nor one that saw no plan.
World::Answered World::wait_armed(Task& task) {
  if (!use(task, 0)) return Outcome::failed;
  Database& from = at(task, 0);
  if (task.step == 0) {
    task.writers = from.writers();
    task.step = 1;
    return std::nullopt;
  }
  if (hold(Rule::older_writers_awaited)) {
    const auto& now = from.writers();
    const bool left = std::any_of(task.writers.begin(), task.writers.end(), [&](int old) {
      return std::find(now.begin(), now.end(), old) != now.end();
    });
    if (left || from.exclusive != 0) return std::nullopt;
  }
  if (from.barrier_open(mission(task.mission).number)) return Outcome::done;
  return ++task.waited > 1'000 ? std::optional(Outcome::failed) : std::nullopt;
}

/// To rows of the source that don't say theirs: finds are told by it what to leave out.
void World::give_vnodes(Database& from, Vnodes vnodes) {
  for (Key key = 0; key < kKeys; ++key) {
    Slot& slot = from.slot(key);
    if (slot.present && slot.stored == kNoVnode && has(vnodes, vnode_of(key)))
      slot.stored = static_cast<std::int8_t>(vnode_of(key));
  }
  from.committed();
}

/// What is at the target goes, before anything comes.
World::Answered World::begin_copy(Task& task) {
  Mission& plan = mission(task.mission);
  Journal& journal = plan.journal;
  if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
  Database& to = at(task, 1);
  const PlanRow* row = this->row(task, 1);
  if (row == nullptr || row->state != State::guarded) return Outcome::failed;
  if (hold(Rule::apply_checks_epoch) && row->epoch != task.epoch) return Outcome::failed;
  // Also where all was copied: a failover may have brought such a plan before this one's row.
  if (hold(Rule::ids_kept_alone))
    for (const PlanRow& each : to.now.plans)
      if (each.plan != plan.number && !each.source && each.ids_kept && each.state == State::guarded)
        return std::nullopt;  // waits for that plan, and names it
  if (journal.copied == (1u << kKeys) - 1) return Outcome::done;
  if (!journal.copy_begun) {
    if (hold(Rule::owner_checked_before_delete) && router_gives(plan.vnodes, plan.to())) {
      stop(plan);
      return Outcome::failed;
    }
    give_vnodes(at(task, 0), plan.vnodes);
    if (row->ids_kept && to.now.table.unique_index) to.now.table.unique_index = false;
    for (Key key = 0; key < kKeys; ++key) {
      const int vnode = hold(Rule::vnode_by_key_at_target) ? vnode_of(key) : to.slot(key).stored;
      if (to.slot(key).present && vnode >= 0 && has(plan.vnodes, vnode)) to.slot(key) = {};
    }
    to.committed();
    journal.copy_begun = true;
  }
  task.step = 10;
  return std::nullopt;
}

/// A row's chunk: read in one transaction, applied in another. The pump runs beside it.
World::Answered World::copy(Task& task) {
  Mission& plan = mission(task.mission);
  Journal& journal = plan.journal;
  if (task.pumping == 0 && chance(15)) task.pumping = 1;
  if (task.pumping != 0) {
    const Answered pumped = pump_beside_copy(task);
    if (!pumped || pumped != Outcome::done) return pumped;
  }
  if (task.step == 10) {
    if (!use(task, 0)) return Outcome::failed;
    task.key = 0;
    while (task.key < kKeys &&
           (((journal.copied >> task.key) & 1) != 0 || !has(plan.vnodes, vnode_of(task.key)))) {
      journal.copied = static_cast<std::uint8_t>(journal.copied | (1u << task.key));
      ++task.key;
    }
    if (task.key == kKeys) return Outcome::done;
    task.row = at(task, 0).slot(task.key);
    task.step = 11;
    return std::nullopt;
  }
  if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
  Database &from = at(task, 0), &to = at(task, 1);
  const PlanRow* row = this->row(task, 1);
  if (row == nullptr || (hold(Rule::apply_checks_epoch) &&
                         (row->epoch != task.epoch || row->state != State::guarded)))
    return Outcome::failed;
  Slot slot = task.row;
  slot.stored = slot.present ? static_cast<std::int8_t>(vnode_of(task.key)) : kNoVnode;
  bool comes = true;
  if (slot.present) {
    if (!row->ids_kept && hold(Rule::ids_issued_anew)) slot.id = ++to.last_id;
    comes = !to.slot(task.key).present;  // ON CONFLICT DO NOTHING
  } else if (to.slot(task.key).present) {
    comes = false;
  }
  if (comes) {
    Changes changes;
    changes.rows.push_back({task.key, slot});
    comes = to.commit(changes, hold(Rule::applied_synchronously));
  }
  if (!comes && slot.present) {  // the pump brings it
    from.log(plan.number, task.key);
    from.committed();
  }
  journal.copied = static_cast<std::uint8_t>(journal.copied | (1u << task.key));
  task.step = 10;
  return std::nullopt;
}

/// Both sides at one moment: what no entry of the log names must be equal.
World::Answered World::verify(Task& task) {
  Mission& plan = mission(task.mission);
  if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
  Database &from = at(task, 0), &to = at(task, 1);
  const auto now = noted(plan);
  if (!plan.journal.noted_servers) {  // too late for what was copied
    for (std::size_t side = 0; side < 2; ++side)
      plan.journal.noted[side].timeline = now[side].timeline;
    plan.journal.noted_servers = true;
  }
  const bool cause = task.verify_again || now != plan.journal.noted || !from.now.table.enabled ||
                     !to.now.table.enabled;
  bool repaired = false;
  if (cause) give_vnodes(from, plan.vnodes);
  for (Key key = 0; key < kKeys; ++key) {
    if (!has(plan.vnodes, vnode_of(key))) continue;
    const Slot &a = from.slot(key), &b = to.slot(key);
    const bool seen =
        b.present && (hold(Rule::vnode_by_key_at_target) || b.stored == vnode_of(key));
    if (a.present == seen && (!seen || (a.last == b.last && a.unique == b.unique))) {
      if (!a.present && !b.present) to.slot(key).last = a.last;  // two absences are one
      continue;
    }
    const bool named = std::any_of(
        from.now.log.begin(), from.now.log.end(),
        [&](const LogEntry& entry) { return entry.key == key && takes(task, from, entry); });
    if (named) continue;
    if (!cause && !rules_.repairs_silently())
      violate(Wrong::differs, "verification finds that key " + std::to_string(key) +
                                  " differs, and nothing has been recorded that may be why");
    from.log(plan.number, key);
    repaired = true;
  }
  if (repaired) from.committed();
  if (task.verify_again) {
    plan.journal.unique_made = false;  // a failover may have taken the indexes, too
    plan.journal.noted[0].timeline = now[0].timeline;
    plan.journal.noted[1].timeline = now[1].timeline;
  }
  if (task.verify_again)
    for (std::size_t side = 0; side < 2; ++side)
      if (plan.journal.noted[side].table.oid == now[side].table.oid)
        plan.journal.noted[side].table = now[side].table;
  return Outcome::done;
}

}  // namespace sim
