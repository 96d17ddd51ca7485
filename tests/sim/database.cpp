#include "tests/sim/database.hpp"

#include <algorithm>

namespace sim {

PlanRow* Database::plan(PlanId plan) {
  for (PlanRow& row : now.plans)
    if (row.plan == plan) return &row;
  return nullptr;
}

const PlanRow* Database::newest(int vnode) const {
  const PlanRow* found = nullptr;
  for (const PlanRow& row : now.plans)
    if (has(row.vnodes, vnode) && row.state != State::aborted &&
        (found == nullptr || row.plan > found->plan))
      found = &row;
  return found;
}

Judgement Database::judge(int vnode, bool stored) const {
  const PlanRow* plan = newest(vnode);
  if (plan == nullptr || (!plan->source && plan->state == State::done)) return {};
  // A trigger that looks at `_vnode` alone does not know that such a row is captured.
  if (!stored && !rules_.hold(Rule::missing_vnode_computed))
    return {plan->plan, false, false, false};
  Judgement judgement{plan->plan, false, false, true};
  switch (plan->state) {
    case State::preparing: break;
    case State::capturing: judgement.logs = true; break;
    case State::fenced: judgement.refused = true; break;
    case State::committed:
      if (plan->source)
        judgement.refused = rules_.hold(Rule::ownership_fence);
      else
        judgement.logs = rules_.hold(Rule::reverse_log_from_commit);
      break;
    case State::cleaning:
    case State::done: judgement.refused = plan->source && rules_.hold(Rule::ownership_fence); break;
    case State::guarded: judgement.refused = rules_.hold(Rule::target_guard); break;
    case State::aborted: break;
  }
  // Nobody writes past a fence while a trigger is away: only what should be logged is not.
  if (!now.table.trigger || !now.table.enabled) judgement.logs = judgement.locks = false;
  return judgement;
}

bool Database::hides(int stored, std::uint32_t ring) const {
  if (stored < 0) return false;
  const PlanRow* row = newest(stored);
  if (row == nullptr) return false;
  if (row->state == State::done && (row->source || !rules_.hold(Rule::done_row_hides)))
    return false;
  if (row->base != 0 && ring == row->base) return !row->source;
  if (row->next != 0 && ring == row->next) return row->source;
  return row->state == State::guarded ||
         (row->source && (row->state == State::committed || row->state == State::cleaning));
}

bool Database::under_way(const PlanRow& row) const {
  if (row.state == State::aborted || row.state == State::done) return false;
  return std::none_of(now.plans.begin(), now.plans.end(), [&](const PlanRow& each) {
    return each.reverts == row.plan && (each.state == State::committed ||
                                        each.state == State::cleaning || each.state == State::done);
  });
}

PlanId Database::conflict(Vnodes vnodes, PlanId plan, PlanId reverts) const {
  for (const PlanRow& row : now.plans)
    if (row.plan != plan && row.plan != reverts && (row.vnodes & vnodes) != 0 && under_way(row))
      return row.plan;
  return 0;
}

bool Database::elsewhere(Vnodes vnodes, bool leaves) const {
  for (int vnode = 0; vnode < kVnodes; ++vnode) {
    const PlanRow* row = has(vnodes, vnode) ? newest(vnode) : nullptr;
    if (row != nullptr && row->source == leaves &&
        (row->state == State::committed || row->state == State::cleaning ||
         row->state == State::done))
      return true;
  }
  return false;
}

bool Database::empty() const {
  return std::none_of(now.slots.begin(), now.slots.end(),
                      [](const Slot& slot) { return slot.present; });
}

/// A key's older entries are as good as its newest where the log is full.
void Database::log(int plan, Key key) {
  for (int i = 0; now.log.full() && i < now.log.size(); ++i) {
    const LogEntry old = now.log[i];
    const bool again = std::any_of(
        now.log.begin() + i + 1, now.log.end(),
        [&](const LogEntry& each) { return each.key == old.key && each.plan == old.plan; });
    if (again)
      now.log.erase_if([&](const LogEntry& each) { return each.sequence == old.sequence; });
  }
  now.log.push_back(
      {next_sequence++, static_cast<std::int8_t>(plan), static_cast<std::int8_t>(key)});
}

bool Database::lock_row(Key key, TransactionId holder) {
  TransactionId& lock = row_locks_[static_cast<std::size_t>(key)];
  if (lock == 0) lock = holder;
  return lock == holder;
}

void Database::unlock(TransactionId holder) {
  writers_.erase_if([&](TransactionId each) { return each == holder; });
  shared_.erase_if([&](const Shared& lock) { return lock.holder == holder; });
  for (TransactionId& lock : row_locks_)
    if (lock == holder) lock = 0;
  if (exclusive == holder) exclusive = 0;
}

bool Database::barrier_open(PlanId plan) {
  const PlanRow* own = this->plan(plan);
  return std::none_of(shared_.begin(), shared_.end(), [&](const Shared& lock) {
    if (lock.plan == plan) return true;
    const PlanRow* row = this->plan(lock.plan);
    return lock.plan < plan && row != nullptr && own != nullptr && (row->vnodes & own->vnodes) != 0;
  });
}

bool Database::commit(const Changes& changes, bool synchronous) {
  if (now.table.unique_index) {
    auto next = now.slots;
    for (const auto& [key, slot] : changes.rows) next[static_cast<std::size_t>(key)] = slot;
    for (const auto& [key, slot] : changes.rows)
      for (Key other = 0; slot.present && slot.unique != 0 && other < kKeys; ++other) {
        const Slot& there = next[static_cast<std::size_t>(other)];
        if (other != key && there.present && there.unique == slot.unique) return false;
      }
  }
  for (const auto& [key, slot] : changes.rows) this->slot(key) = slot;
  for (const LogEntry& entry : changes.log) {
    if (now.log.full()) {
      log(entry.plan, entry.key);
      now.log.back().sequence = entry.sequence;
    } else {
      now.log.push_back(entry);
    }
  }
  committed(synchronous);
  return true;
}

void Database::committed(bool synchronous) {
  if (!may_fail_over) return;
  if (synchronous && !lagging_standby) {
    standby_ = now;
    unflushed_ = 0;
  } else {
    ++unflushed_;
  }
}

void Database::replicate() {
  if (!may_fail_over || unflushed_ == 0) return;
  standby_ = now;
  unflushed_ = 0;
}

void Database::restart() {
  shared_.clear();
  writers_.clear();
  row_locks_.fill(0);
  exclusive = 0;
  ++transactions_ended;
}

void Database::fail_over() {
  const int timeline = now.timeline;
  now = standby_;
  now.timeline = timeline + 1;
  standby_ = now;
  unflushed_ = 0;
  restart();
}

}  // namespace sim
