// What coordinators do in databases from the binding of the ring to the end of the block.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Outcome;

World::Answered World::ring_of_routers(Task& task, Ring& ring) {
  const Mission& plan = mission(task.mission);
  const Router* first = nullptr;
  bool agree = true;
  for (Router& router : routers_) {
    if (!router.up || router.deaf_until > now_) return std::nullopt;
    // Our own of an attempt that failed would refuse the edit that the others have taken.
    if (router.pending.plan == plan.number &&
        task.epoch >= router.newest_epoch[static_cast<std::size_t>(plan.number)])
      abandon_as(router, plan.number, task.epoch);
    if (router.holds_pending()) return std::nullopt;  // another plan's, which is named
    if (first == nullptr) first = &router;
    agree = agree && router.ring == first->ring;
  }
  if (!agree || (hold(Rule::older_finds_drained) && finds_by_others(first->ring))) {
    if (!calm() && chance(5)) return Outcome::more;  // the pump goes on meanwhile
    return std::nullopt;
  }
  ring = first->ring;
  return Outcome::done;
}

/// All routers on one ring, in which the vnodes are the source's; it goes into both rows. What is
/// waited for is pumped meanwhile.
World::Answered World::bind(Task& task) {
  Mission& plan = mission(task.mission);
  if (!hold(Rule::ring_bound_late)) return Outcome::done;
  if (!use(task, task.step == 2 ? 1 : 0)) return Outcome::failed;
  if (task.step == 0) {
    Ring ring;
    const Answered found = fleet_ ? ring_of_fleet(task, ring) : ring_of_routers(task, ring);
    if (found != Outcome::done) return found;
    const Vnodes owned = ring.owned_by(plan.to());
    const PlanRow* row = this->row(task, 1);
    if ((plan.vnodes & ~ring.owned_by(plan.from())) != 0 ||
        (row != nullptr && row->ids_kept && (owned & ~plan.vnodes) != 0)) {
      stop(plan);  // somebody else has moved one; or the target is not alone with its ids
      return Outcome::failed;
    }
    plan.journal.bound = ring;
    task.step = 1;
    return std::nullopt;
  }
  const int side = task.step == 1 ? 0 : 1;
  PlanRow* row = this->row(task, side);
  if (row == nullptr || row->epoch != task.epoch ||
      row->state != (side == 0 ? State::capturing : State::guarded))
    return Outcome::failed;
  row->base = plan.journal.bound.digest();
  row->next = plan.journal.bound.with(plan.vnodes, plan.to()).digest();
  at(task, side).committed();
  if (++task.step == 2) return std::nullopt;
  return Outcome::done;
}

World::Answered World::barrier(Task& task, Rule rule) {
  if (!use(task, 0)) return Outcome::failed;
  if (!hold(rule) || at(task, 0).barrier_open(mission(task.mission).number)) return Outcome::done;
  return ++task.waited > 300 ? std::optional(Outcome::failed) : std::nullopt;  // the budget
}

World::Answered World::fence(Task& task) {
  if (!use(task, 0)) return Outcome::failed;
  if (set_state(task, 0, State::capturing, State::fenced) != Outcome::done) return Outcome::failed;
  row(task, 0)->attempt = task.attempt;
  at(task, 0).committed();
  return Outcome::done;
}

/// A failover since the copy may have taken away what was copied, or what the log named; what was
/// done to a table, what its trigger would have caught.
World::Answered World::compare_servers(Task& task) {
  if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
  Mission& plan = mission(task.mission);
  const auto now = noted(plan);
  const auto& noted = plan.journal.noted;
  if (hold(Rule::servers_compared))
    for (std::size_t side = 0; side < 2; ++side)
      if (noted[side].timeline != now[side].timeline) return Outcome::changed;
  // As it was before: triggers are counted over the whole database, wherever they are.
  if (!hold(Rule::version_in_commit))
    return at(task, 0).now.table.enabled ? Outcome::done : Outcome::failed;
  for (std::size_t side = 0; side < 2; ++side) {
    if (noted[side].table.oid != now[side].table.oid || !now[side].table.trigger) {
      stop(plan);
      return Outcome::failed;
    }
    if (!now[side].table.enabled) return Outcome::failed;
    if (noted[side].table.version != now[side].table.version) return Outcome::changed;
  }
  return Outcome::done;
}

/// The commit point: this row's count decides. The target's tables are held first, so that one that
/// is away by then ends the attempt.
World::Answered World::commit_plan(Task& task) {
  if (task.step == 0) {
    if (hold(Rule::version_in_commit) && !use(task, 1)) return Outcome::failed;
    task.step = 1;
    return std::nullopt;
  }
  if (!use(task, 0)) return Outcome::failed;
  Mission& plan = mission(task.mission);
  Database& from = at(task, 0);
  PlanRow* row = this->row(task, 0);
  if (row == nullptr || row->epoch != task.epoch || row->state != State::fenced ||
      row->attempt != task.attempt)
    return Outcome::failed;
  if (hold(Rule::tables_locked_in_commit) && from.exclusive != 0) return Outcome::failed;
  if (hold(Rule::version_in_commit)) {
    const Table now = noted(plan)[0].table, &noted = plan.journal.noted[0].table;
    if (now.oid != noted.oid || !now.trigger || !now.enabled) {
      stop(plan);
      return Outcome::failed;
    }
    if (now.version != noted.version) return Outcome::changed;
  }
  row->state = State::committed;
  from.committed();
  return Outcome::done;
}

World::Answered World::wait_commit_flushed(Task& task) {
  if (!use(task, 0)) return Outcome::failed;
  Mission& plan = mission(task.mission);
  Database& from = at(task, 0);
  if (hold(Rule::flush_after_commit) && !from.flushed()) return std::nullopt;
  PlanRow* row = this->row(task, 0);
  if (row == nullptr || row->epoch != task.epoch ||
      (row->state != State::committed && row->state != State::cleaning &&
       row->state != State::done))
    return Outcome::failed;
  row->decided = true;  // a failover may lose the mark; whoever has acted on it was right
  from.committed();
  if (plan.decided) return Outcome::done;
  plan.decided = true;
  bool chain = false;
  for (std::size_t vnode = 0; vnode < kVnodes; ++vnode) {
    if (!has(plan.vnodes, static_cast<int>(vnode))) continue;
    chain = chain || moved_by_[vnode] != 0;
    owner_[vnode] = plan.to();
    moved_by_[vnode] = plan.number;
  }
  if (plan.reverts >= 0)
    ++done_.moved_back;
  else
    ++done_.moved;
  if (chain && plan.reverts < 0) ++done_.chains;
  return Outcome::done;
}

World::Answered World::commit_target(Task& task) {
  if (!use(task, 1)) return Outcome::failed;
  PlanRow* row = this->row(task, 1);
  if (row == nullptr || (row->state != State::done && row->state != State::committed))
    if (set_state(task, 1, State::guarded, State::committed) != Outcome::done)
      return Outcome::failed;
  return Outcome::done;
}

/// By the source alone: fenced becomes capturing, and the ring is unbound.
World::Answered World::back_out(Task& task) {
  if (!use(task, 0)) return Outcome::failed;
  PlanRow* row = this->row(task, 0);
  if (row == nullptr || row->state == State::aborted) return Outcome::done;
  if (row->state == State::committed || row->state == State::cleaning || row->state == State::done)
    return Outcome::committed;
  if (row->epoch != task.epoch) return Outcome::failed;
  if (row->state == State::fenced && !hold(Rule::row_decides_commit))
    return Outcome::done;  // it reads as not committed
  if (row->state == State::fenced) row->state = State::capturing;
  if (hold(Rule::ring_bound_late)) row->base = row->next = 0;
  at(task, 0).committed();
  return Outcome::done;
}

/// The source alone decides: where the target is gone for good, a plan ends all the same.
World::Answered World::abort_plan(Task& task) {
  Mission& plan = mission(task.mission);
  if (!use(task, 0)) return Outcome::failed;
  Database& from = at(task, 0);
  PlanRow* row = this->row(task, 0);
  if (task.step == 0) {
    if (row != nullptr && row->state == State::committed) return Outcome::committed;
    if (row != nullptr && row->state != State::aborted) {
      if (row->state == State::fenced || row->epoch != task.epoch) return Outcome::failed;
      row->state = State::aborted;
      from.committed();
    }
    task.step = 1;
  }
  if (!from.flushed()) return std::nullopt;
  // A barrier, for as long as may be; entries that come later harm nobody.
  if (!from.barrier_open(plan.number) && ++task.waited < 100) return std::nullopt;
  // Without a row of its own here, the entries are another plan's; or it has the vnodes by now.
  if (row != nullptr && (plan.reverts < 0 || !hold(Rule::abort_hands_entries_back))) {
    from.now.log.erase_if([&](const LogEntry& entry) {
      return hold(Rule::abort_hands_entries_back)
                 ? has(plan.vnodes, vnode_of(entry.key)) &&
                       from.conflict(only(vnode_of(entry.key)), plan.number, 0) == 0
                 : entry.plan == plan.number;
    });
    from.committed();
  }
  return Outcome::done;
}

void World::drop_copied(const Mission& mission) {
  Database& to = database(mission.to());
  for (Key key = 0; key < kKeys; ++key) {
    const Slot& slot = to.slot(key);
    const int vnode = hold(Rule::vnode_by_key_at_target) ? vnode_of(key) : slot.stored;
    const bool owned = vnode >= 0 && hold(Rule::owner_checked_before_delete) &&
                       router_gives(only(vnode), mission.to());
    if (slot.present && vnode >= 0 && has(mission.vnodes, vnode) && !owned) to.slot(key) = {};
  }
}

/// As it was before: the target first, then the source, and nothing without both.
World::Answered World::abort_both(Task& task) {
  Mission& plan = mission(task.mission);
  if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
  PlanRow *source = row(task, 0), *target = row(task, 1);
  Database &from = at(task, 0), &to = at(task, 1);
  if (task.step == 0) {
    if (source != nullptr && source->state == State::committed) return Outcome::committed;
    if (source != nullptr && source->state == State::fenced) return Outcome::failed;
    if (target != nullptr && target->state == State::guarded) {
      if (task.copies) drop_copied(plan);
      target->state = State::aborted;
      to.committed();
    }
    if (source != nullptr) source->state = State::aborted;
    from.committed();
    task.step = 1;
  }
  if (!from.flushed() || !to.flushed()) return std::nullopt;
  for (Database* each : {&from, &to}) {
    if (plan.reverts >= 0 && hold(Rule::abort_hands_entries_back)) break;
    each->now.log.erase_if([&](const LogEntry& entry) { return entry.plan == plan.number; });
    each->committed();
  }
  return Outcome::done;
}

/// What was copied goes while the guard is still up; a rollback's target keeps what it had.
World::Answered World::clean_target(Task& task) {
  Mission& plan = mission(task.mission);
  if (!hold(Rule::source_alone_backs_out)) return Outcome::done;  // it has been done
  if (!use(task, 1)) return Outcome::failed;
  Database& to = at(task, 1);
  PlanRow* row = this->row(task, 1);
  if (task.step == 0) {
    if (row != nullptr && row->state == State::guarded) {
      if (hold(Rule::target_taken_over_before_clean) && row->epoch != task.epoch)
        return Outcome::failed;
      if (task.copies) {
        drop_copied(plan);
      }
      if (row->ids_kept) to.now.table.unique_index = true;
      row->state = State::aborted;
      to.committed();
    }
    task.step = 1;
  }
  return to.flushed() ? std::optional(Outcome::done) : std::nullopt;
}

}  // namespace sim
